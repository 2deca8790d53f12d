import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import type { CustomOperation } from './custom.ts';
import { ApiError } from './errors.ts';
import type { Actor } from './events.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { ImGroups } from './im_mgr.ts';
import { ImError } from './im_mgr.ts';
import type { Log } from './log.ts';
import {
  type Audience,
  type MemberRef,
  type NewPusher,
  type RoomKind,
  type RoomRef,
  type RoomRules,
  type RoomWithPushers,
  spaceOf,
} from './model.ts';
import * as rules from './room_rules.ts';
import type { ReserveOutcome, Store } from './store/store.ts';

/** Longer than every step of opening a room together, so that only the id of a failed maker expires. */
const RESERVATION_MS = 10_000;
const AUTO_IDS_TRIED = 3;
const JOINS_TRIED = 3;
/**
 * How long a new room waits for the group of the same name to be destroyed, and then for a moment
 * when nobody is at it, to have that group. Making a group takes up to 3 s more, and clients give
 * up at 5 s.
 */
const GROUP_CLOSING_WAIT_MS = 700;
const GROUP_TAKING_WAIT_MS = 300;
const POLL_MS = 50;
const OPENING_WAIT_MS = 4_000;

export interface RoomLimits {
  readonly roomsPerPage: number;
  readonly customFields: number;
  readonly customBytes: number;
}

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
  readonly store: Store;
  readonly heartbeats: Heartbeats;
  readonly im: ImGroups;
  readonly rules: Readonly<Record<RoomKind, RoomRules>>;
  readonly limits: RoomLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly newRoomID: (kind: RoomKind) => string;
}

/** An id that is taken until its room is open. */
interface Reservation {
  readonly epoch: number;
  /** The group of a former life was taken over, and must not stay behind. */
  readonly hasGroup: boolean;
}

/** What clients can do with rooms. Every method is one decision of the store, whoever else calls. */
export class RoomMgr {
  readonly #parts: Parts;
  /** Rooms being opened by this process, for those who want to join them meanwhile. */
  readonly #openings = new Map<string, Promise<unknown>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Makes a room together with its IM group: both exist afterwards, or neither. */
  async create(room: NewRoom): Promise<{ readonly roomID: string }> {
    if (room.roomID !== undefined) return this.#open({ ...room, roomID: room.roomID });
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#open({ ...room, roomID: this.#parts.newRoomID(room.kind) });
      } catch (error) {
        if (attempt === AUTO_IDS_TRIED || !isIDTaken(error)) throw error;
      }
    }
  }

  /** Takes a seat or refreshes it; with `autoCreate` a missing room is made, with the caller as creator. */
  async addPusher(request: {
    readonly ref: RoomRef;
    readonly pusher: NewPusher;
    /** What the joining member says of the room. */
    readonly status?: number;
    readonly autoCreate?: { readonly info: string; readonly endsWithCreator: boolean };
  }): Promise<void> {
    const { ref, pusher, status, autoCreate } = request;
    for (let attempt = 1; attempt <= JOINS_TRIED; attempt++) {
      const outcome = await this.#join(ref, pusher, status);
      if (outcome === 'joined' || outcome === 'updated') return;
      if (outcome === 'full')
        throw new ApiError('room_full', `Room ${ref.roomID} has no free seat.`);
      if (autoCreate === undefined) throw noRoom(ref);
      // Whoever made it waited for IM already; another try would take longer than the client waits.
      if (outcome === 'not_opened')
        throw new ApiError('im_unavailable_joining', `Room ${ref.roomID} could not be made.`);
      const room = { ...ref, ...autoCreate, creator: pusher.userID, firstPusher: pusher };
      if (await this.#openUnlessThere(room)) return;
    }
    throw new ApiError('room_exists', `Room ${ref.roomID} is of another kind, or being made.`);
  }

  /** Gives a seat back; `endsWithCreator` dissolves the room when it was the creator's. */
  async removePusher(request: {
    readonly member: MemberRef;
    readonly endsWithCreator: boolean;
  }): Promise<void> {
    const { member, endsWithCreator } = request;
    const { userID } = member;
    const rule = rules.leaveRule({ userID, endsWithCreator });
    if ((await this.#change(member, userID, rule)) === 'not_member')
      throw new ApiError('not_member_leaving', `${userID} has no seat in ${member.roomID}.`);
  }

  /** Notes that a pusher is alive; answers the newest event of the room, to compare notes. */
  async heartbeat(member: MemberRef): Promise<{ readonly epoch: number; readonly seq: number }> {
    const heard = this.#parts.heartbeats.beat(member);
    if (heard !== undefined) return heard;
    throw new ApiError('not_member', `${member.userID} has no seat in ${member.roomID}.`);
  }

  /** Ends a room on its creator's word. */
  async destroy({ userID, ...ref }: MemberRef): Promise<void> {
    if ((await this.#change(ref, userID, rules.destroyRule({ userID }))) === 'not_creator')
      throw new ApiError('not_creator', `${userID} is not the creator of a room ${ref.roomID}.`);
  }

  /** An active room with its pushers. */
  async read(ref: RoomRef): Promise<RoomWithPushers> {
    const found = await this.#parts.store.readRoom(ref);
    if (found?.room.state !== 'active') throw noRoom(ref);
    return found;
  }

  /** A page of the active rooms in the order they were made. */
  async list(page: {
    readonly kind: RoomKind;
    readonly roomType?: string;
    readonly index: number;
    readonly count: number;
  }): Promise<readonly RoomWithPushers[]> {
    const limit = Math.min(page.count, this.#parts.limits.roomsPerPage);
    if (limit <= 0) return [];
    const { kind, roomType = '', index: offset } = page;
    return this.#parts.store.readRooms({ kind, roomType, offset, limit });
  }

  /** Changes a custom field and answers all of them as JSON text. */
  async changeCustom(request: {
    readonly ref: RoomRef;
    readonly actor: Actor;
    readonly operation: CustomOperation;
  }): Promise<string> {
    const { customFields: fieldsMax, customBytes: bytesMax } = this.#parts.limits;
    const rule = rules.customRule(request.operation, { fieldsMax, bytesMax });
    const result = await this.#change(request.ref, request.actor, rule);
    if (result.outcome === 'no_room') throw noRoom(request.ref);
    if (result.outcome === 'refused') throw new ApiError('custom_field_refused', result.why);
    return result.custom;
  }

  /** The custom fields as JSON text, of a room nobody entered yet too. */
  async readCustom(ref: RoomRef): Promise<string> {
    const found = await this.#parts.store.readRoom(ref);
    if (found === undefined || found.room.state === 'reserved') throw noRoom(ref);
    return found.room.custom;
  }

  /** Counts somebody among the audience, once. */
  async addAudience(ref: RoomRef, audience: Audience): Promise<void> {
    const rule = rules.watchRule(audience);
    if ((await this.#change(ref, audience.userID, rule, audience.userID)) === 'no_room')
      throw noRoom(ref);
  }

  /** Takes somebody off the audience; whoever was not there is simply not there. */
  async removeAudience({ userID, ...ref }: MemberRef): Promise<void> {
    await this.#change(ref, userID, rules.unwatchRule, userID);
  }

  /** How many watch, and the first of them; nobody watches a room that does not exist. */
  readAudiences(ref: RoomRef): Promise<{
    readonly count: number;
    readonly audiences: readonly Audience[];
  }> {
    const { audiencesListedMax } = this.#parts.rules[ref.kind];
    return this.#parts.store.readAudiences(ref, audiencesListedMax);
  }

  /** Ends a room if `isAllowed` says so at that moment; one that is not there has ended already. */
  async end(request: {
    readonly ref: RoomRef;
    readonly actor: Actor;
    readonly isAllowed: (found: rules.Found) => boolean;
  }): Promise<boolean> {
    const { ref, actor, isAllowed } = request;
    return this.#change(ref, actor, rules.endRule({ reason: 'destroyed', isAllowed }));
  }

  /** Waits for a room that is just being opened, and takes a seat then. */
  async #join(
    ref: RoomRef,
    pusher: NewPusher,
    status: number | undefined,
  ): Promise<'joined' | 'updated' | 'full' | 'no_room' | 'not_opened'> {
    const { clock } = this.#parts;
    const { maxMembers } = this.#parts.rules[ref.kind];
    const untilMs = clock.monotonicMs() + OPENING_WAIT_MS;
    while (clock.monotonicMs() < untilMs) {
      const seat = { pusher, maxMembers, nowMs: clock.nowMs() };
      const rule = rules.joinRule(status === undefined ? seat : { ...seat, status });
      const outcome = await this.#change(ref, pusher.userID, rule);
      if (outcome !== 'opening') return outcome;
      if (!(await this.#opened(ref))) return 'not_opened';
    }
    throw new ApiError('im_unavailable_joining', `Room ${ref.roomID} took too long to open.`);
  }

  /** Waits until the room may be open: here that is known, elsewhere a little later. False: it failed. */
  async #opened(ref: RoomRef): Promise<boolean> {
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

  async #openUnlessThere(room: NewRoom & RoomRef): Promise<boolean> {
    try {
      await this.#open(room);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.error === 'room_exists') return false;
      if (error.error !== 'im_unavailable') throw error;
      throw new ApiError('im_unavailable_joining', error.message, { cause: error });
    }
  }

  async #open(room: NewRoom & RoomRef): Promise<{ readonly roomID: string }> {
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
    const rule = rules.openRule({ firstPusher, nowMs });
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

  #change<T>(ref: RoomRef, actor: Actor, rule: rules.Rule<T>, audienceID?: string): Promise<T> {
    const { kind, roomID } = ref;
    const nowMs = this.#parts.clock.nowMs();
    const request = { ref: { kind, roomID }, actor, nowMs, rule };
    return this.#parts.store.changeRoom(
      audienceID === undefined ? request : { ...request, audienceID },
    );
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

function noRoom({ kind, roomID }: RoomRef): ApiError {
  return new ApiError('room_not_found', `There is no active ${kind} ${JSON.stringify(roomID)}.`);
}

function openingKeyOf({ kind, roomID }: RoomRef): string {
  return `${kind}/${roomID}`;
}
