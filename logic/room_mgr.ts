import type { Clock } from './clock.ts';
import type { CustomOperation } from './custom.ts';
import { ApiError } from './errors.ts';
import type { Actor } from './events.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { ImGroups } from './im_mgr.ts';
import type {
  Audience,
  MemberRef,
  NewPusher,
  RoomKind,
  RoomRef,
  RoomRules,
  RoomWithPushers,
} from './model.ts';
import { type NewRoom, RoomOpening } from './room_opening.ts';
import * as rules from './room_rules.ts';
import type { Store } from './store/store.ts';

const JOINS_TRIED = 3;
const OPENING_WAIT_MS = 4_000;

export interface RoomLimits {
  readonly roomsPerPage: number;
  readonly customFields: number;
  readonly customBytes: number;
}

interface Parts {
  readonly store: Store;
  readonly heartbeats: Heartbeats;
  readonly im: ImGroups;
  readonly rules: Readonly<Record<RoomKind, RoomRules>>;
  readonly limits: RoomLimits;
  readonly clock: Clock;
  readonly newRoomID: (kind: RoomKind) => string;
}

/** What clients can do with rooms. Every method is one decision of the store, whoever else calls. */
export class RoomMgr {
  readonly #parts: Parts;
  readonly #opening: RoomOpening;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#opening = new RoomOpening(parts);
  }

  /** Makes a room together with its IM group: both exist afterwards, or neither. */
  create(room: NewRoom): Promise<{ readonly roomID: string }> {
    return this.#opening.create(room);
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
      if (!(await this.#opening.settled(ref))) return 'not_opened';
    }
    throw new ApiError('im_unavailable_joining', `Room ${ref.roomID} took too long to open.`);
  }

  async #openUnlessThere(room: NewRoom & RoomRef): Promise<boolean> {
    try {
      await this.#opening.open(room);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.error === 'room_exists') return false;
      if (error.error !== 'im_unavailable') throw error;
      throw new ApiError('im_unavailable_joining', error.message, { cause: error });
    }
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

function noRoom({ kind, roomID }: RoomRef): ApiError {
  return new ApiError('room_not_found', `There is no active ${kind} ${JSON.stringify(roomID)}.`);
}
