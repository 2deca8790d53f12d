/** The words of the house: rooms, the people in them, and the rules a kind of room follows. */

export const ROOM_KINDS = [
  'room',
  'double_room',
  'multi_room',
  'live_room',
  'webrtc_room',
  'webexe_room',
] as const;

export type RoomKind = (typeof ROOM_KINDS)[number];

/** What an operator sets per kind. */
export interface RoomRules {
  readonly maxMembers: number;
  readonly heartBeatTimeoutMs: number;
  readonly maxIdleMs: number;
  readonly creatorCanDestroyRoom: boolean;
  readonly audiencesListedMax: number;
  readonly duplicateLogin: 'kick' | 'reject' | 'allow';
}

/** Names a room for a client; which of its lives is meant follows from when it is asked. */
export interface RoomRef {
  readonly kind: RoomKind;
  readonly roomID: string;
}

export interface MemberRef extends RoomRef {
  readonly userID: string;
}

/** One life of a roomID. `epoch` grows with every life of any room and is never used again. */
export interface Room extends RoomRef {
  readonly epoch: number;
  /** `reserved` holds the id while the IM group is made; `inactive` waits for the first pusher. */
  readonly state: 'reserved' | 'inactive' | 'active';
  readonly creator: string;
  /** roomInfo, which the first generation of clients calls roomName. */
  readonly info: string;
  /** The room ends when its creator leaves or falls silent. */
  readonly endsWithCreator: boolean;
  /** What lists of the third and fourth dialect filter by; '' in the others. */
  readonly roomType: string;
  /** Its members must be heard of; otherwise the room ends by its age alone. */
  readonly needsHeartbeat: boolean;
  /** What members of the fourth dialect say of the room: 0 not started, 1 started. */
  readonly status: number;
  /** Number of the newest event of this life. */
  readonly seq: number;
  readonly pusherCount: number;
  readonly audienceCount: number;
  /** Stream that mixedPlayURL plays, '' while unknown: it follows the creator's stream. */
  readonly mixedStreamID: string;
  /** JSON text of the custom fields. */
  readonly custom: string;
  readonly createdAtMs: number;
}

/** What a joining pusher brings. */
export interface NewPusher {
  readonly userID: string;
  readonly userName: string;
  readonly userAvatar: string;
  /** Push URL without its query, which holds a signature nobody else may see. */
  readonly pushURL: string;
  /** '' when the stream is not one of ours and so has no play URL here. */
  readonly streamID: string;
}

export interface Pusher extends NewPusher {
  readonly joinedAtMs: number;
  readonly updatedAtMs: number;
}

export interface Audience {
  readonly userID: string;
  readonly userInfo: string;
}

/** A room with its pushers: the creator first, then in the order they joined. */
export interface RoomWithPushers {
  readonly room: Room;
  readonly pushers: readonly Pusher[];
}

/**
 * Room ids are unique within a space: the kinds that own an IM group share one, because the
 * group's id is the roomID; the other two have one each.
 */
export function spaceOf(kind: RoomKind): string {
  return kind === 'webrtc_room' || kind === 'webexe_room' ? kind : 'im';
}

/** Ids that fit an IM group, a stream name and an unescaped query string. */
export const ROOM_ID_PATTERN = /^[A-Za-z0-9_-]{1,48}$/;
export const USER_ID_PATTERN = /^[A-Za-z0-9_-]{1,32}$/;

/** Rooms without an IM group are numbers that fit a signed 32-bit integer and have two digits. */
export const ROOM_NUMBER_MIN = 10;
export const ROOM_NUMBER_MAX = 2_147_483_647;

/** Names of object internals: refused as new ids, so that no careless reader is ever hurt. */
export const FORBIDDEN_IDS: ReadonlySet<string> = new Set([
  '__proto__',
  'constructor',
  'prototype',
]);
