import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as realSleep } from 'node:timers/promises';
import { imNotices } from '../logic/im_notices.ts';
import { openTencentIm } from '../logic/im_tencent.ts';
import { silentLog } from '../logic/log.ts';
import { Outbox } from '../logic/outbox.ts';
import { destroyRule, joinRule, openRule } from '../logic/room_rules.ts';
import { openSqliteStore } from '../logic/store/sqlite.ts';
import type { Sink, Store } from '../logic/store/store.ts';
import { type FakeCloud, startFakeCloud } from './fake_cloud.ts';
import { type Answer, startTestApp, type TestApp, TravelClock } from './support.ts';

const NOTICE = 'send_group_system_notification';
/** What a room is reserved with, where it does not matter. */
const PLAIN = { roomType: '', needsHeartbeat: true, takeOverGroup: false };

describe('notices of a room', () => {
  it('are one for all changes within 200 ms, and none when the room ends within them', async () => {
    await using bench = await openOutbox();
    await bench.open('going');
    await bench.open('ended');
    const joins = ['bob', 'cat', 'dan'].map((userID) => bench.join('going', userID));
    await Promise.all([...joins, bench.join('ended', 'bob'), bench.destroy('ended')]);
    await bench.clock.advance(150);
    await bench.cloud.waitFor(({ calls }) => calls.length === 1);
    assert.deepEqual(bench.cloud.callsOf('ended'), ['destroy_group']);
    await bench.clock.advance(100);
    await bench.cloud.waitFor(({ calls }) => calls.length === 2);
    assert.deepEqual(bench.cloud.callsOf('going'), [NOTICE]);
    await bench.clock.advance(3_000);
    assert.equal(bench.cloud.calls.length, 2);
    await bench.join('going', 'eve');
    await bench.clock.advance(250);
    await bench.cloud.waitFor(({ calls }) => calls.length === 3);
  });

  it('come after every change, and end with the room', async () => {
    await using bench = await openBench();
    const roomID = await openRoom(bench, 'ann');
    await enter(bench, { roomID, userID: 'bob' });
    await pass(bench, 400);
    await enter(bench, { roomID, userID: 'bob' });
    await pass(bench, 400);
    await leave(bench, { roomID, userID: 'bob' });
    await pass(bench, 400);
    await leave(bench, { roomID, userID: 'ann' });
    await pass(bench, 3_000);
    assert.deepEqual(bench.cloud.callsOf(roomID), [
      'create_group',
      NOTICE,
      NOTICE,
      NOTICE,
      'destroy_group',
    ]);
  });

  it('speak of pushers, not of the audience or of custom fields', async () => {
    await using bench = await openBench();
    const roomID = await createWaiting(bench, 'talk');
    const path = '/weapp/multi_room';
    const field = { roomID, fieldName: 'n', operation: 'inc' };
    assert.equal((await bench.app.post(`${path}/set_custom_field?userID=x`, field)).code, 0);
    const viewer = { roomID, userID: 'vic', userInfo: '' };
    assert.equal((await bench.app.post(`${path}/add_audience?userID=vic`, viewer)).code, 0);
    await pass(bench, 3_000);
    assert.deepEqual(bench.cloud.callsOf(roomID), ['create_group']);
  });

  it('of many rooms go out side by side, and of one room one after the other', async () => {
    await using bench = await openBench();
    bench.cloud.imMode = 'slow';
    bench.cloud.slowMs = 60;
    const roomIDs = await Promise.all(Array.from({ length: 8 }, () => openRoom(bench, 'ann')));
    for (let round = 0; round < 3; round++) {
      await Promise.all(roomIDs.map((roomID) => enter(bench, { roomID, userID: `u${round}` })));
      await pass(bench, 1_000);
    }
    for (const roomID of roomIDs) await leave(bench, { roomID, userID: 'ann' });
    await bench.cloud.waitFor(({ groups }) => groups.size === 0);
    for (const roomID of roomIDs) {
      const calls = bench.cloud.calls.filter(({ body }) => body.GroupId === roomID).slice(1);
      assert.equal(calls.at(-1)?.api, 'destroy_group');
      for (const [index, { atMs }] of calls.slice(1).entries())
        assert.ok(atMs - (calls[index]?.atMs ?? 0) >= 55, 'the call before was answered');
    }
  });
});

describe('while IM is down for a minute', () => {
  for (const trouble of ['http500', 'reset', { errorCode: 60008 }, 'refused'] as const)
    it(`(${JSON.stringify(trouble)}) rooms go on, and all hear within 15 s when it is back`, async () => {
      await using bench = await openBench({ withRelay: trouble === 'refused' });
      const roomIDs = await Promise.all(Array.from({ length: 12 }, () => openRoom(bench, 'ann')));
      if (trouble === 'refused') await bench.relay?.shut();
      else bench.cloud.imMode = trouble;
      const slowestMs = await livesOn(bench, roomIDs);
      assert.ok(slowestMs < 2_000, `the slowest answer took ${slowestMs} ms`);
      await pass(bench, 60_000);
      const [ended = '', ...going] = roomIDs;
      await leave(bench, { roomID: ended, userID: 'ann' });
      bench.cloud.forgetCalls();
      bench.cloud.imMode = 'ok';
      await bench.relay?.open();
      await pass(bench, 15_000);
      for (const roomID of going) assert.deepEqual(bench.cloud.callsOf(roomID), [NOTICE]);
      assert.deepEqual(bench.cloud.callsOf(ended), ['destroy_group']);
      assert.deepEqual(bench.cloud.groups, new Set(going));
    });

  it('the room that was tried most often does not wait longer than 15 s either', async () => {
    await using bench = await openBench();
    const roomID = await openRoom(bench, 'ann');
    bench.cloud.imMode = 'http500';
    await enter(bench, { roomID, userID: 'bob' });
    await pass(bench, 60_000);
    const tries = bench.cloud.callsOf(roomID).filter((api) => api === NOTICE).length;
    assert.ok(tries >= 4 && tries <= 60, `${tries} tries in a minute`);
    bench.cloud.forgetCalls();
    bench.cloud.imMode = 'ok';
    await pass(bench, 15_000);
    assert.deepEqual(bench.cloud.callsOf(roomID), [NOTICE]);
  });
});

// What is given up takes three real seconds, so these two share them.
describe('while IM takes calls and never answers', { concurrency: true }, () => {
  it('rooms go on, and all hear when it is back', async () => {
    await using bench = await openBench();
    const roomIDs = await Promise.all(Array.from({ length: 12 }, () => openRoom(bench, 'ann')));
    bench.cloud.imMode = 'hang';
    const slowestMs = await livesOn(bench, roomIDs);
    assert.ok(slowestMs < 2_000, `the slowest answer took ${slowestMs} ms`);
    await pass(bench, 1_000);
    assert.ok(bench.cloud.calls.length > roomIDs.length, 'notices were tried');
    bench.cloud.forgetCalls();
    bench.cloud.imMode = 'ok';
    await bench.cloud.waitFor(() => isEachNotified(bench, roomIDs), 15_000);
  });

  it('who makes a room is answered within 4.5 s, again and again, by whichever way', async () => {
    await using bench = await openBench();
    bench.cloud.imMode = ({ api, body }) => {
      // The worst case: it is done, and nobody ever hears of it.
      if (api === 'create_group') bench.cloud.groups.add(String(body.GroupId));
      return 'hang';
    };
    const first = await Promise.all([
      timed(() => create(bench, 'demo')),
      timed(() => enterMeeting(bench, { roomID: 'other', userID: 'ann' })),
      timed(() => enterMeeting(bench, { roomID: 'other', userID: 'bob' })),
      timed(() => create(bench, undefined)),
    ]);
    const second = await Promise.all([
      timed(() => create(bench, 'demo')),
      timed(() => enterMeeting(bench, { roomID: 'other', userID: 'cat' })),
    ]);
    for (const { answer, ms } of [...first, ...second]) {
      assert.equal(answer.code, 6);
      assert.ok(ms < 4_500, `answered after ${ms} ms`);
    }
    await assertNoGhost(bench, 'demo');
    bench.cloud.imMode = 'ok';
    await bench.cloud.waitFor(({ groups }) => groups.size === 0, 15_000);
  });
});

describe('the group of a room that ended', () => {
  it('is asked to be destroyed until it is, and hears nothing any more', async () => {
    await using bench = await openBench();
    const roomID = await openRoom(bench, 'ann');
    await enter(bench, { roomID, userID: 'bob' });
    bench.cloud.imMode = ({ api }) => (api === 'destroy_group' ? { errorCode: 10002 } : 'ok');
    await leave(bench, { roomID, userID: 'ann' });
    await pass(bench, 30_000);
    assert.ok(bench.cloud.callsOf(roomID).length > 3);
    bench.cloud.imMode = 'ok';
    await pass(bench, 15_000);
    assert.equal(bench.cloud.groups.size, 0);
    assert.ok(!bench.cloud.callsOf(roomID).includes(NOTICE));
    bench.cloud.forgetCalls();
    await pass(bench, 60_000);
    assert.deepEqual(bench.cloud.calls, []);
  });

  it('is destroyed even when IM refuses for good at first', async () => {
    await using bench = await openBench();
    const roomID = await openRoom(bench, 'ann');
    bench.cloud.imMode = { errorCode: 60010 };
    await leave(bench, { roomID, userID: 'ann' });
    await pass(bench, 60_000);
    bench.cloud.imMode = 'ok';
    await pass(bench, 15_000);
    assert.equal(bench.cloud.groups.size, 0);
  });

  it('is no trouble when it is gone already', async () => {
    await using bench = await openBench();
    const roomID = await openRoom(bench, 'ann');
    bench.cloud.groups.clear();
    await leave(bench, { roomID, userID: 'ann' });
    await pass(bench, 30_000);
    assert.deepEqual(bench.cloud.callsOf(roomID), ['create_group', 'destroy_group']);
  });
});

describe('a calendar that goes back an hour', () => {
  it('holds up no notice, of before or after', async () => {
    await using bench = await openBench();
    const [early, late] = [await openRoom(bench, 'ann'), await openRoom(bench, 'ann')];
    bench.cloud.imMode = 'http500';
    await enter(bench, { roomID: early, userID: 'bob' });
    await pass(bench, 20_000);
    bench.app.clock.setCalendarForward(-3_600_000);
    await enter(bench, { roomID: late, userID: 'bob' });
    bench.cloud.imMode = 'ok';
    bench.cloud.forgetCalls();
    await pass(bench, 15_000);
    assert.deepEqual(bench.cloud.callsOf(early), [NOTICE]);
    assert.deepEqual(bench.cloud.callsOf(late), [NOTICE]);
  });
});

describe('what waits to be delivered', () => {
  it('goes out after a restart', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      await using cloud = await startFakeCloud();
      const rooms = await (async () => {
        await using bench = await openBench({ file, cloud });
        const [told = '', ended = ''] = [
          await openRoom(bench, 'ann'),
          await openRoom(bench, 'ann'),
        ];
        cloud.imMode = 'http500';
        await enter(bench, { roomID: told, userID: 'bob' });
        await leave(bench, { roomID: ended, userID: 'ann' });
        await pass(bench, 20_000);
        return { told, ended };
      })();
      cloud.imMode = 'ok';
      cloud.forgetCalls();
      await using bench = await openBench({ file, cloud });
      await pass(bench, 1_500);
      assert.deepEqual(cloud.callsOf(rooms.told), [NOTICE]);
      assert.deepEqual(cloud.callsOf(rooms.ended), ['destroy_group']);
      assert.deepEqual([...cloud.groups], [rooms.told]);
    });
  });

  it('is repeated at once when the process died before it noted the delivery', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      await using cloud = await startFakeCloud();
      await dieWhileDelivering(file);
      for (const roomID of ['told', 'ended']) cloud.groups.add(roomID);
      await using bench = await openBench({ file, cloud });
      const opened = bench.app.post('/weapp/multi_room/create_room?userID=ann', {
        roomID: 'ended',
        roomInfo: '',
        userID: 'ann',
      });
      await pass(bench, 1_500);
      assert.deepEqual(cloud.callsOf('told'), [NOTICE]);
      assert.equal((await opened).code, 0);
      assert.deepEqual(cloud.callsOf('ended'), ['destroy_group', 'create_group']);
    });
  });
});

describe('creating a room', () => {
  for (const trouble of [
    'http500',
    'reset',
    'html',
    { errorCode: 10037 },
    { errorCode: 10002 },
  ] as const)
    it(`fails with 6 while IM says ${JSON.stringify(trouble)}, and leaves nothing behind`, async () => {
      await using bench = await openBench();
      bench.cloud.imMode = trouble;
      const refused = await create(bench, 'demo');
      assert.deepEqual([refused.code, refused.status], [6, 200]);
      await assertNoGhost(bench, 'demo');
      bench.cloud.imMode = 'ok';
      await pass(bench, 2_500);
      assert.equal((await create(bench, 'demo')).code, 0);
      await pass(bench, 25_000);
      assert.deepEqual([...bench.cloud.groups], ['demo']);
    });

  it('fails with 6 for who wants to enter a room that could not be made', async () => {
    await using bench = await openBench();
    bench.cloud.imMode = 'http500';
    const refused = await enterMeeting(bench, { roomID: 'demo', userID: 'bob' });
    assert.deepEqual([refused.code, refused.message], [6, '创建群组失败']);
    await assertNoGhost(bench, 'demo');
  });

  it('takes another id when the one it made up is the group of somebody else', async () => {
    await using bench = await openBench();
    let refused = 0;
    bench.cloud.imMode = ({ api, body }) => {
      if (api !== 'create_group' || refused === 2) return 'ok';
      refused += 1;
      bench.cloud.foreignGroups.add(String(body.GroupId));
      return 'ok';
    };
    const created = await create(bench, undefined);
    assert.equal(created.code, 0);
    assert.deepEqual([...bench.cloud.groups], [created.roomID]);
    await pass(bench, 5_000);
    assert.ok(bench.cloud.calls.every(({ api }) => api === 'create_group'));
  });

  it('gives up after three ids, and with an id of the client at once', async () => {
    await using bench = await openBench();
    bench.cloud.imMode = { errorCode: 10021 };
    assert.equal((await create(bench, undefined)).code, 6);
    assert.equal(bench.cloud.calls.length, 3);
    bench.cloud.forgetCalls();
    assert.equal((await create(bench, 'theirs')).code, 6);
    assert.equal((await enterMeeting(bench, { roomID: 'theirs', userID: 'bob' })).code, 6);
    await pass(bench, 5_000);
    assert.deepEqual(bench.cloud.callsOf('theirs'), ['create_group', 'create_group']);
    await assertNoGhost(bench, 'theirs');
  });

  it('has nothing destroyed that IM was never asked to create', async () => {
    await using bench = await openBench();
    bench.cloud.imMode = 'reset';
    for (let round = 0; round < 5; round++) await create(bench, `tried${round}`);
    assert.equal((await create(bench, 'unasked')).code, 6);
    bench.cloud.imMode = 'ok';
    await pass(bench, 15_000);
    assert.deepEqual(bench.cloud.callsOf('unasked'), []);
  });
});

describe('an id used again right after its room ended', { concurrency: true }, () => {
  for (const slowMs of [0, 40, 400])
    it(`is a room whose group nobody destroys, with an IM that takes ${slowMs} ms`, async () => {
      await using bench = await openBench();
      bench.cloud.imMode = slowMs === 0 ? 'ok' : 'slow';
      bench.cloud.slowMs = slowMs;
      for (let round = 0; round < (slowMs > 100 ? 2 : 12); round++) {
        assert.equal((await create(bench, 'demo')).code, 0);
        assert.ok(bench.cloud.groups.has('demo'));
        if (round % 2 === 0) await enterMeeting(bench, { roomID: 'demo', userID: 'bob' });
        if (round % 3 === 0) await realSleep(slowMs / 2);
        assert.ok(bench.cloud.groups.has('demo'));
        assert.equal((await destroy(bench, 'demo')).code, 0);
      }
      assert.equal((await create(bench, 'demo')).code, 0);
      await pass(bench, 20_000);
      assert.deepEqual([...bench.cloud.groups], ['demo']);
    });

  it('keeps the old group when that cannot be destroyed, for good', async () => {
    await using bench = await openBench();
    assert.equal((await create(bench, 'demo')).code, 0);
    bench.cloud.imMode = ({ api }) => (api === 'destroy_group' ? 'http500' : 'ok');
    assert.equal((await destroy(bench, 'demo')).code, 0);
    await pass(bench, 5_000);
    const { answer, ms } = await timed(() => create(bench, 'demo'));
    assert.equal(answer.code, 0);
    assert.ok(ms < 4_500, `answered after ${ms} ms`);
    assert.equal((await enterMeeting(bench, { roomID: 'demo', userID: 'bob' })).code, 0);
    bench.cloud.imMode = 'ok';
    bench.cloud.forgetCalls();
    await pass(bench, 15_000);
    assert.ok(bench.cloud.groups.has('demo'));
    assert.deepEqual(bench.cloud.callsOf('demo'), [NOTICE]);
  });

  it('leaves no old group behind when no new room came of it', async () => {
    await using bench = await openBench();
    assert.equal((await create(bench, 'demo')).code, 0);
    bench.cloud.imMode = ({ api }) => (api === 'destroy_group' ? 'http500' : { errorCode: 10037 });
    assert.equal((await destroy(bench, 'demo')).code, 0);
    await pass(bench, 5_000);
    assert.equal((await create(bench, 'demo')).code, 6);
    bench.cloud.imMode = 'ok';
    await pass(bench, 15_000);
    assert.deepEqual([...bench.cloud.groups], []);
  });

  it('tells the groups of two lives apart when the first had news on its way', async () => {
    await using bench = await openBench();
    for (let round = 0; round < 10; round++) {
      assert.equal((await create(bench, 'demo')).code, 0);
      await enterMeeting(bench, { roomID: 'demo', userID: 'bob' });
      assert.equal((await destroy(bench, 'demo')).code, 0);
    }
    await pass(bench, 3_000);
    const calls = bench.cloud.callsOf('demo').filter((api) => api !== NOTICE);
    for (const [index, api] of calls.entries())
      assert.equal(api, index % 2 === 0 ? 'create_group' : 'destroy_group');
    assert.equal(bench.cloud.groups.size, 0);
  });
});

/** Somebody joins and somebody leaves in every room; answers how long the slowest answer took. */
async function livesOn(bench: Bench, roomIDs: readonly string[]): Promise<number> {
  const times = await Promise.all(
    roomIDs.map(async (roomID) => {
      const joined = await timed(() => enter(bench, { roomID, userID: 'bob' }));
      const left = await timed(() => leave(bench, { roomID, userID: 'bob' }));
      return Math.max(joined.ms, left.ms);
    }),
  );
  return Math.max(...times);
}

async function timed(
  ask: () => Promise<Answer>,
): Promise<{ readonly answer: Answer; readonly ms: number }> {
  const startedAtMs = performance.now();
  const answer = await ask();
  return { answer, ms: performance.now() - startedAtMs };
}

function isEachNotified({ cloud }: Bench, roomIDs: readonly string[]): boolean {
  return roomIDs.every((roomID) => cloud.callsOf(roomID).includes(NOTICE));
}

/** The state that is left when a process dies after IM answered and before that was noted. */
async function dieWhileDelivering(file: string): Promise<void> {
  const sink: Sink = { name: 'im', gatherMs: 200, ownsGroup: true, wants: () => true };
  await using store = openSqliteStore({ file, sinks: [sink] });
  const nowMs = Date.now();
  for (const roomID of ['told', 'ended']) {
    await reserve(store, roomID, nowMs);
    const by = { ref: { kind: 'multi_room', roomID }, actor: 'ann', nowMs } as const;
    await store.changeRoom({ ...by, rule: openRule({ firstPusher: undefined, nowMs }) });
    await store.changeRoom({ ...by, rule: joining('ann', nowMs) });
  }
  const ended = { kind: 'multi_room', roomID: 'ended' } as const;
  const rule = destroyRule({ userID: 'ann' });
  await store.changeRoom({ ref: ended, actor: 'ann', nowMs, rule });
  const claim = { sink: 'im', nowMs: nowMs + 1_000, leaseMs: 30_000, limit: 10 };
  assert.equal((await store.claimDeliveries(claim)).length, 2);
}

interface Bench extends AsyncDisposable {
  readonly app: TestApp;
  readonly cloud: FakeCloud;
  readonly relay: Relay | undefined;
}

async function openBench(
  options: {
    readonly file?: string;
    readonly cloud?: FakeCloud;
    /** The service reaches IM over a relay that can be shut. */
    readonly withRelay?: boolean;
  } = {},
): Promise<Bench> {
  const cloud = options.cloud ?? (await startFakeCloud());
  const relay = options.withRelay ? new Relay(Number(new URL(cloud.url).port)) : undefined;
  await relay?.open();
  const app = await startTestApp({
    auth: { mode: 'open' },
    im: { sdkAppID: 1400000001, secretKey: 'k', host: relay?.url ?? cloud.url },
    room: { heartBeatTimeout: 600, maxIdleDuration: 600 },
    ...(options.file === undefined ? {} : { sqlite: { file: options.file } }),
  });
  const close = async () => {
    await app.app.close();
    await relay?.shut();
    if (options.cloud === undefined) await cloud.close();
  };
  return { app, cloud, relay, [Symbol.asyncDispose]: close };
}

/** An outbox on its store, without the rest of the service, so that one commit can hold much. */
async function openOutbox() {
  const cloud = await startFakeCloud();
  const clock = new TravelClock();
  const settings = { host: cloud.url, sdkAppID: 1400000001, administrator: 'a' };
  const im = openTencentIm({
    settings: { ...settings, notifyMode: 'systemNotification' },
    adminSig: () => 'sig',
    log: silentLog,
    clock,
    randomUint32: () => 1,
  });
  const sink = imNotices({ im, log: silentLog });
  const store = openSqliteStore({ file: ':memory:', sinks: [sink] });
  const outbox = new Outbox({ store, sink, clock, log: silentLog, random: () => 0.5 });
  await clock.advance(0);
  const by = (roomID: string) => {
    return { ref: { kind: 'multi_room', roomID }, actor: 'ann', nowMs: clock.nowMs() } as const;
  };
  return {
    cloud,
    clock,
    async open(roomID: string) {
      cloud.groups.add(roomID);
      await reserve(store, roomID, clock.nowMs());
      const rule = openRule({ firstPusher: undefined, nowMs: clock.nowMs() });
      await store.changeRoom({ ...by(roomID), rule });
    },
    join: (roomID: string, userID: string) =>
      store.changeRoom({ ...by(roomID), rule: joining(userID, clock.nowMs()) }),
    destroy: (roomID: string) =>
      store.changeRoom({ ...by(roomID), rule: destroyRule({ userID: 'ann' }) }),
    async [Symbol.asyncDispose]() {
      await outbox.close();
      await store.close();
      await im.close();
      await cloud.close();
    },
  };
}

function reserve(store: Store, roomID: string, nowMs: number) {
  const life = { creator: 'ann', info: '', endsWithCreator: false, ...PLAIN };
  const times = { nowMs, reservedUntilMs: nowMs };
  return store.reserveRoom({ kind: 'multi_room', roomID, ...life, ...times });
}

function joining(userID: string, nowMs: number) {
  const pusher = { userID, userName: '', userAvatar: '', pushURL: '', streamID: '' };
  return joinRule({ pusher, maxMembers: 9, nowMs });
}

/** Passes connections on while it is open; while it is shut they are refused. */
class Relay {
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    if (this.#server !== undefined) return;
    this.#server = createServer((near) => this.#pass(near));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async shut(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(server, 'close');
  }

  #pass(near: Socket): void {
    const far = connect(this.#targetPort, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}

/** Lets the service live through this much time, with moments in between for its calls to be answered. */
async function pass({ app }: Bench, ms: number): Promise<void> {
  const stepMs = ms > 15_000 ? 1_000 : 250;
  for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
    await app.clock.advance(Math.min(leftMs, stepMs));
    await realSleep(4);
  }
}

const PERSON = { userName: 'n', userAvatar: '', pushURL: 'rtmp://localhost:1935/live/x' };

interface Member {
  readonly roomID: string;
  readonly userID: string;
}

async function openRoom({ app }: Bench, userID: string): Promise<string> {
  const created = await app.post('/create_room', { ...PERSON, userID, roomName: 'r' });
  assert.equal(created.code, 0);
  return String(created.roomID);
}

async function enter({ app }: Bench, member: Member): Promise<Answer> {
  const joined = await app.post('/add_pusher', { ...PERSON, ...member });
  assert.equal(joined.code, 0);
  return joined;
}

async function leave({ app }: Bench, member: Member): Promise<Answer> {
  const left = await app.post('/delete_pusher', member);
  assert.equal(left.code, 0);
  return left;
}

async function createWaiting(bench: Bench, roomID: string): Promise<string> {
  assert.equal((await create(bench, roomID)).code, 0);
  return roomID;
}

function create({ app }: Bench, roomID: string | undefined): Promise<Answer> {
  const id = roomID === undefined ? {} : { roomID };
  const room = { roomInfo: 'i', userID: 'ann', ...id };
  return app.post('/weapp/multi_room/create_room?userID=ann', room);
}

function destroy({ app }: Bench, roomID: string): Promise<Answer> {
  return app.post('/weapp/multi_room/destroy_room?userID=ann', { roomID, userID: 'ann' });
}

function enterMeeting({ app }: Bench, member: Member): Promise<Answer> {
  const path = `/weapp/multi_room/add_pusher?userID=${member.userID}`;
  return app.post(path, { ...PERSON, ...member });
}

async function assertNoGhost({ app }: Bench, roomID: string): Promise<void> {
  const path = '/weapp/multi_room';
  const list = await app.post(`${path}/get_room_list?userID=eve`, { index: 0, cnt: 10 });
  assert.deepEqual(list.rooms, []);
  const found = [
    await app.post(`${path}/get_pushers?userID=eve`, { roomID }),
    await app.post(`${path}/get_custom_info?userID=eve`, { roomID }),
  ];
  assert.deepEqual(
    found.map(({ code }) => code),
    [3, 3],
  );
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'roomkeep-outbox-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
