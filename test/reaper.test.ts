import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Heartbeats } from '../logic/heartbeats.ts';
import type { Log, LogFields } from '../logic/log.ts';
import type { RoomKind, RoomRules } from '../logic/model.ts';
import { Reaper } from '../logic/reaper.ts';
import { joinRule, openRule } from '../logic/room_rules.ts';
import { openSqliteStore } from '../logic/store/sqlite.ts';
import { type FakeCloud, startFakeCloud } from './fake_cloud.ts';
import { startTestApp, type TestApp, TravelClock } from './support.ts';

const TIMEOUT_MS = 20_000;
const SWEEP_MS = 5_000;
const IDLE_MS = 30_000;
const HOUR_MS = 3_600_000;
/** What a room is reserved with, where it does not matter. */
const PLAIN = { roomType: '', needsHeartbeat: true, takeOverGroup: false };

describe('a pusher who falls silent', () => {
  it('is there for the whole time-out, and gone one sweep later', async () => {
    await using app = await startTestApp();
    const roomID = await openRoom(app, ['ann', 'bob']);
    await keepAlive(app, { roomID, userIDs: ['ann'], ms: TIMEOUT_MS - 500 });
    assert.deepEqual(await pushersIn(app, roomID), ['ann', 'bob']);
    await keepAlive(app, { roomID, userIDs: ['ann'], ms: SWEEP_MS + 600 });
    assert.deepEqual(await pushersIn(app, roomID), ['ann']);
    assert.equal(await beat(app, { roomID, userID: 'bob' }), 5);
  });

  it('has never been one who beats just within the time-out', async () => {
    await using app = await startTestApp();
    const roomID = await openRoom(app, ['ann', 'bob']);
    for (let round = 0; round < 15; round++) {
      await app.clock.advance(TIMEOUT_MS - 200);
      assert.equal(await beat(app, { roomID, userID: 'ann' }), 0);
      assert.equal(await beat(app, { roomID, userID: 'bob' }), 0);
    }
    assert.deepEqual(await pushersIn(app, roomID), ['ann', 'bob']);
  });

  it('ends the room when he made it and it ends with him', async () => {
    await using app = await startTestApp();
    const roomID = await openRoom(app, ['ann', 'bob']);
    await keepAlive(app, { roomID, userIDs: ['bob'], ms: TIMEOUT_MS + SWEEP_MS + 100 });
    assert.equal(await beat(app, { roomID, userID: 'bob' }), 5);
    assert.equal((await app.post('/get_pushers', { roomID })).code, 3);
  });

  it('leaves the room to the others where it does not end with its creator', async () => {
    await using app = await startTestApp();
    const roomID = 'meeting';
    for (const userID of ['ann', 'bob'])
      assert.equal((await enterMeeting(app, { roomID, userID })).code, 0);
    for (let passedMs = 0; passedMs <= TIMEOUT_MS + SWEEP_MS; passedMs += 5_000) {
      await app.clock.advance(5_000);
      const answer = await app.post('/weapp/multi_room/pusher_heartbeat?userID=bob', {
        roomID,
        userID: 'bob',
      });
      assert.equal(answer.code, 0);
    }
    const { roomCreator, pushers } = await app.post('/weapp/multi_room/get_pushers?userID=bob', {
      roomID,
    });
    assert.equal(roomCreator, 'ann');
    assert.deepEqual(userIDsOf(pushers), ['bob']);
  });

  it('is measured by the time-out of the kind of his room', async () => {
    await using app = await startTestApp({ multi_room: { heartBeatTimeout: 8, sweepInterval: 2 } });
    const roomID = await openRoom(app, ['ann']);
    await enterMeeting(app, { roomID: 'meeting', userID: 'ann' });
    await app.clock.advance(8_000 + 2_000 + 100);
    const meeting = { roomID: 'meeting' };
    assert.equal((await app.post('/weapp/multi_room/get_pushers?userID=x', meeting)).code, 3);
    assert.deepEqual(await pushersIn(app, roomID), ['ann']);
  });

  it('is heard of in the log of rooms, by whom and why', async () => {
    const bench = await openBench({ rooms: 1, seats: 2 });
    try {
      await bench.clock.advance(TIMEOUT_MS - 1_000);
      bench.heartbeats.beat({ ...roomNamed(0), userID: 'u1' });
      await bench.clock.advance(SWEEP_MS + 1_500);
      const events = await bench.store.readEvents({ afterID: 0, limit: 100 });
      const { type, actor, data, ...rest } = events.at(-1) ?? {};
      assert.deepEqual(
        [type, actor, data],
        ['pusher_left', 'system', { userID: 'u0', userName: '' }],
      );
      assert.equal('reason' in rest && rest.reason, 'heartbeat_timeout');
    } finally {
      await bench.close();
    }
  });
});

describe('a beat that arrives between the decision and the commit', () => {
  it('saves the pusher', async () => {
    const bench = await openBench({ rooms: 1, seats: 2, isManual: true });
    try {
      await bench.fallSilent();
      assert.equal(bench.heartbeats.silent()[0]?.userIDs.length, 2);
      const sweep = bench.reaper.sweep();
      assert.ok(bench.heartbeats.beat({ ...roomNamed(0), userID: 'u1' }));
      await sweep;
      assert.deepEqual(await bench.userIDsIn(0), ['u1']);
      assert.ok(bench.heartbeats.beat({ ...roomNamed(0), userID: 'u1' }));
      assert.equal(bench.heartbeats.size, 1);
    } finally {
      await bench.close();
    }
  });

  it('saves the whole room when it is of the creator the room ends with', async () => {
    const bench = await openBench({ rooms: 1, seats: 2, endsWithCreator: true, isManual: true });
    try {
      await bench.fallSilent();
      bench.heartbeats.beat({ ...roomNamed(0), userID: 'u1' });
      const sweep = bench.reaper.sweep();
      bench.heartbeats.beat({ ...roomNamed(0), userID: 'u0' });
      await sweep;
      assert.deepEqual(await bench.userIDsIn(0), ['u0', 'u1']);
    } finally {
      await bench.close();
    }
  });
});

describe('time the service was not awake for', () => {
  it('counts for nobody: after a stall everybody gets a full time-out', async () => {
    await using app = await startTestApp();
    const roomID = await openRoom(app, ['ann', 'bob']);
    await app.clock.advance(TIMEOUT_MS - 1_000);
    app.clock.stall(2 * TIMEOUT_MS);
    await app.clock.advance(TIMEOUT_MS - 1_000);
    assert.deepEqual(await pushersIn(app, roomID), ['ann', 'bob']);
    assert.equal(await beat(app, { roomID, userID: 'ann' }), 0);
    await app.clock.advance(SWEEP_MS + 1_500);
    assert.deepEqual(await pushersIn(app, roomID), ['ann']);
  });

  it('counts for no room nobody entered either', async () => {
    await using app = await startTestApp();
    const roomID = await createIdle(app);
    await app.clock.advance(IDLE_MS - 2_000);
    app.clock.stall(10_000);
    await app.clock.advance(IDLE_MS - 2_000);
    assert.equal(await exists(app, roomID), true);
    await app.clock.advance(SWEEP_MS + 2_500);
    assert.equal(await exists(app, roomID), false);
  });

  it('is told from the ordinary pauses of a busy process', async () => {
    const log = newRecorder();
    await using app = await startTestApp({}, { log });
    const roomID = await openRoom(app, ['ann']);
    for (let round = 0; round < 12; round++) {
      app.clock.stall(2_000);
      await app.clock.advance(200);
    }
    assert.deepEqual(log.named('woke_after_gap'), []);
    await app.clock.advance(SWEEP_MS);
    assert.equal((await app.post('/get_pushers', { roomID })).code, 3);
  });

  it('may be one stall after another, and nobody is ever judged by them', async () => {
    await using app = await startTestApp();
    const roomID = await openRoom(app, ['ann', 'bob']);
    for (let round = 0; round < 10; round++) {
      app.clock.stall(TIMEOUT_MS * 3);
      await app.clock.advance(4_000);
    }
    assert.deepEqual(await pushersIn(app, roomID), ['ann', 'bob']);
  });
});

describe('a calendar that jumps', () => {
  for (const jumpMs of [HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS])
    it(`by ${jumpMs / HOUR_MS} hours removes nobody and ends no room early`, async () => {
      await using app = await startTestApp();
      const roomID = await openRoom(app, ['ann', 'bob']);
      const idleID = await createIdle(app);
      app.clock.setCalendarForward(jumpMs);
      await keepAlive(app, { roomID, userIDs: ['ann', 'bob'], ms: IDLE_MS - 1_000 });
      assert.deepEqual(await pushersIn(app, roomID), ['ann', 'bob']);
      assert.equal(await exists(app, idleID), true);
      await keepAlive(app, { roomID, userIDs: ['bob'], ms: TIMEOUT_MS + SWEEP_MS + 1_000 });
      assert.equal((await app.post('/get_pushers', { roomID })).code, 3);
    });
});

describe('a sweep that would remove an abnormal share of everybody', () => {
  /** Everybody is silent by then, and the sweep a second ago has seen it. */
  const LATE_MS = TIMEOUT_MS + 1_000;

  it('waits one more time-out, raises one alarm, and then believes it', async () => {
    const bench = await openBench({ rooms: 25, seats: 4 });
    try {
      await bench.clock.advance(LATE_MS);
      assert.equal((await bench.store.readCounts()).pushers, 100);
      await bench.clock.advance(TIMEOUT_MS - 2_500);
      assert.equal((await bench.store.readCounts()).pushers, 100);
      assert.deepEqual(bench.log.named('mass_removal_braked'), [{ silent: 100, pushers: 100 }]);
      await bench.clock.advance(SWEEP_MS + 3_000);
      assert.equal((await bench.store.readCounts()).pushers, 0);
      assert.equal(bench.log.named('mass_removal_braked').length, 1);
      assert.equal(bench.heartbeats.size, 0);
    } finally {
      await bench.close();
    }
  });

  it('removes nobody who is heard of while it waits', async () => {
    const bench = await openBench({ rooms: 25, seats: 4 });
    try {
      await bench.clock.advance(LATE_MS);
      for (let room = 0; room < 25; room++) bench.beatAll(room);
      await bench.clock.advance(TIMEOUT_MS - 500);
      assert.equal((await bench.store.readCounts()).pushers, 100);
      assert.deepEqual(bench.heartbeats.silent(), []);
    } finally {
      await bench.close();
    }
  });

  it('brakes anew, with a new alarm, after everybody was heard of', async () => {
    const bench = await openBench({ rooms: 25, seats: 4 });
    try {
      await bench.clock.advance(LATE_MS);
      for (let room = 0; room < 25; room++) bench.beatAll(room);
      await bench.clock.advance(TIMEOUT_MS + SWEEP_MS + 500);
      assert.equal((await bench.store.readCounts()).pushers, 100);
      assert.equal(bench.log.named('mass_removal_braked').length, 2);
    } finally {
      await bench.close();
    }
  });

  it('is none with exactly half of them', async () => {
    const bench = await openBench({ rooms: 25, seats: 4 });
    try {
      await bench.clock.advance(TIMEOUT_MS - 3_000);
      for (let room = 0; room < 12; room++) bench.beatAll(room);
      bench.beatAll(12, 2);
      await bench.clock.advance(4_000);
      assert.equal((await bench.store.readCounts()).pushers, 50);
      assert.deepEqual(bench.log.named('mass_removal_braked'), []);
    } finally {
      await bench.close();
    }
  });

  it('is one with one more than half', async () => {
    const bench = await openBench({ rooms: 25, seats: 4 });
    try {
      await bench.clock.advance(TIMEOUT_MS - 3_000);
      for (let room = 0; room < 12; room++) bench.beatAll(room);
      bench.beatAll(12, 1);
      await bench.clock.advance(4_000);
      assert.equal((await bench.store.readCounts()).pushers, 100);
      assert.deepEqual(bench.log.named('mass_removal_braked'), [{ silent: 51, pushers: 100 }]);
    } finally {
      await bench.close();
    }
  });

  it('is none among fewer than a hundred', async () => {
    const bench = await openBench({ rooms: 33, seats: 3 });
    try {
      await bench.clock.advance(LATE_MS);
      assert.equal((await bench.store.readCounts()).pushers, 0);
      assert.deepEqual(bench.log.named('mass_removal_braked'), []);
    } finally {
      await bench.close();
    }
  });
});

describe('a room nobody enters', () => {
  it('lives for its idle time, and ends one sweep later with its group', async () => {
    await using cloud = await startFakeCloud();
    await using app = await startTestApp(imAt(cloud));
    const roomID = await createIdle(app);
    assert.deepEqual([...cloud.groups], [roomID]);
    await app.clock.advance(IDLE_MS - 500);
    assert.equal(await exists(app, roomID), true);
    await app.clock.advance(SWEEP_MS + 600);
    assert.equal(await exists(app, roomID), false);
    await cloud.waitFor(({ groups }) => groups.size === 0);
    assert.deepEqual(cloud.callsOf(roomID), ['create_group', 'destroy_group']);
  });

  it('lives on when somebody enters', async () => {
    await using app = await startTestApp();
    const roomID = await createIdle(app);
    await app.clock.advance(IDLE_MS - 1_000);
    assert.equal((await enterMeeting(app, { roomID, userID: 'bob' })).code, 0);
    await app.clock.advance(SWEEP_MS + 2_000);
    assert.equal(await exists(app, roomID), true);
  });

  it('is given its idle time from when it could be entered, however long its making took', async () => {
    await using cloud = await startFakeCloud();
    const settings = { room: { maxIdleDuration: 1, sweepInterval: 0.05 }, ...imAt(cloud) };
    await using app = await startTestApp(settings);
    cloud.imMode = 'slow';
    cloud.slowMs = 700;
    const roomID = await createIdle(app);
    await app.clock.advance(800);
    assert.equal(await exists(app, roomID), true);
    await app.clock.advance(400);
    assert.equal(await exists(app, roomID), false);
  });
});

describe('after a restart', () => {
  it('pushers and rooms nobody entered get their full time again', async () => {
    await withFolder(async (folder) => {
      const clock = new TravelClock();
      const settings = { sqlite: { file: join(folder, 'rooms.db') } };
      const { roomID, idleID } = await (async () => {
        await using app = await startTestApp(settings, { clock });
        const opened = await openRoom(app, ['ann', 'bob']);
        return { roomID: opened, idleID: await createIdle(app) };
      })();
      await clock.advance(HOUR_MS);
      await using app = await startTestApp(settings, { clock });
      await clock.advance(TIMEOUT_MS - 500);
      assert.deepEqual(await pushersIn(app, roomID), ['ann', 'bob']);
      assert.equal(await beat(app, { roomID, userID: 'ann' }), 0);
      await clock.advance(SWEEP_MS + 600);
      assert.deepEqual(await pushersIn(app, roomID), ['ann']);
      await keepAlive(app, { roomID, userIDs: ['ann'], ms: IDLE_MS - TIMEOUT_MS - SWEEP_MS - 600 });
      assert.equal(await exists(app, idleID), true);
      await keepAlive(app, { roomID, userIDs: ['ann'], ms: SWEEP_MS + 600 });
      assert.equal(await exists(app, idleID), false);
    });
  });

  it('ids that a dead process had reserved are free again, and their groups destroyed', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      await using cloud = await startFakeCloud();
      await leaveReservation(file, 'r1');
      cloud.groups.add('r1');
      await using app = await startTestApp({ sqlite: { file }, ...imAt(cloud) });
      await cloud.waitFor(({ groups }) => groups.size === 0);
      const created = await app.post('/weapp/multi_room/create_room?userID=ann', {
        roomID: 'r1',
        roomInfo: '',
        userID: 'ann',
      });
      assert.equal(created.code, 0);
      assert.deepEqual([...cloud.groups], ['r1']);
    });
  });
});

/** The state that is left when a process dies after it took an id and before it opened the room. */
async function leaveReservation(file: string, roomID: string): Promise<void> {
  await using store = openSqliteStore({ file, sinks: [] });
  const nowMs = Date.now();
  const { outcome } = await store.reserveRoom({
    kind: 'multi_room',
    roomID,
    creator: 'ann',
    info: '',
    endsWithCreator: false,
    ...PLAIN,
    nowMs,
    reservedUntilMs: nowMs + 60_000,
  });
  assert.equal(outcome, 'reserved');
}

async function openRoom(app: TestApp, userIDs: readonly string[]): Promise<string> {
  const [creator = '', ...others] = userIDs;
  const person = { userName: 'n', userAvatar: '', pushURL: 'rtmp://localhost:1935/live/x' };
  const created = await app.post('/create_room', { ...person, userID: creator, roomName: 'r' });
  assert.equal(created.code, 0);
  const roomID = String(created.roomID);
  for (const userID of others)
    assert.equal((await app.post('/add_pusher', { ...person, roomID, userID })).code, 0);
  return roomID;
}

async function createIdle(app: TestApp): Promise<string> {
  const room = { roomInfo: 'i', userID: 'ann' };
  const created = await app.post('/weapp/multi_room/create_room?userID=ann', room);
  assert.equal(created.code, 0);
  return String(created.roomID);
}

function enterMeeting(
  app: TestApp,
  { roomID, userID }: { readonly roomID: string; readonly userID: string },
) {
  const person = { userName: 'n', userAvatar: '', pushURL: 'rtmp://localhost:1935/live/x' };
  return app.post(`/weapp/multi_room/add_pusher?userID=${userID}`, { ...person, roomID, userID });
}

/** Custom fields can be read before anybody entered, so they tell whether a room exists. */
async function exists(app: TestApp, roomID: string): Promise<boolean> {
  const answer = await app.post('/weapp/multi_room/get_custom_info?userID=eve', { roomID });
  return answer.code === 0;
}

/** Lets time pass while these pushers beat every few seconds; the others are silent. */
async function keepAlive(
  app: TestApp,
  {
    roomID,
    userIDs,
    ms,
  }: { readonly roomID: string; readonly userIDs: readonly string[]; readonly ms: number },
): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= 7_000) {
    for (const userID of userIDs) await beat(app, { roomID, userID });
    await app.clock.advance(Math.min(leftMs, 7_000));
  }
}

async function beat(
  app: TestApp,
  member: { readonly roomID: string; readonly userID: string },
): Promise<number> {
  return (await app.post('/pusher_heartbeat', member)).code;
}

async function pushersIn(app: TestApp, roomID: string): Promise<string[]> {
  return userIDsOf((await app.post('/get_pushers', { roomID })).pushers);
}

function userIDsOf(pushers: unknown): string[] {
  return (pushers as readonly { readonly userID: string }[]).map(({ userID }) => userID);
}

function imAt(cloud: FakeCloud) {
  return { auth: { mode: 'open' }, im: { sdkAppID: 1400000001, secretKey: 'k', host: cloud.url } };
}

type Recorder = Log & { named(event: string): LogFields[] };

function newRecorder(): Recorder {
  const lines: { readonly event: string; readonly fields: LogFields }[] = [];
  const note = (event: string, fields: LogFields = {}) => lines.push({ event, fields });
  return {
    info: note,
    warn: note,
    error: (event, _error, fields) => note(event, fields),
    named: (event) => lines.filter((line) => line.event === event).map(({ fields }) => fields),
  };
}

const RULES: RoomRules = {
  maxMembers: 4,
  heartBeatTimeoutMs: TIMEOUT_MS,
  maxIdleMs: IDLE_MS,
  creatorCanDestroyRoom: false,
  audiencesListedMax: 30,
  duplicateLogin: 'kick',
};

const roomNamed = (index: number) => ({ kind: 'room', roomID: `r${index}` }) as const;

/** A store with rooms full of pushers, their heartbeats and a reaper, without the HTTP around them. */
async function openBench(options: {
  readonly rooms: number;
  readonly seats: number;
  readonly endsWithCreator?: boolean;
  /** Nobody sweeps but the test. */
  readonly isManual?: boolean;
}) {
  const clock = new TravelClock();
  const store = openSqliteStore({ file: ':memory:', sinks: [] });
  const { endsWithCreator = false } = options;
  for (let index = 0; index < options.rooms; index++) {
    const ref = roomNamed(index);
    const life = { creator: 'u0', info: '', endsWithCreator, ...PLAIN };
    await store.reserveRoom({ ...ref, ...life, nowMs: 1, reservedUntilMs: 2 });
    const open = openRule({ firstPusher: undefined, nowMs: 1 });
    await store.changeRoom({ ref, actor: 'u0', nowMs: 1, rule: open });
    for (let seat = 0; seat < options.seats; seat++) {
      const pusher = { userName: '', userAvatar: '', pushURL: '', streamID: '' };
      const rule = joinRule({ pusher: { ...pusher, userID: `u${seat}` }, maxMembers: 9, nowMs: 1 });
      await store.changeRoom({ ref, actor: 'u0', nowMs: 1, rule });
    }
  }
  const heartbeats = new Heartbeats({ clock, timeoutMsOf: () => TIMEOUT_MS });
  await heartbeats.load(store);
  // So that no sweep comes in the very moment in which time-outs end.
  await clock.advance(2_000);
  store.subscribe((events) => heartbeats.follow(events));
  const log = newRecorder();
  const kinds: readonly RoomKind[] = [
    'room',
    'double_room',
    'multi_room',
    'live_room',
    'webrtc_room',
    'webexe_room',
  ];
  const rules = Object.fromEntries(kinds.map((kind) => [kind, RULES])) as Record<
    RoomKind,
    RoomRules
  >;
  const sweepIntervalMs = options.isManual ? 24 * HOUR_MS : SWEEP_MS;
  const reaper = new Reaper({ store, heartbeats, rules, sweepIntervalMs, clock, log });
  // Until everybody who sleeps by the clock does so.
  await clock.advance(0);
  return {
    clock,
    store,
    heartbeats,
    reaper,
    log,
    /** Time passes, watched, until everybody is just silent and nobody has looked. */
    async fallSilent() {
      for (let round = 0; round < 7; round++) {
        clock.stall(TIMEOUT_MS / 8);
        await reaper.sweep();
      }
      clock.stall(TIMEOUT_MS / 8 + 1);
    },
    beatAll(room: number, seats = options.seats) {
      for (let seat = 0; seat < seats; seat++)
        assert.ok(heartbeats.beat({ ...roomNamed(room), userID: `u${seat}` }));
    },
    async userIDsIn(room: number) {
      const found = await store.readRoom(roomNamed(room));
      return found?.pushers.map(({ userID }) => userID);
    },
    async close() {
      await reaper.close();
      await store.close();
    },
  };
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'roomkeep-reaper-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
