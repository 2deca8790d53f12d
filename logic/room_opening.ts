import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import { ApiError } from './errors.ts';
import { ImError, type ImGroups } from './im_mgr.ts';
import { type NewPusher, type RoomKind, type RoomRef, spaceOf } from './model.ts';
import { openRule } from './room_rules.ts';
import type { ReserveOutcome, RoomStore } from './store/store.ts';

/** Longer than every step of opening a room together, so that only the id of a failed maker expires. */
const RESERVATION_MS = 10_000;
const AUTO_IDS_TRIED = 3;
/**
 * How long a new room waits for the group of the same name to be destroyed, and then for a moment
 * when nobody is at it, to have that group. Making a group takes up to 3 s more, and clients give
 * up at 5 s.
 */
const GROUP_CLOSING_WAIT_MS = 700;
const GROUP_TAKING_WAIT_MS = 300;
const POLL_MS = 50;

export interface NewRoom {
  readonly kind: RoomKind;
  /** Absent: an id is made. */
  readonly roomID?: string;
  readonly creator: string;
  readonly info: string;
  readonly endsWithCreator: boolean;
  /** What lists may filter by; '' unless told. */
  readonly roomType?: string;
  /** Its members must be heard of, unless told otherwise. */
  readonly needsHeartbeat?: boolean;
  /** Present: the room is active at once. */
  readonly firstPusher?: NewPusher;
}

interface Parts {
  readonly store: RoomStore;
  readonly im: ImGroups;
  readonly clock: Clock;
  readonly newRoomID: (kind: RoomKind) => string;
}

/** An id that is taken until its room is open. */
interface Reservation {
  readonly epoch: number;
  /** The group of a former life was taken over, and must not stay behind. */
  readonly hasGroup: boolean;
}

/**
 * How a room comes to be, in three steps that a crash may part: its id is reserved, its IM group
 * is made, the room is opened. Whatever goes wrong, no room is without its group, and no group
 * stays without its room.
 */
export class RoomOpening {
  readonly #parts: Parts;
  /** Rooms being opened by this process, for those who want to join them meanwhile. */
  readonly #openings = new Map<string, Promise<unknown>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Makes a room together with its IM group: both exist afterwards, or neither. */
  async create(room: NewRoom): Promise<{ readonly roomID: string }> {
    if (room.roomID !== undefined) return this.open({ ...room, roomID: room.roomID });
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.open({ ...room, roomID: this.#parts.newRoomID(room.kind) });
      } catch (error) {
        if (attempt === AUTO_IDS_TRIED || !isIDTaken(error)) throw error;
      }
    }
  }

  /** Waits until the room may be open: here that is known, elsewhere a little later. False: it failed. */
  async settled(ref: RoomRef): Promise<boolean> {
    const opening = this.#openings.get(openingKeyOf(ref));
    if (opening === undefined) {
      await this.#parts.clock.sleep(POLL_MS, new AbortController().signal);
      return true;
    }
    const isOpen = await opening.then(
      () => true,
      () => false,
    );
    await nextTurn();
    return isOpen;
  }

  /** Makes a room under this very id. */
  async open(room: NewRoom & RoomRef): Promise<{ readonly roomID: string }> {
    const reservation = await this.#reserve(room);
    const opening = this.#openReserved(room, reservation);
    const key = openingKeyOf(room);
    this.#openings.set(key, opening);
    try {
      await opening;
      return { roomID: room.roomID };
    } finally {
      // When it failed, the next one may have begun before we came here.
      if (this.#openings.get(key) === opening) this.#openings.delete(key);
    }
  }

  async #reserve(room: NewRoom & RoomRef): Promise<Reservation> {
    const { clock } = this.#parts;
    const takeFromMs = clock.monotonicMs() + GROUP_CLOSING_WAIT_MS;
    const untilMs = takeFromMs + GROUP_TAKING_WAIT_MS;
    let reserved = await this.#tryReserve(room, { takeOverGroup: false });
    let hasGroup = false;
    while (reserved.outcome === 'group_closing' && clock.monotonicMs() < untilMs) {
      await clock.sleep(POLL_MS, new AbortController().signal);
      // The old group could not be destroyed in time: the new room gets it instead.
      hasGroup = clock.monotonicMs() >= takeFromMs;
      reserved = await this.#tryReserve(room, { takeOverGroup: hasGroup });
    }
    if (reserved.outcome === 'reserved') return { epoch: reserved.epoch, hasGroup };
    const { roomID } = room;
    if (reserved.outcome === 'exists')
      throw new ApiError('room_exists', `Room ${roomID} exists.`, { reply: { roomID } });
    throw new ApiError('im_unavailable', `The former group of ${roomID} is still being destroyed.`);
  }

  #tryReserve(
    room: NewRoom & RoomRef,
    { takeOverGroup }: { readonly takeOverGroup: boolean },
  ): Promise<ReserveOutcome> {
    const { kind, roomID, creator, info, endsWithCreator } = room;
    const { roomType = '', needsHeartbeat = true } = room;
    const nowMs = this.#parts.clock.nowMs();
    const reservedUntilMs = nowMs + RESERVATION_MS;
    const times = { nowMs, reservedUntilMs };
    const { store } = this.#parts;
    return store.reserveRoom({
      kind,
      roomID,
      creator,
      info,
      endsWithCreator,
      roomType,
      needsHeartbeat,
      ...times,
      takeOverGroup,
    });
  }

  async #openReserved(room: NewRoom & RoomRef, reservation: Reservation): Promise<void> {
    const { store, clock } = this.#parts;
    const { roomID, firstPusher } = room;
    const { epoch } = reservation;
    if (spaceOf(room.kind) === 'im') await this.#makeGroup(roomID, reservation);
    const nowMs = clock.nowMs();
    const rule = openRule({ firstPusher, nowMs });
    const ref = { kind: room.kind, roomID };
    const actor = room.creator;
    const opening = store.changeRoom({ ref, epoch, actor, nowMs, rule });
    const outcome = await opening.catch(async (cause: unknown) => {
      // If the store takes not even this, the reservation ends by itself.
      await store.dropReservation({ epoch, groupMayExist: true, nowMs }).catch(() => undefined);
      throw cause;
    });
    if (outcome === 'gone')
      throw new ApiError('im_unavailable', `Opening ${roomID} took longer than its reservation.`);
  }

  /** No group, no room: whatever goes wrong, the id is free again and no group stays behind. */
  async #makeGroup(roomID: string, { epoch, hasGroup }: Reservation): Promise<void> {
    const { store, im, clock } = this.#parts;
    try {
      if ((await im.createGroup(roomID)) === 'created') return;
    } catch (cause) {
      const groupMayExist = hasGroup || !(cause instanceof ImError) || cause.mayBeDone;
      await store.dropReservation({ epoch, groupMayExist, nowMs: clock.nowMs() });
      throw new ApiError('im_unavailable', `No IM group could be made for ${roomID}.`, { cause });
    }
    await store.dropReservation({ epoch, groupMayExist: false, nowMs: clock.nowMs() });
    throw new IDTaken(`The IM group id ${roomID} belongs to somebody else.`);
  }
}

/** The IM cloud knows this id as somebody else's; another id would do. */
class IDTaken extends ApiError {
  constructor(detail: string) {
    super('im_unavailable', detail);
  }
}

function isIDTaken(error: unknown): boolean {
  return error instanceof IDTaken || (error instanceof ApiError && error.error === 'room_exists');
}

function openingKeyOf({ kind, roomID }: RoomRef): string {
  return `${kind}/${roomID}`;
}
