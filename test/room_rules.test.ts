import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RoomEvent } from '../logic/events.ts';
import { Heartbeats } from '../logic/heartbeats.ts';
import type { Audience, NewPusher, Pusher, Room, RoomRef } from '../logic/model.ts';
import type { Found, RoomChange } from '../logic/room_rules.ts';
import * as rules from '../logic/room_rules.ts';
import { openSqliteStore } from '../logic/store/sqlite.ts';
import type { Store } from '../logic/store/store.ts';
import { TravelClock } from './support.ts';

const NOW_MS = 1_000;
/** The same sequences every time. */
const SEED = 20_240_607;
const LIMITS = { fieldsMax: 3, bytesMax: 200 };

describe('taking a seat', () => {
  it('wakes the room with its first pusher, who plays as the mixed stream', () => {
    const { result, change } = join('bob', 's-bob')(found({ room: { state: 'inactive' } }));
    assert.equal(result, 'joined');
    assert.deepEqual(typesIn(change), ['room_activated', 'pusher_joined']);
    assert.deepEqual(change?.room, room({ pusherCount: 1, mixedStreamID: 's-bob' }));
    assert.deepEqual(change?.joined, seated('bob', { streamID: 's-bob', joinedAtMs: NOW_MS }));
  });

  it('tells of nothing but the join in a room that is awake', () => {
    const { change } = join('bob')(found({ pushers: ['ann'] }));
    assert.deepEqual(typesIn(change), ['pusher_joined']);
    assert.deepEqual(roomIn(change).pusherCount, 2);
  });

  it('is refused in a full room, and changes nothing', () => {
    assert.deepEqual(join('cat')(found({ pushers: ['ann', 'bob'] })), { result: 'full' });
  });

  it('refreshes the seat of who has one, in a full room too', () => {
    const { result, change } = join('bob', 's2')(found({ pushers: ['ann', 'bob'] }));
    assert.equal(result, 'updated');
    assert.deepEqual(typesIn(change), ['pusher_updated']);
    assert.deepEqual(change?.updated, seated('bob', { streamID: 's2', updatedAtMs: NOW_MS }));
    assert.equal(roomIn(change).pusherCount, 2);
  });

  it('is refused where no room is, and asked to wait where one is being opened', () => {
    assert.deepEqual(join('ann')(NOTHING), { result: 'no_room' });
    assert.deepEqual(join('ann')(found({ room: { state: 'reserved' } })), { result: 'opening' });
  });

  it("plays the creator's stream as the mixed one, whoever pushed before", () => {
    const before = found({ room: { mixedStreamID: 's-bob' }, pushers: ['bob'] });
    assert.equal(roomIn(join('ann', 's-ann')(before).change).mixedStreamID, 's-ann');
    assert.equal(roomIn(join('cat', 's-cat')(before).change).mixedStreamID, 's-bob');
    const again = found({ room: { mixedStreamID: 's-ann' }, pushers: ['ann'] });
    assert.equal(roomIn(join('ann', 's-new')(again).change).mixedStreamID, 's-new');
  });
});

describe('what a joining member says of the room', () => {
  const joinSaying = (status: number) =>
    rules.joinRule({ pusher: pusher('bob'), maxMembers: 2, nowMs: NOW_MS, status });

  it('is kept and told, of who joins and of who refreshes his seat', () => {
    for (const pushers of [['ann'], ['ann', 'bob']]) {
      const { change } = joinSaying(1)(found({ pushers }));
      assert.equal(roomIn(change).status, 1);
      assert.deepEqual(change?.events.at(-1), { type: 'status_changed', data: { status: 1 } });
    }
  });

  it('is no news when it is known, and nothing when he is not let in', () => {
    const { change } = joinSaying(1)(found({ room: { status: 1 }, pushers: ['ann'] }));
    assert.deepEqual(typesIn(change), ['pusher_joined']);
    assert.deepEqual(joinSaying(1)(found({ pushers: ['ann', 'cat'] })), { result: 'full' });
  });
});

describe('opening a room', () => {
  it('leaves it waiting for its first pusher', () => {
    const open = rules.openRule({ firstPusher: undefined, nowMs: NOW_MS });
    const { result, change } = open(found({ room: { state: 'reserved' } }));
    assert.equal(result, 'opened');
    assert.deepEqual(change, {
      room: room({ state: 'inactive', createdAtMs: NOW_MS }),
      events: [
        {
          type: 'room_created',
          data: {
            creator: 'ann',
            info: 'info',
            endsWithCreator: false,
            roomType: '',
            needsHeartbeat: true,
          },
        },
      ],
    });
  });

  it('seats the first pusher at once, and says that this is no news to anybody', () => {
    const open = rules.openRule({ firstPusher: pusher('ann'), nowMs: NOW_MS });
    const { change } = open(found({ room: { state: 'reserved' } }));
    assert.deepEqual(typesIn(change), ['room_created', 'room_activated', 'pusher_joined']);
    const joined = change?.events[2];
    assert.equal(joined?.type === 'pusher_joined' && joined.reason, 'room_opened');
    assert.deepEqual(
      roomIn(change),
      room({ pusherCount: 1, mixedStreamID: 's', createdAtMs: NOW_MS }),
    );
  });

  it('comes too late when the reservation is gone or the room is open', () => {
    const open = rules.openRule({ firstPusher: undefined, nowMs: NOW_MS });
    assert.deepEqual(open(NOTHING), { result: 'gone' });
    for (const state of ['inactive', 'active'] as const)
      assert.deepEqual(open(found({ room: { state } })), { result: 'gone' });
  });
});

describe('leaving', () => {
  const cases = [
    { who: 'a pusher among others', userID: 'bob', result: 'left', reasons: ['quit'] },
    { who: 'a creator among others', userID: 'ann', result: 'left', reasons: ['quit'] },
    {
      who: 'a creator whose room ends with him',
      userID: 'ann',
      room: { endsWithCreator: true },
      result: 'dissolved',
      reasons: ['quit', 'creator_left', 'creator_left'],
    },
    {
      who: 'a creator among clients of the first generation',
      userID: 'ann',
      endsWithCreator: true,
      result: 'dissolved',
      reasons: ['quit', 'creator_left', 'creator_left'],
    },
    {
      who: 'a pusher among clients of the first generation',
      userID: 'bob',
      endsWithCreator: true,
      result: 'left',
      reasons: ['quit'],
    },
    {
      who: 'the last pusher',
      userID: 'bob',
      pushers: ['bob'],
      result: 'dissolved',
      reasons: ['quit', 'last_pusher_left'],
    },
    {
      who: 'the creator of a room nobody entered',
      userID: 'ann',
      room: { state: 'inactive' },
      pushers: [],
      result: 'dissolved',
      reasons: ['creator_left'],
    },
    { who: 'a stranger', userID: 'eve', result: 'not_member', reasons: [] },
    {
      who: 'a stranger to a room nobody entered',
      userID: 'eve',
      room: { state: 'inactive' },
      pushers: [],
      result: 'not_member',
      reasons: [],
    },
    {
      who: 'a creator who does not push',
      userID: 'ann',
      room: { endsWithCreator: true },
      pushers: ['bob'],
      result: 'not_member',
      reasons: [],
    },
    {
      who: 'the creator of a room that is being opened',
      userID: 'ann',
      room: { state: 'reserved' },
      pushers: [],
      result: 'not_member',
      reasons: [],
    },
  ] as const;
  for (const { who, userID, result, reasons, ...rest } of cases)
    it(`as ${who}: ${result}`, () => {
      const { endsWithCreator = false } = rest as { readonly endsWithCreator?: boolean };
      const before = found({ pushers: ['ann', 'bob'], ...rest });
      const decision = rules.leaveRule({ userID, endsWithCreator })(before);
      assert.equal(decision.result, result);
      assert.deepEqual(reasonsIn(decision.change), reasons);
      assertBalanced(before, decision.change);
    });

  it('where no room is: not_member', () => {
    const leave = rules.leaveRule({ userID: 'ann', endsWithCreator: true });
    assert.deepEqual(leave(NOTHING), { result: 'not_member' });
  });
});

describe('removing the silent', () => {
  const reap = (userIDs: readonly string[], stillSilent: readonly string[] = userIDs) =>
    rules.reapRule({ userIDs, isStillSilent: (userID) => stillSilent.includes(userID) });

  it('takes those who are members and silent at this very moment', () => {
    const before = found({ pushers: ['ann', 'bob', 'cat'] });
    const { result, change } = reap(['bob', 'cat', 'eve'], ['ann', 'cat', 'eve'])(before);
    assert.deepEqual(result, ['cat']);
    assert.deepEqual(change?.left, ['cat']);
    assert.deepEqual(reasonsIn(change), ['heartbeat_timeout']);
    assert.equal(roomIn(change).pusherCount, 2);
  });

  it('changes nothing when everybody was heard of after all, or left', () => {
    assert.deepEqual(reap(['bob'], [])(found({ pushers: ['ann', 'bob'] })), { result: [] });
    assert.deepEqual(reap(['bob'])(found({ pushers: ['ann'] })), { result: [] });
    assert.deepEqual(reap(['bob'])(NOTHING), { result: [] });
  });

  it('ends the room with its last pusher', () => {
    const { result, change } = reap(['ann', 'bob'])(found({ pushers: ['ann', 'bob'] }));
    assert.deepEqual(result, ['ann', 'bob']);
    assert.deepEqual(reasonsIn(change), [
      'heartbeat_timeout',
      'heartbeat_timeout',
      'last_pusher_left',
    ]);
  });

  it('ends the room with its creator only where it is so set', () => {
    const set = found({ room: { endsWithCreator: true }, pushers: ['ann', 'bob'] });
    const { result, change } = reap(['ann'])(set);
    assert.deepEqual(result, ['ann']);
    assert.deepEqual(reasonsIn(change), ['heartbeat_timeout', 'creator_left', 'creator_left']);
    assertBalanced(set, change);
    const unset = reap(['ann'])(found({ pushers: ['ann', 'bob'] }));
    assert.equal(roomIn(unset.change).pusherCount, 1);
    const other = reap(['bob'])(set);
    assert.equal(roomIn(other.change).pusherCount, 1);
  });
});

describe('ending a room', () => {
  it('takes the word of its creator, pushing or not, and of nobody else', () => {
    const before = found({ pushers: ['bob', 'cat'] });
    const { result, change } = rules.destroyRule({ userID: 'ann' })(before);
    assert.equal(result, 'destroyed');
    assert.deepEqual(reasonsIn(change), ['destroyed', 'destroyed', 'destroyed']);
    assertBalanced(before, change);
    assert.deepEqual(rules.destroyRule({ userID: 'bob' })(before), { result: 'not_creator' });
  });

  it('works before anybody entered, and not while the room is being opened', () => {
    const destroy = rules.destroyRule({ userID: 'ann' });
    assert.equal(destroy(found({ room: { state: 'inactive' } })).result, 'destroyed');
    assert.deepEqual(destroy(found({ room: { state: 'reserved' } })), { result: 'not_creator' });
    assert.deepEqual(destroy(NOTHING), { result: 'not_creator' });
  });

  it('for idleness happens only to a room nobody entered', () => {
    const { result, change } = rules.idleRule(found({ room: { state: 'inactive' } }));
    assert.equal(result, true);
    assert.deepEqual(reasonsIn(change), ['room_idle']);
    assert.deepEqual(rules.idleRule(found({ pushers: ['ann'] })), { result: false });
    assert.deepEqual(rules.idleRule(found({ room: { state: 'reserved' } })), { result: false });
    assert.deepEqual(rules.idleRule(NOTHING), { result: false });
  });
});

describe('custom fields', () => {
  const cases = [
    { from: '{}', inc: 'n', to: '{"n":1}' },
    { from: '{}', dec: 'n', to: '{"n":-1}' },
    { from: '{"n":41}', inc: 'n', to: '{"n":42}' },
    { from: '{"n":0.5}', dec: 'n', to: '{"n":-0.5}' },
    { from: '{"a":1}', set: 'b', value: 'x', to: '{"a":1,"b":"x"}' },
    { from: '{"a":1}', set: 'a', value: false, to: '{"a":false}' },
    { from: '{"a":"x"}', inc: 'a', to: undefined },
    { from: '{"a":true}', inc: 'a', to: undefined },
    { from: `{"a":${Number.MAX_SAFE_INTEGER}}`, inc: 'a', to: undefined },
    { from: '{"a":1,"b":1,"c":1}', inc: 'd', to: undefined },
    { from: '{"a":1,"b":1,"c":1}', inc: 'c', to: '{"a":1,"b":1,"c":2}' },
    { from: '{}', set: 'a', value: '好'.repeat(70), to: undefined },
  ];
  for (const { from, inc, dec, set, value = '', to } of cases)
    it(`${from}: ${inc ? `inc ${inc}` : dec ? `dec ${dec}` : `set ${set}`} gives ${to ?? 'a refusal'}`, () => {
      const fieldName = inc ?? dec ?? set ?? '';
      const operation = set
        ? { fieldName, operation: 'set' as const, value }
        : { fieldName, operation: inc ? ('inc' as const) : ('dec' as const) };
      const before = found({ room: { custom: from }, pushers: ['ann'] });
      const { result, change } = rules.customRule(operation, LIMITS)(before);
      assert.equal(result.outcome, to === undefined ? 'refused' : 'changed');
      assert.equal(change && roomIn(change).custom, to);
      const data = { fieldName, custom: to };
      assert.deepEqual(change?.events, to && [{ type: 'custom_changed', data }]);
    });

  it('can be changed before anybody entered, and not while the room is being opened', () => {
    const count = rules.customRule({ fieldName: 'n', operation: 'inc' }, LIMITS);
    assert.equal(count(found({ room: { state: 'inactive' } })).result.outcome, 'changed');
    for (const before of [found({ room: { state: 'reserved' } }), NOTHING])
      assert.deepEqual(count(before), { result: { outcome: 'no_room' } });
  });
});

describe('the audience', () => {
  const vic: Audience = { userID: 'vic', userInfo: 'v' };

  it('counts somebody once, and takes his news the next time', () => {
    const first = rules.watchRule(vic)(found({ room: { audienceCount: 3 } }));
    assert.equal(first.result, 'joined');
    assert.deepEqual(first.change?.audienceJoined, vic);
    assert.equal(roomIn(first.change).audienceCount, 4);
    const again = rules.watchRule(vic)(found({ room: { audienceCount: 4 }, audience: vic }));
    assert.equal(again.result, 'updated');
    assert.deepEqual(again.change?.audienceUpdated, vic);
    assert.equal(roomIn(again.change).audienceCount, 4);
  });

  it('loses somebody once', () => {
    const { result, change } = rules.unwatchRule(
      found({ room: { audienceCount: 1 }, audience: vic }),
    );
    assert.equal(result, true);
    assert.equal(change?.audienceLeft, 'vic');
    assert.equal(roomIn(change).audienceCount, 0);
    assert.deepEqual(rules.unwatchRule(found({})), { result: false });
    assert.deepEqual(rules.unwatchRule(NOTHING), { result: false });
  });

  it('finds no room that is being opened', () => {
    const watch = rules.watchRule(vic);
    assert.deepEqual(watch(found({ room: { state: 'reserved' } })), { result: 'no_room' });
    assert.deepEqual(watch(NOTHING), { result: 'no_room' });
  });
});

describe('any sequence of changes', () => {
  it('keeps counts honest and leaves a log from which the room can be rebuilt', async () => {
    const userID = fc.constantFrom('ann', 'bob', 'cat', 'dan');
    const step = fc.record({ what: fc.constantFrom(...STEPS), userID, other: userID });
    const life = fc.record({ endsWithCreator: fc.boolean(), isEntered: fc.boolean() });
    const run = fc.asyncProperty(life, fc.array(step, { maxLength: 40 }), playOut);
    await fc.assert(run, { numRuns: 100, seed: SEED });
  });
});

const REF: RoomRef = { kind: 'multi_room', roomID: 'r' };
const SEATS = 3;

const STEPS = [
  'open',
  'join',
  'join',
  'join',
  'joinAndStart',
  'leave',
  'leaveAsOldClient',
  'reap',
  'watch',
  'unwatch',
  'count',
  'idle',
  'destroy',
] as const;

interface Step {
  readonly what: (typeof STEPS)[number];
  readonly userID: string;
  readonly other: string;
}

async function playOut(
  life: { readonly endsWithCreator: boolean; readonly isEntered: boolean },
  steps: readonly Step[],
): Promise<void> {
  await using store = openSqliteStore({ file: ':memory:', sinks: [] });
  const clock = new TravelClock();
  const heartbeats = new Heartbeats({ clock, timeoutMsOf: () => 20_000 });
  store.subscribe((events) => heartbeats.follow(events));
  for (const { what, userID, other } of steps) {
    if (what === 'open') await openAnew(store, userID, life);
    else await change(store, userID, ruleOf({ what, userID, other }));
    const events = await store.readEvents({ afterID: 0, limit: 10_000 });
    for (const epoch of new Set(events.map((event) => event.epoch)))
      assertLife(events.filter((event) => event.epoch === epoch));
    await assertRebuilt(store, events);
    await assertFollowed(store, heartbeats);
  }
}

async function openAnew(
  store: Store,
  creator: string,
  life: { readonly endsWithCreator: boolean; readonly isEntered: boolean },
): Promise<void> {
  const { endsWithCreator, isEntered } = life;
  const traits = { roomType: 't', needsHeartbeat: true, takeOverGroup: true };
  const times = { nowMs: NOW_MS, reservedUntilMs: NOW_MS };
  await store.reserveRoom({ ...REF, creator, info: 'info', endsWithCreator, ...traits, ...times });
  const firstPusher = isEntered ? pusher(creator) : undefined;
  await change(store, creator, rules.openRule({ firstPusher, nowMs: NOW_MS }));
}

function change(store: Store, userID: string, rule: rules.Rule<unknown>): Promise<unknown> {
  return store.changeRoom({ ref: REF, audienceID: userID, actor: userID, nowMs: NOW_MS, rule });
}

function ruleOf({ what, userID, other }: Step): rules.Rule<unknown> {
  const table: Record<Exclude<Step['what'], 'open'>, () => rules.Rule<unknown>> = {
    join: () => rules.joinRule({ pusher: pusher(userID), maxMembers: SEATS, nowMs: NOW_MS }),
    joinAndStart: () => {
      const seat = { pusher: pusher(userID), maxMembers: SEATS, nowMs: NOW_MS };
      return rules.joinRule({ ...seat, status: userID < other ? 1 : 0 });
    },
    leave: () => rules.leaveRule({ userID, endsWithCreator: false }),
    leaveAsOldClient: () => rules.leaveRule({ userID, endsWithCreator: true }),
    reap: () => rules.reapRule({ userIDs: [userID, other], isStillSilent: (id) => id !== 'dan' }),
    watch: () => rules.watchRule({ userID, userInfo: other }),
    unwatch: () => rules.unwatchRule,
    count: () => rules.customRule({ fieldName: userID, operation: 'inc' }, LIMITS),
    idle: () => rules.idleRule,
    destroy: () => rules.destroyRule({ userID }),
  };
  return table[what as keyof typeof table]();
}

/** What is true of the events of one life, finished or not. */
function assertLife(events: readonly RoomEvent[]): void {
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index + 1),
  );
  const types = events.map(({ type }) => type);
  assert.equal(types.indexOf('room_created'), 0);
  assert.equal(types.lastIndexOf('room_created'), 0);
  assert.equal(types.indexOf('room_activated'), types.lastIndexOf('room_activated'));
  if (types.includes('pusher_joined'))
    assert.equal(types.indexOf('room_activated') + 1, types.indexOf('pusher_joined'));
  const end = types.indexOf('room_destroyed');
  if (end < 0) return;
  assert.equal(end, types.length - 1);
  assert.deepEqual(rebuilt(events).pushers, [], 'everybody who joined also left');
}

/** The room a reader of the log believes in, which must be the one that is there. */
async function assertRebuilt(store: Store, events: readonly RoomEvent[]): Promise<void> {
  const there = await store.readRoom(REF);
  if (there === undefined || there.room.state === 'reserved') {
    assert.ok(events.length === 0 || events.at(-1)?.type === 'room_destroyed');
    return;
  }
  const life = events.filter(({ epoch }) => epoch === there.room.epoch);
  const { count } = await store.readAudiences(REF, 10);
  const believed = rebuilt(life);
  assert.deepEqual(
    {
      state: there.room.state,
      status: there.room.status,
      seq: there.room.seq,
      creator: there.room.creator,
      custom: there.room.custom,
      pushers: there.pushers.map(({ userID }) => userID).sort(),
      audience: count,
    },
    { ...believed, pushers: [...believed.pushers].sort(), audience: believed.audience.size },
  );
  assert.equal(there.room.pusherCount, there.pushers.length);
  assert.equal(there.room.audienceCount, believed.audience.size);
  assert.ok(there.pushers.length <= SEATS);
}

/** Lists and heartbeats follow the room, each by its own way. */
async function assertFollowed(store: Store, heartbeats: Heartbeats): Promise<void> {
  const there = await store.readRoom(REF);
  const isActive = there?.room.state === 'active';
  const page = { kind: REF.kind, roomType: 't', offset: 0, limit: 10 };
  assert.deepEqual(await store.readRooms(page), isActive ? [there] : []);
  const seated = isActive ? there.pushers : [];
  assert.equal(heartbeats.size, seated.length);
  for (const { userID } of seated) {
    const heard = heartbeats.beat({ ...REF, userID });
    assert.deepEqual([heard?.epoch, heard?.seq], [there?.room.epoch, there?.room.seq]);
  }
}

function rebuilt(events: readonly RoomEvent[]) {
  const believed = {
    state: 'inactive',
    status: 0,
    seq: 0,
    creator: '',
    custom: '{}',
    pushers: [] as string[],
    audience: new Set<string>(),
  };
  for (const event of events) {
    believed.seq = event.seq;
    if (event.type === 'room_created') believed.creator = event.data.creator;
    if (event.type === 'room_activated') believed.state = 'active';
    if (event.type === 'status_changed') believed.status = event.data.status;
    if (event.type === 'custom_changed') believed.custom = event.data.custom;
    if (event.type === 'audience_joined') believed.audience.add(event.data.userID);
    if (event.type === 'audience_left')
      assert.ok(believed.audience.delete(event.data.userID), 'nobody leaves who does not watch');
    if (event.type === 'pusher_joined') {
      const { userID } = event.data;
      assert.ok(!believed.pushers.includes(userID), 'nobody joins twice');
      believed.pushers.push(userID);
    }
    if (event.type === 'pusher_left') {
      const { userID } = event.data;
      assert.ok(believed.pushers.includes(userID), 'nobody leaves who is not there');
      believed.pushers = believed.pushers.filter((id) => id !== userID);
    }
  }
  return believed;
}

const NOTHING: Found = { room: undefined, pushers: [], audience: undefined };

function found(what: {
  readonly room?: Partial<Room>;
  readonly pushers?: readonly string[];
  readonly audience?: Audience;
}): Found {
  const pushers = (what.pushers ?? []).map((userID) => seated(userID));
  return {
    room: room({ pusherCount: pushers.length, ...what.room }),
    pushers,
    audience: what.audience,
  };
}

function room(facts: Partial<Room>): Room {
  return {
    kind: 'multi_room',
    roomID: 'r',
    epoch: 7,
    state: 'active',
    creator: 'ann',
    info: 'info',
    endsWithCreator: false,
    roomType: '',
    needsHeartbeat: true,
    status: 0,
    seq: 4,
    pusherCount: 0,
    audienceCount: 0,
    mixedStreamID: '',
    custom: '{}',
    createdAtMs: 1,
    ...facts,
  };
}

function join(userID: string, streamID = 's') {
  return rules.joinRule({ pusher: pusher(userID, streamID), maxMembers: 2, nowMs: NOW_MS });
}

function pusher(userID: string, streamID = 's'): NewPusher {
  return { userID, userName: '', userAvatar: '', pushURL: 'rtmp://h/live/s', streamID };
}

function seated(userID: string, facts: Partial<Pusher> = {}): Pusher {
  const { joinedAtMs = 5, updatedAtMs = facts.joinedAtMs ?? 5 } = facts;
  return { ...pusher(userID), ...facts, joinedAtMs, updatedAtMs };
}

function typesIn(made: RoomChange | undefined): string[] {
  return (made?.events ?? []).map(({ type }) => type);
}

function reasonsIn(made: RoomChange | undefined): string[] {
  return (made?.events ?? []).map((event) => ('reason' in event ? (event.reason ?? '') : ''));
}

function roomIn(made: RoomChange | undefined): Room {
  assert.ok(made !== undefined && made.room !== 'destroyed', 'the room goes on');
  return made.room;
}

/** Whoever counts joins and leaves must end at zero when the room does. */
function assertBalanced({ pushers }: Found, made: RoomChange | undefined): void {
  if (made?.room !== 'destroyed') return;
  const leaving = made.events.flatMap((event) =>
    event.type === 'pusher_left' ? [event.data.userID] : [],
  );
  assert.deepEqual(leaving.sort(), pushers.map(({ userID }) => userID).sort());
  assert.equal(typesIn(made).at(-1), 'room_destroyed');
}
