import { ApiError } from './errors.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { MemberRef, NewPusher, RoomKind, RoomRef, RoomWithPushers } from './model.ts';
import type { Readmissions } from './readmissions.ts';
import type { RoomMgr } from './room_mgr.ts';
import type { Found } from './room_rules.ts';
import type { UserSigs } from './user_sig.ts';

/** Everything: create, enter, send and receive sound, pictures and screens. */
const PRIVILEGES_ALL = 255;
const HOUR_MS = 3_600_000;

interface Parts {
  readonly rooms: RoomMgr;
  readonly heartbeats: Heartbeats;
  readonly readmissions: Readmissions;
  readonly sigs: UserSigs;
}

/** A member's way into the media room of the same number. */
export interface Admission {
  readonly roomID: string;
  readonly privateMapKey: string;
}

/**
 * The rooms of the third and fourth dialect: numbered, without an IM group here, and entered with
 * a signed privateMapKey instead of a push URL. Their rules are those of every other room.
 */
export class MeetingMgr {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Makes a room with its creator in it. A number that is taken is replaced by a free one. */
  async create(request: {
    readonly kind: RoomKind;
    readonly roomID: string;
    readonly roomInfo: string;
    readonly roomType: string;
    readonly needsHeartbeat: boolean;
    readonly endsWithCreator: boolean;
    readonly userID: string;
    readonly nickName: string;
  }): Promise<Admission> {
    const { kind, userID, roomType, needsHeartbeat, endsWithCreator } = request;
    this.#assertMayBeAdmitted(userID);
    const firstPusher = memberOf(userID, request.nickName);
    const traits = { roomType, needsHeartbeat, endsWithCreator };
    const room = { kind, creator: userID, info: request.roomInfo, ...traits, firstPusher };
    const { roomID } = await this.#createFree(room, request.roomID);
    return this.#admit({ kind, roomID, userID });
  }

  /** Enters, or enters again: a member keeps his seat in a full room. Without a name he keeps that too. */
  async enter(request: {
    readonly member: MemberRef;
    readonly nickName: string | undefined;
    readonly status: number | undefined;
  }): Promise<Admission> {
    const { member, status } = request;
    const { kind, roomID, userID } = member;
    this.#assertMayBeAdmitted(userID);
    const { pushers } = await this.#read(member);
    const known = pushers.find((pusher) => pusher.userID === userID)?.userName ?? '';
    const pusher = memberOf(userID, request.nickName ?? known);
    const seat = { ref: { kind, roomID }, pusher };
    await this.#parts.rooms.addPusher(status === undefined ? seat : { ...seat, status });
    return this.#admit(member);
  }

  /** Leaves; whoever was not there has left already. */
  async quit(member: MemberRef): Promise<void> {
    await this.#read(member);
    try {
      await this.#parts.rooms.removePusher({ member, endsWithCreator: false });
    } catch (error) {
      if (!(error instanceof ApiError && error.error === 'not_member_leaving')) throw error;
    }
  }

  /** Notes that a member is alive. One who was removed for silence just now comes back by it. */
  async heartbeat(member: MemberRef): Promise<void> {
    if (this.#parts.heartbeats.beat(member) !== undefined) return;
    const { room, pushers } = await this.#read(member);
    const { userID, kind, roomID } = member;
    if (pushers.some((pusher) => pusher.userID === userID)) return;
    const name = this.#parts.readmissions.nameOf({ ...member, epoch: room.epoch });
    if (name === undefined) throw new ApiError('not_member', `${userID} is not in room ${roomID}.`);
    try {
      await this.#parts.rooms.addPusher({ ref: { kind, roomID }, pusher: memberOf(userID, name) });
    } catch (cause) {
      if (!(cause instanceof ApiError && cause.error === 'room_full')) throw cause;
      throw new ApiError('not_member', `The seat of ${userID} in room ${roomID} is taken.`);
    }
  }

  /** Ends a room for everybody; where callers are known, only its members may. */
  async end(request: {
    readonly ref: RoomRef;
    readonly callerID: string;
    readonly isProven: boolean;
  }): Promise<void> {
    const { ref, callerID, isProven } = request;
    const hasEnded = await this.#parts.rooms.end({
      ref,
      actor: callerID,
      isAllowed: (found) => !isProven || isOneOf(found, callerID),
    });
    if (hasEnded || !isProven || !(await this.#isThere(ref))) return;
    throw new ApiError(
      'not_creator',
      `${callerID} is neither creator nor member of ${ref.roomID}.`,
    );
  }

  /** The members in the order they came. */
  async members(ref: RoomRef): Promise<RoomWithPushers['pushers']> {
    const { pushers } = await this.#read(ref);
    return pushers.toSorted((one, other) => one.joinedAtMs - other.joinedAtMs);
  }

  async #createFree(
    room: Parameters<RoomMgr['create']>[0],
    wantedID: string,
  ): Promise<{ readonly roomID: string }> {
    if (wantedID === '') return this.#parts.rooms.create(room);
    try {
      return await this.#parts.rooms.create({ ...room, roomID: wantedID });
    } catch (error) {
      if (!(error instanceof ApiError && error.error === 'room_exists')) throw error;
      return this.#parts.rooms.create(room);
    }
  }

  #read({ kind, roomID }: RoomRef): Promise<RoomWithPushers> {
    return this.#parts.rooms.read({ kind, roomID });
  }

  async #isThere(ref: RoomRef): Promise<boolean> {
    try {
      await this.#read(ref);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError && error.error === 'room_not_found')) throw error;
      return false;
    }
  }

  /** A privateMapKey is a userSig too, and that of the administrator opens the whole IM app. */
  #assertMayBeAdmitted(userID: string): void {
    if (!this.#parts.sigs.isAdministrator(userID)) return;
    throw new ApiError('user_id_refused', `No privateMapKey is made for ${userID}.`);
  }

  #admit({ kind, roomID, userID }: MemberRef): Admission {
    const expireMs = kind === 'webexe_room' ? 24 * HOUR_MS : HOUR_MS;
    const privateMapKey = this.#parts.sigs.signPrivateMapKey({
      userID,
      roomNumber: Number(roomID),
      privileges: PRIVILEGES_ALL,
      expireMs,
    });
    return { roomID, privateMapKey };
  }
}

function isOneOf({ room, pushers }: Found, userID: string): boolean {
  return room?.creator === userID || pushers.some((pusher) => pusher.userID === userID);
}

function memberOf(userID: string, userName: string): NewPusher {
  return { userID, userName, userAvatar: '', pushURL: '', streamID: '' };
}
