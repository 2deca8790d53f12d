import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { startFakeCloud } from './fake_cloud.ts';
import { type Answer, startTestApp, type TestApp, TravelClock } from './support.ts';

/** The third dialect and the fourth. */
const C = '/webrtc/weapp/webrtc_room';
const D = '/roomlist/weapp/webexe_room';
const BOTH = [C, D];
const DAY_MS = 86_400_000;
/** For tests that ask much at once: nobody falls silent meanwhile, however slow the machine. */
const PATIENT = { room: { heartBeatTimeout: 3_600 } };

describe('the seats of a meeting', () => {
  for (const base of BOTH) {
    it(`are four, however many ask at once, on ${base}`, async () => {
      await using app = await startTestApp(PATIENT);
      const roomID = await newRoom(app, base);
      const asked = Array.from({ length: 200 }, (_, i) => enter(app, base, roomID, `guest_${i}`));
      const answers = await Promise.all(asked);
      assert.deepEqual(countsOf(answers), { 0: 3, 5001: 197 });
      const members = await membersOf(app, base, roomID);
      assert.equal(members?.length, 4);
      assert.equal(members[0], 'alice');
    });

    it(`are one for one user, however often he enters at once, on ${base}`, async () => {
      await using app = await startTestApp(PATIENT);
      const roomID = await newRoom(app, base);
      const asked = Array.from({ length: 50 }, () => enter(app, base, roomID, 'bobby'));
      assert.deepEqual(countsOf(await Promise.all(asked)), { 0: 50 });
      assert.deepEqual(await membersOf(app, base, roomID), ['alice', 'bobby']);
    });
  }

  it('are never more than four while people come and go', async () => {
    await using app = await startTestApp(PATIENT);
    const roomID = await newRoom(app, C);
    const people = Array.from({ length: 12 }, (_, i) => `guest_${i}`);
    for (let round = 0; round < 20; round++) {
      const acts = people.map((userID, i) => {
        const action = (i * 7 + round * 5) % 3 === 0 ? 'quit_room' : 'enter_room';
        return app.post(`${C}/${action}`, { userID, roomID });
      });
      const answers = await Promise.all(acts);
      for (const { code } of answers) assert.ok(code === 0 || code === 5001, `code ${code}`);
      const members = (await membersOf(app, C, roomID)) ?? [];
      assert.ok(members.length <= 4 && members.includes('alice'), members.join());
    }
  });

  it('are as many as configured', async () => {
    await using app = await startTestApp({ webrtc_room: { maxMembers: 2 } });
    const roomID = await newRoom(app, C);
    assert.equal((await enter(app, C, roomID, 'bobby')).code, 0);
    assert.equal((await enter(app, C, roomID, 'carol')).code, 5001);
    assert.equal((await enter(app, C, roomID, 'alice')).code, 0);
    const other = await newRoom(app, D);
    for (const userID of ['bobby', 'carol', 'dave'])
      assert.equal((await enter(app, D, other, userID)).code, 0);
  });

  it('stay in the order they were taken, also when the creator comes back', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, C);
    for (const userID of ['bobby', 'carol']) await enterLater(app, roomID, userID);
    await quit(app, C, roomID, 'alice');
    assert.deepEqual(await membersOf(app, C, roomID), ['bobby', 'carol']);
    await enterLater(app, roomID, 'alice');
    await enterLater(app, roomID, 'bobby');
    assert.deepEqual(await membersOf(app, C, roomID), ['bobby', 'carol', 'alice']);
    const { rooms } = await app.post(`${C}/get_room_list`, {});
    assert.deepEqual(rooms, [{ roomID, roomCreator: 'alice', roomInfo: 'm' }]);
  });

  it('are all gone with the creator, where that is configured', async () => {
    await using app = await startTestApp({ webrtc_room: { creatorCanDestroyRoom: true } });
    const roomID = await newRoom(app, C);
    await enter(app, C, roomID, 'bobby');
    assert.equal((await quit(app, C, roomID, 'alice')).code, 0);
    assert.equal(await membersOf(app, C, roomID), undefined);
    assert.equal((await beat(app, C, roomID, 'bobby')).code, 3);
  });

  for (const base of BOTH)
    it(`are never taken in a room that just ends, on ${base}`, async () => {
      await using app = await startTestApp(PATIENT);
      for (let round = 0; round < 30; round++) {
        const roomID = await newRoom(app, base);
        const order = [
          () => quit(app, base, roomID, 'alice'),
          () => enter(app, base, roomID, 'bobby'),
        ];
        if (round % 2 === 1) order.reverse();
        const answers = await Promise.all(order.map((act) => act()));
        const entered = answers.find(({ userID }) => userID === 'bobby');
        assert.deepEqual(
          await membersOf(app, base, roomID),
          entered === undefined ? undefined : ['bobby'],
        );
        const left = entered === undefined ? [0, 3] : [0, 0];
        assert.deepEqual(answers.map(({ code }) => code).sort(), left);
      }
    });
});

describe('the number of a meeting', () => {
  it('is its own among 500 made at once', async () => {
    await using app = await startTestApp(PATIENT);
    const made = Array.from({ length: 500 }, (_, i) => newRoom(app, C, { userID: `host_${i}` }));
    const roomIDs = await Promise.all(made);
    assert.equal(new Set(roomIDs).size, 500);
    for (const roomID of roomIDs) {
      assert.match(roomID, /^[1-9]\d+$/);
      assert.ok(Number(roomID) <= 2_147_483_647, roomID);
    }
    const pages = await Promise.all(
      [0, 100, 200, 300, 400, 500].map((index) => listOf(app, C, { index, count: 1000 })),
    );
    assert.deepEqual(
      pages.map((page) => page.length),
      [100, 100, 100, 100, 100, 0],
    );
    assert.deepEqual(new Set(pages.flat()), new Set(roomIDs));
  });

  it('cannot be guessed from the one before', async () => {
    await using app = await startTestApp(PATIENT);
    const numbers = (await Promise.all(Array.from({ length: 100 }, () => newRoom(app, C)))).map(
      Number,
    );
    const steps = numbers.slice(1).map((number, i) => number - (numbers[i] ?? 0));
    assert.ok(new Set(steps).size > 95, 'the steps between numbers differ');
    assert.ok(
      numbers.some((number) => number > 2 ** 30),
      'the upper half is used',
    );
    assert.ok(
      numbers.some((number) => number < 2 ** 30),
      'and the lower half',
    );
  });

  it('goes to one of many who want the same, and the rest get others', async () => {
    await using app = await startTestApp(PATIENT);
    const asked = Array.from({ length: 50 }, (_, i) =>
      newRoom(app, D, { userID: `host_${i}`, roomID: '4711' }),
    );
    const roomIDs = await Promise.all(asked);
    assert.equal(roomIDs.filter((roomID) => roomID === '4711').length, 1);
    assert.equal(new Set(roomIDs).size, 50);
  });

  it('is not taken from who has it', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, D, { roomID: '4711', nickName: 'Alice' });
    const other = await newRoom(app, D, { roomID: '4711', userID: 'bobby' });
    assert.notEqual(other, roomID);
    assert.deepEqual(await membersOf(app, D, roomID), ['alice']);
    assert.deepEqual(await membersOf(app, D, other), ['bobby']);
  });

  it('may stand for a room of each kind at once, none of which touches another', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, C);
    assert.equal(await newRoom(app, D, { roomID, userID: 'bobby' }), roomID);
    await newCall(app, roomID);
    const all = async () => [
      await membersOf(app, C, roomID),
      await membersOf(app, D, roomID),
      await callersOf(app, roomID),
    ];
    assert.deepEqual(await all(), [['alice'], ['bobby'], ['carol']]);
    assert.equal((await beat(app, C, roomID, 'bobby')).code, 5);
    assert.equal((await quit(app, C, roomID, 'bobby')).code, 0);
    assert.equal((await app.post(`${D}/delete_room`, { roomID })).code, 0);
    assert.deepEqual(await all(), [['alice'], undefined, ['carol']]);
    assert.equal((await app.post(`${D}/delete_room`, { roomID })).code, 0);
    assert.deepEqual(await all(), [['alice'], undefined, ['carol']]);
    await app.post('/weapp/multi_room/delete_pusher?userID=carol', { roomID, userID: 'carol' });
    assert.deepEqual(await all(), [['alice'], undefined, undefined]);
    assert.equal((await quit(app, C, roomID, 'alice')).code, 0);
    assert.deepEqual(await all(), [undefined, undefined, undefined]);
  });

  it('is kept alive in each kind by the beats of that kind alone', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, C);
    assert.equal(await newRoom(app, D, { roomID }), roomID);
    await keepBeating(app, 28_000, [[D, roomID, 'alice']]);
    assert.equal(await membersOf(app, C, roomID), undefined);
    assert.deepEqual(await membersOf(app, D, roomID), ['alice']);
  });
});

describe('a member who falls silent', () => {
  for (const base of BOTH) {
    it(`is gone after the time-out and one sweep, not before, on ${base}`, async () => {
      await using app = await startTestApp();
      const roomID = await newRoom(app, base);
      await enter(app, base, roomID, 'bobby');
      await keepBeating(app, 14_000, [[base, roomID, 'alice']]);
      await app.clock.advance(4_000);
      assert.deepEqual(await membersOf(app, base, roomID), ['alice', 'bobby'], 'after 18 s');
      await app.clock.advance(7_500);
      assert.deepEqual(await membersOf(app, base, roomID), ['alice'], 'after 25.5 s');
    });

    it(`takes the room along when he was the last, on ${base}`, async () => {
      await using app = await startTestApp();
      const roomID = await newRoom(app, base);
      await app.clock.advance(18_000);
      assert.deepEqual(await listOf(app, base), [roomID]);
      await app.clock.advance(7_500);
      assert.deepEqual(await listOf(app, base), []);
      for (const action of ['enter_room', 'quit_room', 'heartbeat', 'get_room_members']) {
        const { code } = await app.post(`${base}/${action}`, { userID: 'alice', roomID });
        assert.equal(code, 3, action);
      }
    });
  }

  it('is heard of when he enters again', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, C);
    for (let round = 0; round < 4; round++) {
      await app.clock.advance(10_000);
      assert.equal((await enter(app, C, roomID, 'alice')).code, 0);
    }
    await app.clock.advance(15_000);
    assert.deepEqual(await membersOf(app, C, roomID), ['alice']);
  });

  it('has the time that is configured', async () => {
    await using app = await startTestApp({
      webrtc_room: { heartBeatTimeout: 3, sweepInterval: 1 },
    });
    const roomID = await newRoom(app, C);
    const other = await newRoom(app, D);
    await app.clock.advance(4_500);
    assert.equal(await membersOf(app, C, roomID), undefined);
    assert.deepEqual(await membersOf(app, D, other), ['alice']);
  });
});

describe('the late heartbeat of a member who was removed', () => {
  it('brings him back with his name', async () => {
    await using app = await startTestApp();
    const roomID = await roomWithoutBobby(app, C);
    assert.equal((await beat(app, C, roomID, 'bobby')).code, 0);
    const { members } = await app.post(`${C}/get_room_members`, { roomID });
    assert.deepEqual(members, [
      { userID: 'alice', nickName: 'Alice' },
      { userID: 'bobby', nickName: 'Bob' },
    ]);
    await keepBeating(app, 28_000, [
      [C, roomID, 'alice'],
      [C, roomID, 'bobby'],
    ]);
    assert.deepEqual(await membersOf(app, C, roomID), ['alice', 'bobby'], 'he is a member again');
  });

  it('brings him back once, however many of them come at once', async () => {
    await using app = await startTestApp();
    const roomID = await roomWithoutBobby(app, C);
    const beats = Array.from({ length: 20 }, () => beat(app, C, roomID, 'bobby'));
    assert.deepEqual(countsOf(await Promise.all(beats)), { 0: 20 });
    assert.deepEqual(await membersOf(app, C, roomID), ['alice', 'bobby']);
  });

  it('brings him back as often as he falls silent', async () => {
    await using app = await startTestApp();
    const roomID = await roomWithoutBobby(app, C);
    for (let round = 0; round < 3; round++) {
      assert.equal((await beat(app, C, roomID, 'bobby')).code, 0);
      await keepBeating(app, 28_000, [[C, roomID, 'alice']]);
      assert.deepEqual(await membersOf(app, C, roomID), ['alice']);
    }
  });

  it('does so for a minute, no longer', async () => {
    for (const { waitMs, code } of [
      { waitMs: 42_000, code: 0 },
      { waitMs: 63_000, code: 5 },
    ]) {
      await using app = await startTestApp();
      const roomID = await roomWithoutBobby(app, C);
      await keepBeating(app, waitMs, [[C, roomID, 'alice']]);
      assert.equal((await beat(app, C, roomID, 'bobby')).code, code, `after ${waitMs} ms`);
    }
  });

  it('does not when his seat is taken', async () => {
    await using app = await startTestApp();
    const roomID = await roomWithoutBobby(app, C);
    for (const userID of ['carol', 'dave', 'erin'])
      assert.equal((await enter(app, C, roomID, userID)).code, 0);
    const refused = await beat(app, C, roomID, 'bobby');
    assert.deepEqual([refused.code, refused.message], [5, '请求失败，不是房间成员']);
    await quit(app, C, roomID, 'carol');
    assert.equal((await beat(app, C, roomID, 'bobby')).code, 0);
  });

  it('gives one free seat to one of two', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, C);
    for (const userID of ['bobby', 'carol']) await enter(app, C, roomID, userID);
    await keepBeating(app, 28_000, [[C, roomID, 'alice']]);
    for (const userID of ['dave', 'erin']) await enter(app, C, roomID, userID);
    const beats = ['bobby', 'carol'].map((userID) => beat(app, C, roomID, userID));
    assert.deepEqual(countsOf(await Promise.all(beats)), { 0: 1, 5: 1 });
    assert.equal((await membersOf(app, C, roomID))?.length, 4);
  });

  it('does not in a later life of the room', async () => {
    await using app = await startTestApp();
    const roomID = await roomWithoutBobby(app, D, { roomID: '4711' });
    assert.equal((await app.post(`${D}/delete_room`, { roomID })).code, 0);
    assert.equal((await beat(app, D, roomID, 'bobby')).code, 3);
    assert.equal(await newRoom(app, D, { userID: 'carol', roomID }), '4711');
    assert.equal((await beat(app, D, roomID, 'bobby')).code, 5);
    assert.deepEqual(await membersOf(app, D, roomID), ['carol']);
  });

  it('does not in another room or kind', async () => {
    await using app = await startTestApp();
    const roomID = await roomWithoutBobby(app, D);
    const other = await newRoom(app, D);
    assert.equal((await beat(app, D, other, 'bobby')).code, 5);
    assert.equal((await beat(app, C, roomID, 'bobby')).code, 3);
  });

  it('does not when he came in again and left of himself meanwhile', async () => {
    await using app = await startTestApp();
    const roomID = await roomWithoutBobby(app, C);
    assert.equal((await enter(app, C, roomID, 'bobby')).code, 0);
    assert.equal((await quit(app, C, roomID, 'bobby')).code, 0);
    assert.equal((await beat(app, C, roomID, 'bobby')).code, 5);
    assert.deepEqual(await membersOf(app, C, roomID), ['alice']);
  });

  it('does not when he left of himself', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, C);
    await enter(app, C, roomID, 'bobby');
    await quit(app, C, roomID, 'bobby');
    assert.equal((await beat(app, C, roomID, 'bobby')).code, 5);
  });

  it('has three refused in a row for a stranger, so that his page leaves', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, C);
    for (let round = 0; round < 3; round++)
      assert.equal((await beat(app, C, roomID, 'nobody')).code, 5);
    assert.deepEqual(await membersOf(app, C, roomID), ['alice']);
  });
});

describe('a room whose members send no heartbeats', () => {
  it('lives without them until it is a day old', async () => {
    await using app = await startTestApp();
    const unheard = await newRoom(app, D, { needHeartBeat: false });
    const heard = await newRoom(app, D, { needHeartBeat: true });
    await enter(app, D, unheard, 'bobby');
    await app.clock.advance(60_000);
    assert.deepEqual(await listOf(app, D), [unheard]);
    assert.equal(await membersOf(app, D, heard), undefined);
    app.clock.stall(DAY_MS - 70_000);
    await app.clock.advance(6_000);
    assert.deepEqual(await membersOf(app, D, unheard), ['alice', 'bobby'], 'nearly a day');
    await app.clock.advance(15_000);
    assert.equal(await membersOf(app, D, unheard), undefined, 'a day and a sweep');
    assert.deepEqual(await listOf(app, D), []);
  });

  it('answers the beats of who sends them anyway', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, D, { needHeartBeat: 0 });
    assert.equal((await beat(app, D, roomID, 'alice')).code, 0);
    assert.equal((await beat(app, D, roomID, 'nobody')).code, 5);
  });

  it('ends with its last member like any other', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, D, { needHeartBeat: false });
    await enter(app, D, roomID, 'bobby');
    await quit(app, D, roomID, 'alice');
    assert.deepEqual(await membersOf(app, D, roomID), ['bobby']);
    await quit(app, D, roomID, 'bobby');
    assert.equal(await membersOf(app, D, roomID), undefined);
  });

  it('is none of the third dialect, whatever is asked', async () => {
    await using app = await startTestApp();
    const roomID = await newRoom(app, C, { needHeartBeat: false });
    await app.clock.advance(26_000);
    assert.equal(await membersOf(app, C, roomID), undefined);
  });

  it('leaves its number to a room that needs them', async () => {
    await using app = await startTestApp();
    await newRoom(app, D, { roomID: '4711', needHeartBeat: false });
    await app.post(`${D}/delete_room`, { roomID: '4711' });
    await newRoom(app, D, { roomID: '4711', needHeartBeat: true });
    await app.clock.advance(26_000);
    assert.equal(await membersOf(app, D, '4711'), undefined);
  });
});

describe('a meeting after a restart of the service', () => {
  it('is as it was, and its members have one time-out to be heard', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'roomkeep-meetings-'));
    const settings = { sqlite: { file: join(dir, 'rooms.db') } };
    const clock = new TravelClock();
    try {
      const { heard, unheard } = await makeAndStop(settings, clock);
      await using app = await startTestApp(settings, { clock });
      const { rooms } = await app.post(`${D}/get_room_list`, { roomType: 'pc' });
      const row = { roomID: unheard, roomCreator: 'alice', roomInfo: 'm', status: 1 };
      assert.deepEqual(rooms, [row]);
      assert.deepEqual(await listOf(app, C, { roomType: 'trtc' }), [heard]);
      const { members } = await app.post(`${C}/get_room_members`, { roomID: heard });
      assert.deepEqual(members, [
        { userID: 'alice', nickName: 'Alice' },
        { userID: 'bobby', nickName: 'Bob' },
      ]);
      for (const userID of ['carol', 'dave']) await enter(app, C, heard, userID);
      assert.equal((await enter(app, C, heard, 'erin')).code, 5001);
      await clock.advance(15_000);
      assert.equal((await beat(app, C, heard, 'bobby')).code, 0);
      await clock.advance(11_000);
      assert.deepEqual(await membersOf(app, C, heard), ['bobby']);
      assert.deepEqual(await membersOf(app, D, unheard), ['alice']);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe('the userSig of a meeting', () => {
  const lives = [
    { expire: 86_400, inC: 3_600, inD: 86_400 },
    { expire: 600, inC: 600, inD: 600 },
    { expire: 86_400 * 30, inC: 3_600, inD: 86_400 },
  ];
  for (const { expire, inC, inD } of lives)
    it(`lasts ${inC} s and ${inD} s where ${expire} s are configured`, async () => {
      await using app = await startTestApp({ im: { expire } });
      const ofC = await app.post(`${C}/get_login_info`, { userID: 'alice' });
      const ofD = await app.get(`${D}/get_login_info?userID=alice`);
      assert.deepEqual([lifeOf(ofC), lifeOf(ofD)], [inC, inD]);
    });

  it('logs its user in, and nobody else', async () => {
    await using app = await startTestApp();
    const info = await app.post(`${C}/get_login_info`, {});
    const { userID, userSig, sdkAppID, accountType } = info;
    const loginOf = (user: unknown) =>
      `/weapp/multi_room/login?userID=${user}&userSig=${userSig}&sdkAppID=${sdkAppID}&accountType=${accountType}`;
    assert.equal((await app.post(loginOf(userID))).code, 0);
    assert.equal((await app.post(loginOf('alice'))).code, 7);
  });
});

describe('where tokens are needed', () => {
  it('a WeChat user comes from a code to a room of his own', async () => {
    await using cloud = await startFakeCloud();
    cloud.codes.set('CODE', 'openid-of-walter');
    await using app = await startTestApp(withTokens(cloud.url));
    const { userID, userSig, sdkAppID, accountType } = await app.post(`${C}/get_login_info`, {
      code: 'CODE',
    });
    const login = new URLSearchParams({
      userID: String(userID),
      userSig: String(userSig),
      sdkAppID: String(sdkAppID),
      accountType: String(accountType),
    });
    const { token } = await app.post(`/weapp/multi_room/login?${login}`);
    const query = `userID=${userID}&token=${token}`;
    const created = await app.post(`${C}/create_room?${query}`, { userID, roomInfo: 'm' });
    assert.deepEqual([created.code, created.userID], [0, userID]);
    const { roomID } = created;
    const beaten = await app.post(`${C}/heartbeat?${query}`, { userID, roomID });
    assert.equal(beaten.code, 0);
    assert.equal((await app.post(`${C}/heartbeat`, { userID, roomID })).code, 7);
    assert.equal((await app.post(`${C}/quit_room?${query}`, { userID, roomID })).code, 0);
  });

  it('a member who was removed comes back by his own token alone', async () => {
    await using cloud = await startFakeCloud();
    cloud.codes.set('A', 'openid-a').set('B', 'openid-b');
    await using app = await startTestApp(withTokens(cloud.url));
    const [ann, bob] = await Promise.all([walkIn(app, 'A'), walkIn(app, 'B')]);
    const { roomID } = await app.post(`${C}/create_room?${ann.query}`, {
      userID: ann.userID,
      roomInfo: 'm',
    });
    await app.post(`${C}/enter_room?${bob.query}`, { userID: bob.userID, roomID });
    for (let round = 0; round < 4; round++) {
      await app.post(`${C}/heartbeat?${ann.query}`, { userID: ann.userID, roomID });
      await app.clock.advance(7_000);
    }
    const late = { userID: bob.userID, roomID };
    assert.equal((await app.post(`${C}/heartbeat?${ann.query}`, late)).code, 7);
    assert.equal((await app.post(`${C}/heartbeat?${bob.query}`, late)).code, 0);
  });
});

describe('meetings', () => {
  it('never make the service call IM, whatever happens to them', async () => {
    await using cloud = await startFakeCloud();
    const im = { host: cloud.url, sdkAppID: 1_400_000_000, secretKey: 'EXAMPLE_SECRET_KEY' };
    await using app = await startTestApp({ im, auth: { mode: 'open' } });
    for (const base of BOTH) {
      const silent = await newRoom(app, base);
      const left = await newRoom(app, base);
      await enter(app, base, left, 'bobby');
      await quit(app, base, left, 'alice');
      await quit(app, base, left, 'bobby');
      const deleted = await newRoom(app, base);
      await app.post(`${D}/delete_room`, { roomID: deleted });
      await keepBeating(app, 28_000, [[base, deleted, 'alice']]);
      assert.equal(await membersOf(app, base, silent), undefined);
    }
    app.clock.stall(DAY_MS);
    await app.clock.advance(10_000);
    assert.equal(cloud.calls.length, 0, cloud.calls.map(({ path }) => path).join());
    await newCall(app, 'a_call');
    assert.equal(cloud.calls[0]?.api, 'create_group', 'which it does make for other kinds');
  });

  it('are told apart by exactly their type', async () => {
    await using app = await startTestApp(PATIENT);
    const types = ['', 'trtc', 'TRTC', 'trtc ', '%', '_', 'trt', '房间', "'", 'null', '0'];
    const roomIDs = new Map<string, string>();
    for (const roomType of types) roomIDs.set(roomType, await newRoom(app, C, { roomType }));
    for (const roomType of types)
      assert.deepEqual(await listOf(app, C, { roomType }), [roomIDs.get(roomType)], roomType);
    assert.deepEqual(await listOf(app, D, { roomType: 'trtc' }), []);
  });

  it('answer whatever they are sent with a code of the protocol', async () => {
    await using app = await startTestApp(PATIENT);
    const known = await newRoom(app, C);
    assert.equal(await newRoom(app, D, { roomID: known, needHeartBeat: false }), known);
    const odd = fc.oneof(
      fc.constantFrom(known, 'bobby', 'carol', '', null, '\ud800', 'a\0b', '__proto__', 99, 0, -1),
      fc.constantFrom(0.5, 1e21, 2 ** 53, '1e3', true, 'x'.repeat(2_000), '9'.repeat(30)),
      fc.string({ unit: 'binary' }),
      fc.jsonValue(),
    );
    const names = ['userID', 'roomID', 'roomInfo', 'nickName', 'roomType', 'index', 'count'];
    const field = fc.constantFrom(...names, 'status', 'needHeartBeat', 'code', '__proto__');
    const actions = 'create_room enter_room quit_room heartbeat get_room_list get_room_members';
    const call = fc.record({
      base: fc.constantFrom(...BOTH),
      action: fc.constantFrom(...actions.split(' ')),
      body: fc.dictionary(field, odd),
      sane: fc.subarray(['userID', 'roomID', 'roomInfo']),
    });
    const sound = { userID: 'bobby', roomID: known, roomInfo: 'm' };
    const property = fc.asyncProperty(call, async ({ base, action, body, sane }) => {
      const good = Object.entries(sound).filter(([name]) => sane.includes(name));
      const answer = await app.post(`${base}/${action}`, { ...body, ...Object.fromEntries(good) });
      assert.equal(answer.status, 200);
      assert.ok([0, 2, 3, 5, 7, 11, 5001].includes(answer.code), `code ${answer.code}`);
      assert.ok(!holdsNull(answer), JSON.stringify(answer));
    });
    await fc.assert(property, { numRuns: 300, seed: 2_018 });
    const members = (await membersOf(app, C, known)) ?? [];
    assert.ok(members.length <= 4 && members.includes('alice'), members.join());
  });
});

async function newRoom(
  app: TestApp,
  base: string,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const request = { userID: 'alice', roomInfo: 'm', ...fields };
  const { code, roomID } = await app.post(`${base}/create_room`, request);
  assert.equal(code, 0);
  return String(roomID);
}

/** A room with heartbeats and one without, in a service that is closed again. */
async function makeAndStop(settings: object, clock: TravelClock) {
  await using app = await startTestApp({ ...settings }, { clock });
  const heard = await newRoom(app, C, { nickName: 'Alice', roomType: 'trtc' });
  await enter(app, C, heard, 'bobby', { nickName: 'Bob' });
  const unheard = await newRoom(app, D, { needHeartBeat: false, roomType: 'pc' });
  await enter(app, D, unheard, 'alice', { status: 1 });
  await clock.advance(15_000);
  return { heard, unheard };
}

/** Alice beats, Bob is gone for silence a moment ago. */
async function roomWithoutBobby(
  app: TestApp,
  base: string,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const roomID = await newRoom(app, base, { nickName: 'Alice', ...fields });
  await enter(app, base, roomID, 'bobby', { nickName: 'Bob' });
  await keepBeating(app, 28_000, [[base, roomID, 'alice']]);
  assert.deepEqual(await membersOf(app, base, roomID), ['alice']);
  return roomID;
}

function enter(app: TestApp, base: string, roomID: string, userID: string, fields = {}) {
  return app.post(`${base}/enter_room`, { userID, roomID, ...fields });
}

/** The order of members is that of time. */
async function enterLater(app: TestApp, roomID: string, userID: string): Promise<void> {
  await app.clock.advance(10);
  assert.equal((await enter(app, C, roomID, userID)).code, 0);
}

function quit(app: TestApp, base: string, roomID: string, userID: string) {
  return app.post(`${base}/quit_room`, { userID, roomID });
}

function beat(app: TestApp, base: string, roomID: string, userID: string) {
  return app.post(`${base}/heartbeat`, { userID, roomID });
}

/** Lets time pass in steps of seven seconds, as clients beat. */
async function keepBeating(
  app: TestApp,
  forMs: number,
  members: readonly (readonly [base: string, roomID: string, userID: string])[],
): Promise<void> {
  for (let passedMs = 0; passedMs < forMs; passedMs += 7_000) {
    await app.clock.advance(7_000);
    for (const member of members) await beat(app, ...member);
  }
}

/** undefined when there is no such room. */
async function membersOf(app: TestApp, base: string, roomID: string) {
  const { code, members } = await app.post(`${base}/get_room_members`, { roomID });
  if (code === 3) return undefined;
  assert.equal(code, 0);
  return (members as readonly { readonly userID: string }[]).map(({ userID }) => userID);
}

async function listOf(app: TestApp, base: string, page: object = {}): Promise<readonly string[]> {
  const { code, rooms } = await app.post(`${base}/get_room_list`, page);
  assert.equal(code, 0);
  return (rooms as readonly { readonly roomID: string }[]).map(({ roomID }) => roomID);
}

/** A room of another kind, with Carol in it. */
async function newCall(app: TestApp, roomID: string): Promise<void> {
  const base = '/weapp/multi_room';
  const who = { roomID, userID: 'carol' };
  const { pushURL } = await app.post(`${base}/get_push_url?userID=carol`, who);
  const pusher = { ...who, userName: 'C', userAvatar: '', pushURL };
  assert.equal((await app.post(`${base}/add_pusher?userID=carol`, pusher)).code, 0);
}

async function callersOf(app: TestApp, roomID: string) {
  const { code, pushers } = await app.post('/weapp/multi_room/get_pushers', { roomID });
  if (code === 3) return undefined;
  return (pushers as readonly { readonly userID: string }[]).map(({ userID }) => userID);
}

function withTokens(wxHost: string) {
  return { auth: { mode: 'token' }, appId: 'wx-of-the-test', appSecret: 'secret', wxHost };
}

/** From a WeChat code to a token. */
async function walkIn(app: TestApp, code: string) {
  const { userID, userSig, sdkAppID, accountType } = await app.post(`${C}/get_login_info`, {
    code,
  });
  const query = `userID=${userID}&userSig=${userSig}&sdkAppID=${sdkAppID}&accountType=${accountType}`;
  const { token } = await app.post(`/weapp/multi_room/login?${query}`);
  return { userID: String(userID), query: `userID=${userID}&token=${token}` };
}

/** What a userSig says of its life, in seconds. */
function lifeOf({ userSig }: Answer): unknown {
  const base64 = String(userSig).replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  return JSON.parse(inflateSync(Buffer.from(base64, 'base64')).toString())['TLS.expire'];
}

function holdsNull(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === null;
  return Object.values(value).some(holdsNull);
}

/** How often each code was answered. */
function countsOf(answers: readonly Answer[]): Readonly<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const { code } of answers) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}
