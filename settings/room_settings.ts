import * as z from 'zod';
import { ROOM_KINDS, type RoomKind, type RoomRules } from '../logic/model.ts';
import { choice, DAY_S, flag, msOf, seconds, whole, YEAR_S } from './key_types.ts';
import { optionalKey } from './keys.ts';

/** The keys of a kind of room; what is not set has another key's value, or a default. */
export function roomKeys(kind: RoomKind) {
  const inherited = (name: keyof RoomSettings) =>
    kind === 'room' ? ROOM_DEFAULTS[name] : `room.${name}`;
  const facts = (name: keyof RoomSettings, says: string) => ({
    says,
    defaultText: String(KIND_DEFAULTS[kind][name] ?? inherited(name)),
  });
  return z.strictObject({
    maxMembers: optionalKey(whole(1, 1000), facts('maxMembers', 'Most pushers in a room.')),
    heartBeatTimeout: optionalKey(
      seconds(0.01, DAY_S),
      facts('heartBeatTimeout', 'Silence after which a pusher is removed.'),
    ),
    maxIdleDuration: optionalKey(
      seconds(0.01, YEAR_S),
      facts('maxIdleDuration', 'Life of a room that nobody enters.'),
    ),
    sweepInterval: optionalKey(
      seconds(0.01, 3600),
      facts('sweepInterval', 'Pause between sweeps; the shortest of all kinds counts.'),
    ),
    creatorCanDestroyRoom: optionalKey(
      flag(),
      facts('creatorCanDestroyRoom', 'Whether a room ends when its creator leaves.'),
    ),
    maxAudiencesLen: optionalKey(
      whole(0, 10_000),
      facts('maxAudiencesLen', 'Most viewers listed in one answer.'),
    ),
    duplicateLogin: optionalKey(
      choice('kick', 'reject', 'allow'),
      facts('duplicateLogin', 'What happens when a user joins a second time.'),
    ),
  });
}

/** The rules of every kind, with what nobody set filled in. */
export function roomsOf(given: RoomsGiven): Readonly<Record<RoomKind, RoomRules>> {
  return {
    room: roomRulesOf('room', given),
    double_room: roomRulesOf('double_room', given),
    multi_room: roomRulesOf('multi_room', given),
    live_room: roomRulesOf('live_room', given),
    webrtc_room: roomRulesOf('webrtc_room', given),
    webexe_room: roomRulesOf('webexe_room', given),
  };
}

/** One loop sweeps all kinds, as often as the most demanding kind asks for. */
export function sweepIntervalMsOf(given: RoomsGiven): number {
  const intervals = ROOM_KINDS.map((kind) => roomSetting(given, kind, 'sweepInterval'));
  return msOf(Math.min(...intervals));
}

function roomRulesOf(kind: RoomKind, given: RoomsGiven): RoomRules {
  return {
    maxMembers: roomSetting(given, kind, 'maxMembers'),
    heartBeatTimeoutMs: msOf(roomSetting(given, kind, 'heartBeatTimeout')),
    maxIdleMs: msOf(roomSetting(given, kind, 'maxIdleDuration')),
    creatorCanDestroyRoom: roomSetting(given, kind, 'creatorCanDestroyRoom'),
    audiencesListedMax: roomSetting(given, kind, 'maxAudiencesLen'),
    duplicateLogin: roomSetting(given, kind, 'duplicateLogin'),
  };
}

/** Set for the kind, else the kind's own default, else set for `room`, else the default. */
function roomSetting<K extends keyof RoomSettings>(
  given: RoomsGiven,
  kind: RoomKind,
  name: K,
): RoomSettings[K] {
  const ofKind = given[kind][name] ?? KIND_DEFAULTS[kind][name];
  return ofKind ?? given.room[name] ?? ROOM_DEFAULTS[name];
}

type RoomsGiven = Readonly<Record<RoomKind, SetByOperator>>;

type SetByOperator = { readonly [K in keyof RoomSettings]?: RoomSettings[K] | undefined };

type RoomSettings = Omit<RoomRules, 'heartBeatTimeoutMs' | 'maxIdleMs' | 'audiencesListedMax'> & {
  readonly heartBeatTimeout: number;
  readonly maxIdleDuration: number;
  readonly sweepInterval: number;
  readonly maxAudiencesLen: number;
};

const ROOM_DEFAULTS: RoomSettings = {
  maxMembers: 6,
  heartBeatTimeout: 20,
  maxIdleDuration: 30,
  sweepInterval: 5,
  creatorCanDestroyRoom: false,
  maxAudiencesLen: 30,
  duplicateLogin: 'kick',
};

/** Where a kind has a default of its own, it counts more than what is set for `room`. */
const KIND_DEFAULTS: Readonly<Record<RoomKind, Partial<RoomSettings>>> = {
  room: {},
  double_room: { maxMembers: 2 },
  multi_room: { maxMembers: 4 },
  live_room: { maxMembers: 4, creatorCanDestroyRoom: true },
  webrtc_room: { maxMembers: 4 },
  webexe_room: { maxMembers: 4 },
};
