import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FakeCloud, startFakeCloud } from './fake_cloud.ts';
import { type Answer, startTestApp, type TestApp } from './support.ts';

const NOTICE = 'send_group_system_notification';
const MULTI = '/weapp/multi_room';

describe('two hundred at once', () => {
  it('who create one room make it once', async () => {
    await using bench = await openBench({ mode: 'token' });
    const users = await Promise.all(['a', 'b', 'c', 'd'].map((name) => logIn(bench, name)));
    bench.cloud.imMode = 'slow';
    bench.cloud.slowMs = 50;
    const answers = await Promise.all(
      times(200, (index) => {
        const { userID, query } = users[index % users.length] ?? assert.fail();
        const room = { roomID: 'demo', roomInfo: `r${index}`, userID };
        return bench.app.post(`${MULTI}/create_room?${query}`, room);
      }),
    );
    assert.deepEqual(tally(answers), { 0: 1, 11: 199 });
    assert.ok(answers.every(({ code, roomID }) => code === 11 || roomID === 'demo'));
    assert.deepEqual(bench.cloud.callsOf('demo'), ['create_group']);
  });

  it('who create rooms without a name get one each', async () => {
    await using bench = await openBench();
    const room = { roomInfo: '', userID: 'ann' };
    const answers = await Promise.all(
      times(200, () => bench.app.post(`${MULTI}/create_room?userID=ann`, room)),
    );
    assert.deepEqual(tally(answers), { 0: 200 });
    assert.equal(new Set(answers.map(({ roomID }) => roomID)).size, 200);
    assert.equal(bench.cloud.groups.size, 200);
  });

  it('who enter a room of six seats fill six', async () => {
    await using bench = await openBench();
    const { roomID } = await bench.app.post('/create_room', { roomInfo: 'r', userID: 'ann' });
    const answers = await Promise.all(
      times(200, (index) => enterFlat(bench.app, { roomID, userID: `u${index}` })),
    );
    assert.deepEqual(tally(answers), { 0: 6, 5001: 194 });
    const seated = answers.flatMap(({ code }, index) => (code === 0 ? [`u${index}`] : []));
    const { pushers } = await bench.app.post('/get_pushers', { roomID });
    assert.deepEqual(new Set(userIDsOf(pushers)), new Set(seated));
    const beats = await Promise.all(
      times(200, (index) => bench.app.post('/pusher_heartbeat', { roomID, userID: `u${index}` })),
    );
    assert.deepEqual(tally(beats), { 0: 6, 5: 194 });
  });

  for (const imMode of ['ok', 'slow'] as const)
    it(`who enter a room that is missing make it once and fill four seats (IM ${imMode})`, async () => {
      await using bench = await openBench();
      bench.cloud.imMode = imMode;
      const answers = await Promise.all(
        times(200, (index) => enter(bench.app, { roomID: 'demo', userID: `u${index}` })),
      );
      assert.deepEqual(tally(answers), { 0: 4, 5001: 196 });
      await bench.app.clock.advance(3_000);
      await bench.cloud.waitFor((cloud) => cloud.callsOf('demo').includes(NOTICE));
      assert.equal(bench.cloud.callsOf('demo').filter((api) => api === 'create_group').length, 1);
      const { pushers, roomCreator } = await members(bench.app, 'demo');
      const userIDs = userIDsOf(pushers);
      assert.equal(userIDs.length, 4);
      assert.equal(userIDs[0], roomCreator);
    });

  it('who enter a missing room while IM refuses all hear so, and none is left inside', async () => {
    await using bench = await openBench();
    bench.cloud.imMode = { errorCode: 10037 };
    const answers = await Promise.all(
      times(200, (index) => enter(bench.app, { roomID: 'demo', userID: `u${index}` })),
    );
    assert.deepEqual(tally(answers), { 6: 200 });
    assert.equal((await members(bench.app, 'demo')).code, 3);
    bench.cloud.imMode = 'ok';
    assert.equal((await enter(bench.app, { roomID: 'demo', userID: 'ann' })).code, 0);
  });

  it('who are one user take one seat', async () => {
    await using bench = await openBench();
    const answers = await Promise.all(
      times(200, () => enter(bench.app, { roomID: 'demo', userID: 'ann' })),
    );
    assert.deepEqual(tally(answers), { 0: 200 });
    assert.deepEqual(userIDsOf((await members(bench.app, 'demo')).pushers), ['ann']);
  });

  it('who count a field up and down count right', async () => {
    await using bench = await openBench();
    await enter(bench.app, { roomID: 'demo', userID: 'ann' });
    const answers = await Promise.all(
      times(500, (index) => {
        const change = { fieldName: index % 5 === 4 ? 'down' : 'up', operation: 'inc' };
        const operation = index % 5 === 4 ? 'dec' : 'inc';
        const field = { roomID: 'demo', ...change, operation };
        return bench.app.post(`${MULTI}/set_custom_field?userID=ann`, field);
      }),
    );
    assert.deepEqual(tally(answers), { 0: 500 });
    const { custom } = await bench.app.post(`${MULTI}/get_custom_info?userID=ann`, {
      roomID: 'demo',
    });
    assert.deepEqual(JSON.parse(String(custom)), { up: 400, down: -100 });
  });

  it('who watch are counted once each, and no more when they are gone', async () => {
    await using bench = await openBench();
    await enter(bench.app, { roomID: 'demo', userID: 'ann' });
    const watch = (index: number) => {
      const userID = `v${index}`;
      const viewer = { roomID: 'demo', userID, userInfo: `${index}` };
      return bench.app.post(`${MULTI}/add_audience?userID=${userID}`, viewer);
    };
    const answers = await Promise.all(times(400, (index) => watch(index % 200)));
    assert.deepEqual(tally(answers), { 0: 400 });
    const count = () => bench.app.post(`${MULTI}/get_audiences?userID=ann`, { roomID: 'demo' });
    const { audienceCount, audiences } = await count();
    assert.equal(audienceCount, 200);
    assert.equal((audiences as unknown[]).length, 30);
    const leave = (index: number) => {
      const viewer = { roomID: 'demo', userID: `v${index}` };
      return bench.app.post(`${MULTI}/delete_audience?userID=v${index}`, viewer);
    };
    await Promise.all(times(300, (index) => leave(index % 150)));
    assert.equal((await count()).audienceCount, 50);
  });
});

describe('everybody leaving at once', () => {
  it('lets each go once, and ends the room and its group once', async () => {
    await using bench = await openBench();
    for (let round = 0; round < 5; round++) {
      const userIDs = times(4, (index) => `u${index}`);
      for (const userID of userIDs)
        assert.equal((await enter(bench.app, { roomID: 'demo', userID })).code, 0);
      const answers = await Promise.all(
        [...userIDs, ...userIDs, ...userIDs].map((userID) =>
          bench.app.post(`${MULTI}/delete_pusher?userID=${userID}`, { roomID: 'demo', userID }),
        ),
      );
      assert.deepEqual(tally(answers), { 0: 4, 5: 8 });
      assert.equal((await members(bench.app, 'demo')).code, 3);
    }
    await bench.cloud.waitFor(({ groups }) => groups.size === 0);
    const destroyed = bench.cloud.callsOf('demo').filter((api) => api === 'destroy_group');
    assert.equal(destroyed.length, 5);
  });
});

describe('a room that is ended while others enter', () => {
  it('is gone for good where rooms are not made by entering', async () => {
    await using bench = await openBench();
    for (let round = 0; round < 5; round++) {
      const { roomID } = await bench.app.post('/create_room', { roomInfo: 'r', userID: 'ann' });
      await enterFlat(bench.app, { roomID, userID: 'ann' });
      const joins = times(20, (index) => enterFlat(bench.app, { roomID, userID: `u${index}` }));
      const end = bench.app.post('/destroy_room', { roomID, userID: 'ann' });
      const late = times(20, (index) => enterFlat(bench.app, { roomID, userID: `l${index}` }));
      const answers = await Promise.all([...joins, ...late]);
      assert.equal((await end).code, 0);
      for (const { code } of answers) assert.ok([0, 3, 5001].includes(code), String(code));
      assert.equal((await bench.app.post('/get_pushers', { roomID })).code, 3);
      const beats = await Promise.all(
        times(20, (index) => bench.app.post('/pusher_heartbeat', { roomID, userID: `u${index}` })),
      );
      assert.deepEqual(tally(beats), { 5: 20 });
    }
    await bench.app.clock.advance(3_000);
    await bench.cloud.waitFor(({ groups }) => groups.size === 0);
  });

  it('is a new room with a group of its own where entering makes one', async () => {
    await using bench = await openBench();
    for (let round = 0; round < 8; round++) {
      const roomID = `demo${round}`;
      const room = { roomID, roomInfo: 'r', userID: 'ann' };
      assert.equal((await bench.app.post(`${MULTI}/create_room?userID=ann`, room)).code, 0);
      const joins = times(10, (index) => enter(bench.app, { roomID, userID: `u${index}` }));
      const end = bench.app.post(`${MULTI}/destroy_room?userID=ann`, { roomID, userID: 'ann' });
      const late = times(10, (index) => enter(bench.app, { roomID, userID: `l${index}` }));
      const answers = await Promise.all([...joins, ...late]);
      assert.equal((await end).code, 0);
      for (const { code } of answers) assert.ok([0, 5001].includes(code), String(code));
      await assertHonest(bench, roomID, [
        ...times(10, (index) => `u${index}`),
        ...times(10, (index) => `l${index}`),
      ]);
    }
    await bench.app.clock.advance(3_000);
    await assertGroupsAreRooms(bench);
  });
});

describe('a storm of everything at once', () => {
  it('never overfills a room, and leaves the seats, the beats and the groups in agreement', async () => {
    await using bench = await openBench();
    bench.cloud.imMode = 'slow';
    bench.cloud.slowMs = 5;
    const userIDs = times(8, (index) => `u${index}`);
    const roomIDs = ['r0', 'r1', 'r2'];
    let state = 20_240_607;
    const pick = <T>(list: readonly T[]): T => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return list[(state >>> 8) % list.length] ?? assert.fail();
    };
    for (let round = 0; round < 6; round++) {
      const answers = await Promise.all(
        times(100, () => {
          const member = { roomID: pick(roomIDs), userID: pick(userIDs) };
          const action = pick(['enter', 'enter', 'enter', 'leave', 'destroy', 'read'] as const);
          return act(bench.app, action, member);
        }),
      );
      for (const { status, code, pushers } of answers) {
        assert.equal(status, 200);
        assert.ok([0, 3, 5, 5001].includes(code), String(code));
        if (Array.isArray(pushers)) assert.ok(pushers.length >= 1 && pushers.length <= 4);
      }
      for (const roomID of roomIDs) await assertHonest(bench, roomID, userIDs);
    }
    await bench.app.clock.advance(3_000);
    await assertGroupsAreRooms(bench);
  });
});

type Action = 'enter' | 'leave' | 'destroy' | 'read';

function act(app: TestApp, action: Action, member: Member): Promise<Answer> {
  const { userID } = member;
  const actions: Record<Action, () => Promise<Answer>> = {
    enter: () => enter(app, member),
    leave: () => app.post(`${MULTI}/delete_pusher?userID=${userID}`, member),
    destroy: () => app.post(`${MULTI}/destroy_room?userID=${userID}`, member),
    read: () => members(app, member.roomID),
  };
  return actions[action]();
}

/** Whoever is listed is heard, nobody else is, and there are not too many. */
async function assertHonest(
  { app }: Bench,
  roomID: string,
  userIDs: readonly string[],
): Promise<void> {
  const { code, pushers } = await members(app, roomID);
  const seated = code === 0 ? userIDsOf(pushers) : [];
  assert.ok(seated.length <= 4);
  for (const userID of userIDs) {
    const member = { roomID, userID };
    const beat = await app.post(`${MULTI}/pusher_heartbeat?userID=${userID}`, member);
    assert.equal(beat.code, seated.includes(userID) ? 0 : 5, `${userID} in ${roomID}`);
  }
}

/** Once everything is delivered, each room has its group, and there are no others. */
async function assertGroupsAreRooms({ app, cloud }: Bench): Promise<void> {
  const list = await app.post(`${MULTI}/get_room_list?userID=eve`, { index: 0, cnt: 100 });
  const rooms = (list.rooms as { readonly roomID: string }[]).map(({ roomID }) => roomID).sort();
  await cloud.waitFor(({ groups }) => [...groups].sort().join() === rooms.join());
}

interface Bench extends AsyncDisposable {
  readonly app: TestApp;
  readonly cloud: FakeCloud;
}

async function openBench({ mode = 'open' }: { readonly mode?: 'open' | 'token' } = {}) {
  const cloud = await startFakeCloud();
  const app = await startTestApp({
    auth: { mode },
    im: { sdkAppID: 1400000001, secretKey: 'k', host: cloud.url },
    appId: 'wx1234567890',
    appSecret: 'secret-of-the-app',
    wxHost: cloud.url,
  });
  const close = async () => {
    await app.app.close();
    await cloud.close();
  };
  return { app, cloud, [Symbol.asyncDispose]: close } satisfies Bench;
}

/** The way of a mini-program: a WeChat code, a userSig, a token. */
async function logIn({ app, cloud }: Bench, name: string) {
  cloud.codes.set(`code-${name}`, `openid-${name}`);
  const info = await app.get(`/weapp/utils/get_login_info?code=code-${name}`);
  assert.equal(info.code, 0);
  const userID = String(info.userID);
  const claim = { sdkAppID: '1400000001', accountType: '0', userID };
  const query = new URLSearchParams({ ...claim, userSig: String(info.userSig) });
  const { code, token } = await app.post(`${MULTI}/login?${query}`);
  assert.equal(code, 0);
  return { userID, query: new URLSearchParams({ userID, token: String(token) }) };
}

interface Member {
  readonly roomID: unknown;
  readonly userID: string;
}

const PERSON = { userName: 'n', userAvatar: '', pushURL: 'rtmp://localhost:1935/live/x' };

function enterFlat(app: TestApp, member: Member): Promise<Answer> {
  return app.post('/add_pusher', { ...PERSON, ...member });
}

function enter(app: TestApp, member: Member): Promise<Answer> {
  return app.post(`${MULTI}/add_pusher?userID=${member.userID}`, { ...PERSON, ...member });
}

function members(app: TestApp, roomID: unknown): Promise<Answer> {
  return app.post(`${MULTI}/get_pushers?userID=eve`, { roomID });
}

function userIDsOf(pushers: unknown): string[] {
  return (pushers as readonly { readonly userID: string }[]).map(({ userID }) => userID);
}

/** How many answers had which code. */
function tally(answers: readonly Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { code } of answers) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
