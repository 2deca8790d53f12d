/**
 * The rules of a room, as pure functions: each takes what the store found and says what the
 * answer is and what changes. A store runs them inside its transaction, so whatever is decided
 * here is atomic on every database, and the rules exist once.
 */
import { applyCustom, type CustomLimits, type CustomOperation } from './custom.ts';
import type { EventBody, Reason } from './events.ts';
import type { Audience, NewPusher, Pusher, Room } from './model.ts';

/** What a rule may look at. `room` is undefined when there is none, or it belongs to a later life. */
export interface Found {
  readonly room: Room | undefined;
  /** Creator first, then in the order they joined. */
  readonly pushers: readonly Pusher[];
  /** Only filled when the change asked for one member of the audience. */
  readonly audience: Audience | undefined;
}

/** What a rule wants written, together with the events that report it. */
export interface RoomChange {
  /** The room afterwards; the store numbers the events and keeps `seq` itself. */
  readonly room: Room | 'destroyed';
  readonly events: readonly EventBody[];
  readonly joined?: Pusher;
  readonly updated?: Pusher;
  readonly left?: readonly string[];
  readonly audienceJoined?: Audience;
  readonly audienceUpdated?: Audience;
  readonly audienceLeft?: string;
}

export interface Decision<T> {
  readonly result: T;
  readonly change?: RoomChange;
}

export type Rule<T> = (found: Found) => Decision<T>;

type JoinResult = 'joined' | 'updated' | 'full' | 'no_room' | 'opening';

/** Takes a seat, or refreshes the one the user has: only a new member needs a free one. */
export function joinRule(request: {
  readonly pusher: NewPusher;
  readonly maxMembers: number;
  readonly nowMs: number;
  /** What the joining member says of the room, if anything. */
  readonly status?: number;
}): Rule<JoinResult> {
  const { pusher, maxMembers, nowMs, status } = request;
  return ({ room, pushers }) => {
    if (room === undefined) return { result: 'no_room' };
    if (room.state === 'reserved') return { result: 'opening' };
    const seated = pushers.find(({ userID }) => userID === pusher.userID);
    if (seated)
      return {
        result: 'updated',
        change: withStatus(updateOf(room, seated, pusher, nowMs), status),
      };
    if (room.pusherCount >= maxMembers) return { result: 'full' };
    return { result: 'joined', change: withStatus(joinOf(room, pusher, nowMs), status) };
  };
}

/** What opening a reserved room writes: the room itself and, when given, its first pusher. */
export function openingOf(
  room: Room,
  firstPusher: NewPusher | undefined,
  nowMs: number,
): RoomChange {
  const { creator, info, endsWithCreator, roomType, needsHeartbeat } = room;
  const data = { creator, info, endsWithCreator, roomType, needsHeartbeat };
  const created: EventBody = { type: 'room_created', data };
  // Making the group may have taken seconds; the time to enter counts from now.
  const inactive: Room = { ...room, state: 'inactive', createdAtMs: nowMs };
  if (firstPusher === undefined) return { room: inactive, events: [created] };
  const join = joinOf(inactive, firstPusher, nowMs);
  const events = join.events.map((event) =>
    event.type === 'pusher_joined' ? { ...event, reason: 'room_opened' as const } : event,
  );
  return { ...join, events: [created, ...events] };
}

/** Opens a reserved room; `gone` when the reservation was given up meanwhile. */
export function openRule(request: {
  readonly firstPusher: NewPusher | undefined;
  readonly nowMs: number;
}): Rule<'opened' | 'gone'> {
  return ({ room }) =>
    room?.state === 'reserved'
      ? { result: 'opened', change: openingOf(room, request.firstPusher, request.nowMs) }
      : { result: 'gone' };
}

type LeaveResult = 'left' | 'dissolved' | 'not_member';

/** Gives a seat back. The room ends with its last pusher, and with its creator where it is so set. */
export function leaveRule(request: {
  readonly userID: string;
  /** The first generation of clients dissolves every room when its creator leaves. */
  readonly endsWithCreator: boolean;
}): Rule<LeaveResult> {
  const { userID } = request;
  return ({ room, pushers }) => {
    if (room === undefined || room.state === 'reserved') return { result: 'not_member' };
    const isCreator = room.creator === userID;
    if (room.state === 'inactive' && isCreator)
      return { result: 'dissolved', change: destructionOf(pushers, 'creator_left') };
    if (!pushers.some((pusher) => pusher.userID === userID)) return { result: 'not_member' };
    const ends = isCreator && (room.endsWithCreator || request.endsWithCreator);
    const change = departureOf({ room, pushers, leaving: [userID], reason: 'quit', ends });
    return { result: change.room === 'destroyed' ? 'dissolved' : 'left', change };
  };
}

/** Removes those of `userIDs` who are members and, asked at this very moment, still silent. */
export function reapRule(request: {
  readonly userIDs: readonly string[];
  readonly isStillSilent: (userID: string) => boolean;
}): Rule<readonly string[]> {
  return ({ room, pushers }) => {
    if (room === undefined) return { result: [] };
    const leaving = pushers
      .map(({ userID }) => userID)
      .filter((userID) => request.userIDs.includes(userID) && request.isStillSilent(userID));
    if (leaving.length === 0) return { result: [] };
    const ends = room.endsWithCreator && leaving.includes(room.creator);
    const reason = 'heartbeat_timeout';
    return { result: leaving, change: departureOf({ room, pushers, leaving, reason, ends }) };
  };
}

/** Ends a room on its creator's word, entered or not. */
export function destroyRule(request: {
  readonly userID: string;
}): Rule<'destroyed' | 'not_creator'> {
  return ({ room, pushers }) =>
    room !== undefined && room.state !== 'reserved' && room.creator === request.userID
      ? { result: 'destroyed', change: destructionOf(pushers, 'destroyed') }
      : { result: 'not_creator' };
}

/** Ends a room that is of no more use, if `isAllowed` finds so at that moment. */
export function endRule(request: {
  readonly reason: Reason;
  readonly isAllowed: (found: Found) => boolean;
}): Rule<boolean> {
  return (found) => {
    const { room, pushers } = found;
    if (room === undefined || room.state === 'reserved' || !request.isAllowed(found))
      return { result: false };
    return { result: true, change: destructionOf(pushers, request.reason) };
  };
}

/** Ends a room that nobody has entered. */
export const idleRule: Rule<boolean> = endRule({
  reason: 'room_idle',
  isAllowed: ({ room }) => room?.state === 'inactive',
});

type CustomResult =
  | { readonly outcome: 'changed'; readonly custom: string }
  | { readonly outcome: 'no_room' }
  | { readonly outcome: 'refused'; readonly why: string };

/** Changes one custom field; parallel `inc` and `dec` add up. */
export function customRule(operation: CustomOperation, limits: CustomLimits): Rule<CustomResult> {
  return ({ room }) => {
    if (room === undefined || room.state === 'reserved') return { result: { outcome: 'no_room' } };
    const applied = applyCustom(room.custom, operation, limits);
    if (applied.outcome === 'refused') return { result: applied };
    const { custom } = applied;
    const data = { fieldName: operation.fieldName, custom };
    return {
      result: { outcome: 'changed', custom },
      change: { room: { ...room, custom }, events: [{ type: 'custom_changed', data }] },
    };
  };
}

/** Counts somebody among the audience, once however often he says so. */
export function watchRule(audience: Audience): Rule<'joined' | 'updated' | 'no_room'> {
  return ({ room, audience: known }) => {
    if (room === undefined || room.state === 'reserved') return { result: 'no_room' };
    if (known !== undefined) {
      const events: EventBody[] = [{ type: 'audience_updated', data: audience }];
      return { result: 'updated', change: { room, events, audienceUpdated: audience } };
    }
    const watched = { ...room, audienceCount: room.audienceCount + 1 };
    const events: EventBody[] = [{ type: 'audience_joined', data: audience }];
    return { result: 'joined', change: { room: watched, events, audienceJoined: audience } };
  };
}

/** Takes somebody off the audience; a stranger changes nothing. */
export const unwatchRule: Rule<boolean> = ({ room, audience }) => {
  if (room === undefined || audience === undefined) return { result: false };
  const { userID } = audience;
  return {
    result: true,
    change: {
      room: { ...room, audienceCount: room.audienceCount - 1 },
      events: [{ type: 'audience_left', data: { userID } }],
      audienceLeft: userID,
    },
  };
};

function joinOf(room: Room, pusher: NewPusher, nowMs: number): RoomChange {
  const joined: Pusher = { ...pusher, joinedAtMs: nowMs, updatedAtMs: nowMs };
  const events: EventBody[] = [{ type: 'pusher_joined', data: pusher }];
  if (room.state === 'inactive') events.unshift({ type: 'room_activated', data: {} });
  return {
    room: {
      ...room,
      state: 'active',
      pusherCount: room.pusherCount + 1,
      mixedStreamID: mixedStreamOf(room, pusher),
    },
    joined,
    events,
  };
}

function updateOf(room: Room, seated: Pusher, pusher: NewPusher, nowMs: number): RoomChange {
  return {
    room: { ...room, mixedStreamID: mixedStreamOf(room, pusher) },
    updated: { ...pusher, joinedAtMs: seated.joinedAtMs, updatedAtMs: nowMs },
    events: [{ type: 'pusher_updated', data: pusher }],
  };
}

function withStatus(change: RoomChange, status: number | undefined): RoomChange {
  const { room, events } = change;
  if (status === undefined || room === 'destroyed' || room.status === status) return change;
  const changed: EventBody = { type: 'status_changed', data: { status } };
  return { ...change, room: { ...room, status }, events: [...events, changed] };
}

/** The mixed stream is the creator's; until the creator pushes, the first pusher's stands in. */
function mixedStreamOf(room: Room, pusher: NewPusher): string {
  if (pusher.userID === room.creator) return pusher.streamID;
  return room.mixedStreamID || pusher.streamID;
}

function departureOf(request: {
  readonly room: Room;
  readonly pushers: readonly Pusher[];
  readonly leaving: readonly string[];
  readonly reason: Reason;
  readonly ends: boolean;
}): RoomChange {
  const { room, pushers, leaving, reason } = request;
  const goers = pushers.filter(({ userID }) => leaving.includes(userID));
  const events = goers.map((pusher) => leftOf(pusher, reason));
  const staying = pushers.filter(({ userID }) => !leaving.includes(userID));
  if (request.ends || staying.length === 0) {
    const end = destructionOf(staying, request.ends ? 'creator_left' : 'last_pusher_left');
    return { ...end, events: [...events, ...end.events] };
  }
  return { room: { ...room, pusherCount: staying.length }, events, left: leaving };
}

/** Everybody who joined also leaves, so that whoever counts joins and leaves ends at zero. */
function destructionOf(pushers: readonly Pusher[], reason: Reason): RoomChange {
  const events = pushers.map((pusher) => leftOf(pusher, reason));
  return {
    room: 'destroyed',
    events: [...events, { type: 'room_destroyed', reason, data: {} }],
  };
}

function leftOf({ userID, userName }: Pusher, reason: Reason): EventBody {
  return { type: 'pusher_left', reason, data: { userID, userName } };
}
