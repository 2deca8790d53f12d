/**
 * The defects of the old servers, tried again. `wire` and other files named here hold what is
 * tried there already; each test says at its end which defects it tries.
 *
 * | theme | tried here |
 * |---|---|
 * | names of object internals | N1 N2 N53 |
 * | acting for somebody else | N7 N8 N9 N16 N18 A1-2 A1-3 |
 * | sessions | N10 N11 N12 N15 N17 |
 * | userSigs | N4 N5 N6 N13 A1-4 N64 N65 |
 * | administrators' pages | N3 N19 N20 N21 N25 N28 N41 N48 N63 A1-14 |
 * | IM groups | N29 N30 N33 N34 N35 N36 N37 N71 A1-1 A1-7 A1-8 |
 * | rooms | N31 N32 N38 N39 N40 N43 N44 N45 N47 N57 N58 N59 N72 A1-5 A1-6 |
 * | what clients send and read | N46 N49 N50 N51 N52 N54 N55 N56 N61 N62 N68 A1-9 A1-10 A1-11 A1-13 A1-15 |
 * | mixing streams | N22 N60 |
 *
 * | tried elsewhere | where |
 * |---|---|
 * | N14 N26 N69 what stands in which log | process.test.ts, logs.test.ts |
 * | N27 wrong or missing configuration | process.test.ts, config*.test.ts |
 *
 * | not tried | why |
 * |---|---|
 * | N23 N24 | kept for the clients: who is logged in may see rooms, and may push in a live room |
 * | N42 | no stream is asked for its state yet, so no answer of that kind can remove anybody |
 * | N66 N67 A1-12 | inside of the old program: a return value, an argument, a call of its logger |
 * | N70 | its pm2 file and unused packages have no successor here |
 */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign as signatureOf } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { deflateSync, inflateSync } from 'node:zlib';
import { mapControllers, type Route } from '../routes/auto_map.ts';
import { type FakeCloud, startFakeCloud } from './fake_cloud.ts';
import { type Answer, eventually, startTestApp, type TestApp, testConfig } from './support.ts';
import { userSigOf } from './wire/user_sigs.ts';

const SDK_APP_ID = 1_400_000_000;
const IM_KEY = 'EXAMPLE_SECRET_KEY';
const PUSH_URL = 'rtmp://8525.livepush.myqcloud.com/live/8525_alice_9f3c?bizid=8525&txSecret=x';
const INTERNALS = ['__proto__', 'constructor', 'prototype'];
const ADMIN = { authorization: `Basic ${btoa('admin:test-admin-password')}` };

/** Real keys, so everything needs a token; IM is local unless a cloud is given. */
const REAL = {
  auth: { mode: 'token' },
  im: { driver: 'local', sdkAppID: SDK_APP_ID, secretKey: IM_KEY, administrator: 'admin' },
  live: { bizid: 8525, pushSecretKey: 'EXAMPLE_PUSH_KEY' },
  limits: { rate: 'off' },
};

describe('names of object internals', () => {
  it('reach nothing behind the rooms, whoever joins, watches or counts with them (N1 N2)', async () => {
    await using app = await startTestApp(REAL);
    const alice = await personOf(app, 'alice');
    await alice.call('live_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
    for (const name of INTERNALS) {
      assert.equal((await logIn(app, name)).code, 7);
      const inRoom = { roomID: name, userID: 'alice', userInfo: '' };
      assert.equal((await alice.call('live_room/add_audience', inRoom)).code, 3);
      assert.equal((await alice.call('live_room/delete_audience', inRoom)).code, 0);
      assert.equal((await alice.call('live_room/get_audiences', inRoom)).audienceCount, 0);
      assert.equal((await alice.call('live_room/get_pushers', inRoom)).code, 3);
      assert.equal((await alice.call('live_room/destroy_room', inRoom)).code, 3);
      assert.equal((await alice.call('live_room/pusher_heartbeat', inRoom)).code, 5);
      const create = { ...inRoom, roomInfo: '' };
      assert.equal((await alice.call('live_room/create_room', create)).code, 1);
      const join = { ...seat('alice'), roomID: name };
      assert.equal((await alice.call('live_room/add_pusher', join)).code, 1);
      for (const room of [name, 'room1']) {
        const field = { roomID: room, fieldName: name, operation: 'inc' };
        assert.equal((await alice.call('live_room/set_custom_field', field)).code, 1);
      }
    }
    assert.deepEqual(Object.keys(Object.prototype), []);
    for (const property of ['count', 'custom', 'userName', 'pushURL', 'streamID', 'timestamp'])
      assert.ok(!(property in {}), property);
    const { rooms } = await alice.call('live_room/get_room_list', { index: 0, cnt: 100 });
    assert.deepEqual(
      (rooms as Room[]).map(({ roomID, pushers }) => [roomID, pushers.length]),
      [['room1', 1]],
    );
  });

  it('that every object has name no room until one is made, which is then like any other (N53)', async () => {
    await using app = await startTestApp();
    for (const roomID of ['toString', 'valueOf', 'hasOwnProperty', 'length']) {
      assert.equal((await app.post('/get_pushers', { roomID })).code, 3);
      const room = { ...seat('alice'), roomName: 'r', roomID };
      assert.equal((await app.post('/create_room', room)).code, 0);
      assert.equal((await app.post('/create_room', room)).code, 2);
      const custom = { roomID, fieldName: roomID, operation: 'inc' };
      const answer = await app.post('/set_custom_field', custom);
      assert.equal(answer.custom, JSON.stringify({ [roomID]: 1 }));
      assert.equal((await app.post('/destroy_room', { roomID, userID: 'alice' })).code, 0);
    }
  });

  it('that look like numbers change no order: the creator stays first, then who came first (N53)', async () => {
    await using app = await startTestApp();
    const joining = ['zoe', '10', '9', '2'];
    await app.post('/create_room', { ...seat('zoe'), roomName: 'r', roomID: '7' });
    for (const userID of joining) await app.post('/add_pusher', { ...seat(userID), roomID: '7' });
    assert.deepEqual(await membersOf(app, '7'), joining);
    for (const roomID of ['20', '3', 'a', '1'])
      await app.post('/create_room', { ...seat('x'), roomName: 'r', roomID });
    const { rooms } = await app.post('/get_room_list', { index: 0, cnt: 100 });
    const roomIDs = (rooms as Room[]).map(({ roomID }) => roomID);
    assert.deepEqual(roomIDs, ['7', '20', '3', 'a', '1']);
  });
});

describe('acting for somebody else', () => {
  const CONTROLLERS = new URL('../controllers/', import.meta.url);
  const isForClients = ({ endpoint }: Route) =>
    (endpoint.access ?? endpoint.group.access) === 'client';

  it('is impossible at every endpoint that knows its caller, however the other one is named (N7)', async () => {
    await using app = await startTestApp(REAL);
    const [alice, mallory] = [await personOf(app, 'alice'), await personOf(app, 'mallory')];
    await alice.call('live_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
    await alice.call('live_room/create_room', { userID: 'alice', roomInfo: '', roomID: 'room2' });
    const before = await alice.call('live_room/get_pushers', { roomID: 'room1' });
    const routes = (await mapControllers(CONTROLLERS)).filter(isForClients);
    const names = ['alice', ['alice'], ['mallory', 'alice'], { 0: 'alice' }, 'mallory ', 'Mallory'];
    const tryAll = async ({ path }: Route) => {
      for (const userID of names)
        for (const roomID of ['room1', 'room2']) {
          const sent = { ...everything, ...seat('x'), roomID, userID };
          const { code } = await app.post(`${path}?${mallory.query}`, sent);
          const isNaming = !/get_(pushers|room|custom|audiences)|logout|set_custom/.test(path);
          if (typeof userID === 'string') assert.equal(code, 7, `${path} ${userID}`);
          else if (isNaming) assert.ok([1, 2, 3, 7].includes(code), `${path} ${code}`);
        }
    };
    await Promise.all(routes.map(tryAll));
    assert.deepEqual(await alice.call('live_room/get_pushers', { roomID: 'room1' }), before);
    const join = { ...seat('alice'), roomID: 'room2' };
    assert.equal((await alice.call('live_room/add_pusher', join)).code, 0);
  });

  it('is impossible with two names or two tokens in one query, in a form, or without any (N7 N16 N18)', async () => {
    await using app = await startTestApp(REAL);
    const [alice, mallory] = [await personOf(app, 'alice'), await personOf(app, 'mallory')];
    const codeFor = async (query: string, body: unknown = { userID: 'alice' }) =>
      (await app.post(`/weapp/multi_room/get_push_url?${query}`, body)).code;
    const { token } = mallory;
    assert.equal(await codeFor(`userID=alice&userID=mallory&token=${token}`), 7);
    assert.equal(await codeFor(`userID=mallory&userID=alice&token=${token}`), 7);
    assert.equal(await codeFor(`userID=alice&token=${token}&token=${alice.token}`), 7);
    assert.equal(await codeFor(`userID[]=alice&token=${token}`), 7);
    assert.equal(await codeFor(`userID=alice%00&token=${token}`), 7);
    assert.equal(await codeFor(`USERID=alice&token=${token}`), 7);
    assert.equal(await codeFor(`userID=alice&token[]=${alice.token}`), 7);
    assert.equal(await codeFor('userID=alice'), 7);
    assert.equal(await codeFor('', { userID: 'alice', token: alice.token }), 7);
    assert.equal(await codeFor(alice.query), 0);
    for (const form of ['userID=alice', 'userID=mallory&userID=alice', 'userID[]=alice']) {
      const sent = await app.send(`/weapp/multi_room/get_push_url?${mallory.query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: form,
      });
      const answer = (await sent.json()) as Answer;
      assert.ok([1, 7].includes(answer.code), form);
    }
  });

  it('is impossible without a token: every endpoint is closed unless it says otherwise (N16 N17)', async () => {
    await using app = await startTestApp(REAL);
    for (const { path, endpoint } of await mapControllers(CONTROLLERS)) {
      const access = endpoint.access ?? endpoint.group.access;
      if (access === 'anyone') continue;
      const send = endpoint.group.method === 'GET' ? app.get : app.post;
      const { status, code, message } = await send(path);
      if (access === 'client') {
        assert.equal(code, 7, path);
        assert.match(String(message), /^鉴权失败 错误码:4 错误信息:参数不全/);
      } else assert.deepEqual([path, status, code], [path, 401, 401]);
    }
  });

  it('gains nobody a room: who made it stays its creator, and null is nobody (N8 N9)', async () => {
    await using app = await startTestApp(REAL);
    const [alice, bob] = [await personOf(app, 'alice'), await personOf(app, 'bob')];
    await alice.call('multi_room/create_room', { userID: 'alice', roomInfo: '', roomID: 'room1' });
    for (const userID of [null, '', 'undefined', 'null', 0, false, {}, []]) {
      const { code } = await bob.call('multi_room/destroy_room', { roomID: 'room1', userID });
      assert.ok([1, 7].includes(code), String(userID));
    }
    assert.equal((await bob.call('multi_room/destroy_room', { roomID: 'room1' })).code, 3);
    await bob.call('multi_room/add_pusher', { ...seat('bob'), roomID: 'room1' });
    const { roomCreator } = await bob.call('multi_room/get_pushers', { roomID: 'room1' });
    assert.equal(roomCreator, 'alice');
    assert.equal((await bob.call('multi_room/destroy_room', { roomID: 'room1' })).code, 3);
    assert.equal((await alice.call('multi_room/destroy_room', { roomID: 'room1' })).code, 0);
  });

  it('is not made easy: ids and tokens of nobody can be told from those before (A1-2 A1-3)', async () => {
    await using app = await startTestApp();
    const infos = await Promise.all(
      Array.from({ length: 20 }, () => app.post('/get_im_login_info', { userIDPrefix: 'ios' })),
    );
    const userIDs = infos.map(({ userID }) => String(userID));
    assert.equal(new Set(userIDs).size, 20);
    for (const userID of userIDs) assert.match(userID, /^user_[0-9a-f]{8}_[0-9a-f]{4}$/);
    const tokens = await Promise.all(
      Array.from({ length: 20 }, () => app.post('/weapp/multi_room/login?userID=alice')),
    );
    assert.equal(new Set(tokens.map(({ token }) => token)).size, 20);
    for (const { token } of tokens) assert.notEqual(token, 'abcde123456789');
  });
});

describe('sessions', () => {
  it('end by logout, that one alone and for good (N10 N15)', async () => {
    await using app = await startTestApp(REAL);
    const [phone, pad] = [await personOf(app, 'alice'), await personOf(app, 'alice')];
    assert.notEqual(phone.token, pad.token);
    for (const device of [phone, pad]) assert.equal((await device.list()).code, 0);
    assert.equal((await phone.call('live_room/logout', {})).code, 0);
    assert.match(String((await phone.list()).message), /错误码:3 错误信息:用户未登录或token过期$/);
    assert.equal((await phone.call('live_room/logout', {})).code, 7);
    assert.equal((await pad.list()).code, 0);
  });

  it('say in each refusal which of the four reasons it has (N17)', async () => {
    await using app = await startTestApp(REAL);
    const alice = await personOf(app, 'alice');
    const messageFor = async (query: string) =>
      (await app.post(`/weapp/multi_room/get_room_list?${query}`)).message;
    const end = (reason: number, text: string) => `鉴权失败 错误码:${reason} 错误信息:${text}`;
    assert.equal(await messageFor(`userID=bob&token=${alice.token}`), end(1, 'token 错误'));
    assert.equal(await messageFor('userID=alice&token=%00'), end(2, 'token 错误'));
    const unknown = `${alice.token.slice(0, -1)}${alice.token.endsWith('A') ? 'B' : 'A'}`;
    assert.equal(
      await messageFor(`userID=alice&token=${unknown}`),
      end(3, '用户未登录或token过期'),
    );
    assert.match(String(await messageFor('token=x')), /错误码:4 /);
  });

  it('have tokens that no URL breaks, that end when unused, and that are few per user (N11)', async () => {
    await using app = await startTestApp({
      ...REAL,
      wxLoginExpires: 60,
      limits: { rate: 'off', tokensPerUser: 3 },
    });
    const devices = [];
    for (let device = 0; device < 4; device++) devices.push(await personOf(app, 'alice'));
    for (const { token } of devices) assert.match(token, /^[A-Za-z0-9_-]{22,}$/);
    const codes = await Promise.all(devices.map(async (device) => (await device.list()).code));
    assert.deepEqual(codes.sort(), [0, 0, 0, 7]);
    const [last] = devices.slice(-1);
    for (let minute = 0; minute < 4; minute++) {
      await app.clock.advance(50_000);
      assert.equal((await last?.list())?.code, 0);
    }
    await app.clock.advance(61_000);
    for (const device of devices) assert.equal((await device.list()).code, 7);
  });

  it('begin only with a userSig of this very app and account type (N12)', async () => {
    await using app = await startTestApp({ ...REAL, im: { ...REAL.im, accountType: '12345' } });
    const other = { sdkAppID: 1_400_000_001 };
    assert.equal((await logIn(app, 'alice')).code, 0);
    assert.equal((await logIn(app, 'alice', { query: { accountType: 'zzz' } })).code, 7);
    assert.equal((await logIn(app, 'alice', { query: { sdkAppID: '1400000001' } })).code, 7);
    assert.equal((await logIn(app, 'alice', { sig: other })).code, 7);
    const both = { sig: other, query: { sdkAppID: '1400000001' } };
    assert.equal((await logIn(app, 'alice', both)).code, 7);
    assert.equal((await logIn(app, 'alice', { sig: { key: 'another key' } })).code, 7);
    assert.equal((await logIn(app, 'alice', { sig: { userID: 'bob' } })).code, 7);
  });
});

describe('userSigs', () => {
  it('are made for nobody who cannot prove who he is, where tokens are needed (N4)', async () => {
    await using app = await startTestApp(REAL);
    for (const userID of ['', 'alice', 'admin'])
      for (const code of ['', 'wx-code']) {
        const query = new URLSearchParams({ userID, code, userIDPrefix: 'weixin' });
        const minted = [
          await app.get(`/weapp/utils/get_login_info?${query}`),
          await app.post('/get_im_login_info', Object.fromEntries(query)),
          await app.post('/weapp/live_room/get_im_login_info', Object.fromEntries(query)),
          await app.post(`/weapp/double_room/login?${query}`),
        ];
        for (const answer of minted) {
          assert.ok([1, 7].includes(answer.code));
          assert.ok(!('userSig' in answer));
        }
      }
  });

  it('are made for no administrator and no id that could be read as two, even in the open (N4 N6)', async () => {
    await using app = await startTestApp({ ...REAL, auth: { mode: 'open' } });
    const ids = [
      'admin',
      'administrator',
      'alice\nTLS.sdk_appid:1',
      'a b',
      'alice\u0000',
      '__proto__',
      'x'.repeat(33),
    ];
    for (const userID of ids) {
      const query = new URLSearchParams({ userID });
      const minted = [
        await app.get(`/weapp/utils/get_login_info?${query}`),
        await app.post('/get_im_login_info', { userIDPrefix: 'ios', userID }),
        await app.post(`/weapp/multi_room/login?${query}`),
        await app.post('/weapp/webrtc_room/get_login_info', { userID }),
        await app.get(`/weapp/webexe_room/get_login_info?${query}`),
        await app.post('/weapp/webrtc_room/create_room', { userID, roomInfo: 'r' }),
        await app.post('/weapp/webexe_room/create_room', { userID, roomInfo: 'r' }),
      ];
      for (const answer of minted) assert.ok([1, 2, 7].includes(answer.code), userID);
    }
    for (const userID of ['admin', 'administrator'])
      assert.equal((await logIn(app, userID)).code, 7);
  });

  it('live a day, and neither for ever nor before their time (N4 N5)', async () => {
    await using app = await startTestApp({ ...REAL, auth: { mode: 'open' } });
    const { userSig } = await app.get('/weapp/utils/get_login_info?userID=alice');
    assert.equal(contentOf(String(userSig))['TLS.expire'], 86_400);
    const nowS = Math.floor(Date.now() / 1000);
    const codeOf = async (sig: Partial<SigTimes>) => (await logIn(app, 'alice', { sig })).code;
    assert.equal(await codeOf({}), 0);
    assert.equal(await codeOf({ timeS: 1_500_000_000, expireS: 60 }), 7);
    assert.equal(await codeOf({ timeS: nowS - 100, expireS: 100 }), 7);
    assert.equal(await codeOf({ timeS: nowS + 3_600 }), 7);
    assert.equal(await codeOf({ expireS: 10 ** 11 }), 7);
    assert.equal(await codeOf({ expireS: -1 }), 7);
  });

  it('of the first generation cannot be cut again into those of somebody else (N5 N6)', async () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'secp256k1',
      privateKeyEncoding: { type: 'sec1', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    const { secretKey: _, ...im } = REAL.im;
    await using app = await startTestApp({
      ...REAL,
      im: { ...im, accountType: '12345', privateKey },
    });
    const nowS = String(Math.floor(Date.now() / 1000));
    const claims = { identifier: 'alice', time: nowS, expire: '86400' };
    const codeOf = async (userID: string, userSig: string) =>
      (await logIn(app, userID, { userSig, query: { accountType: '12345' } })).code;
    assert.equal(await codeOf('alice', firstGenerationSig(claims, privateKey)), 0);
    const old = { ...claims, time: '1500000000', expire: '60' };
    assert.equal(await codeOf('alice', firstGenerationSig(old, privateKey)), 7);
    // Signed for a crafted id, and re-cut so that the same text names bob and ends never.
    const crafted = `bob\nTLS.sdk_appid:${SDK_APP_ID}\nTLS.time:${nowS}\nTLS.expire_after:9`;
    const genuine = firstGenerationSig({ ...claims, identifier: crafted }, privateKey);
    assert.equal(await codeOf(crafted, genuine), 7);
    const { 'TLS.sig': signature } = contentOf(genuine);
    const cut = { ...contentOf(genuine), 'TLS.identifier': 'bob', 'TLS.sig': signature };
    const after = `9\nTLS.sdk_appid:${SDK_APP_ID}\nTLS.time:${nowS}\nTLS.expire_after:86400`;
    assert.equal(await codeOf('bob', packed({ ...cut, 'TLS.expire_after': after })), 7);
  });

  it('that are none are a refused login, at once and whatever they unpack to (N13)', async () => {
    await using app = await startTestApp(REAL);
    const bomb = packed({ padding: 'x'.repeat(20_000_000) });
    for (const userSig of ['AAAA', '_', '*', 'x'.repeat(4_000), bomb.slice(0, 4_000), packed([])]) {
      const startedAtMs = performance.now();
      assert.equal((await logIn(app, 'alice', { userSig })).code, 7);
      assert.ok(performance.now() - startedAtMs < 1_000);
    }
  });

  it('for a WeChat code are always for the same user, whom nobody can trace back (A1-4 N64)', async () => {
    await using cloud = await startFakeCloud();
    await using app = await startTestApp({ ...REAL, ...wechatAt(cloud) });
    for (const code of ['c1', 'c2']) cloud.codes.set(code, 'openid-of-ann');
    cloud.codes.set('c3', 'openid-of-bob');
    const login = (code: string) => app.get(`/weapp/utils/get_login_info?code=${code}`);
    const [first, again, other] = [await login('c1'), await login('c2'), await login('c3')];
    assert.equal(first.code, 0);
    assert.equal(first.userID, again.userID);
    assert.notEqual(first.userID, other.userID);
    assert.ok(!JSON.stringify([first, other]).includes('openid'));
    assert.equal((await login('c1')).code, 7);
    const token = await logIn(app, String(first.userID), { userSig: String(first.userSig) });
    assert.equal(token.code, 0);
  });

  it('are refused, and nothing breaks, whatever WeChat answers (N65)', async () => {
    await using cloud = await startFakeCloud();
    await using app = await startTestApp({ ...REAL, ...wechatAt(cloud) });
    cloud.codes.set('c1', 'openid-of-ann');
    const bodies = [
      '',
      'null',
      '[]',
      '{"openid":{}}',
      '{"openid":""}',
      '{"openid":"a/../b"}',
      '"x"',
    ];
    const odd = bodies.map((body) => ({ status: 200, body }));
    for (const mode of ['reset', 'http500', 'html', 'huge', 'redirect', ...odd] as const) {
      cloud.wechatMode = mode;
      assert.equal((await app.get('/weapp/utils/get_login_info?code=c1')).code, 7);
    }
    cloud.wechatMode = 'ok';
    assert.equal((await app.get('/weapp/utils/get_login_info?code=c1')).code, 0);
  });
});

describe("administrators' pages", () => {
  const PAGES = [
    'logfilelist',
    'getlogfile',
    'check_config',
    'get_test_pushurl',
    'get_test_rtmpaccurl',
  ];

  it('are closed to everybody else, whatever the header (N3 N19 N20 N21)', async () => {
    await using app = await startTestApp(REAL);
    const basic = (text: string) => `Basic ${btoa(text)}`;
    const wrong = [
      ...['Basic', 'Basic ', 'Basic =', 'Basic !!', 'Bearer x', 'admin:test-admin-password', ''],
      ...[basic(''), basic(':'), basic('admin:'), basic('admin'), basic(':test-admin-password')],
      ...[basic('Admin:test-admin-password'), basic('admin:Test-admin-password')],
      ...[basic('admin:test-admin-passwor'), basic('admin:test-admin-password\n')],
      ...[basic('admin:undefined'), basic('admin:[secret]'), basic('admin:null')],
      ...[`Digest ${btoa('admin:test-admin-password')}`, `Basic  ${btoa('a:b')}`],
    ];
    for (const page of PAGES)
      for (const authorization of wrong) {
        const { status, code } = await app.get(`/weapp/utils/${page}`, { authorization });
        assert.deepEqual([authorization, status, code], [authorization, 401, 401]);
      }
    const asked = await app.send('/weapp/utils/logfilelist', {});
    assert.match(asked.headers.get('www-authenticate') ?? '', /^Basic realm=/);
    const opened = await app.send('/weapp/utils/logfilelist', { headers: ADMIN });
    assert.equal(opened.status, 200);
  });

  it('give log files only, by the names of the list and no other way (N3 N20 N25)', async () => {
    await using house = await houseWithLogs();
    const { app, dir } = house;
    const list = await (await app.send('/weapp/utils/logfilelist', { headers: ADMIN })).text();
    assert.match(list, /getlogfile\?file=\.%2Ferror%2Ferror-2018-02-27-15\.log">/);
    assert.ok(!/<script|secrets|escape/.test(list), list);
    const open = (file: string) =>
      app.send(`/weapp/utils/getlogfile?file=${encodeURIComponent(file)}`, { headers: ADMIN });
    assert.equal(await (await open('./error/error-2018-02-27-15.log')).text(), 'a line\n');
    const others = [
      ...['../secrets.json', './../secrets.json', './error/../../secrets.json', '/etc/passwd'],
      ...[`${dir}/secrets.json`, 'error/error-2018-02-27-15.log', './error/', '.', '..', './error'],
      ...['./error/error-2018-02-27-15.log\u0000', '.\\error\\error-2018-02-27-15.log'],
      ...['./error/./error-2018-02-27-15.log', './error/<script>.log', './error/escape.log'],
      ...['file:///etc/passwd', '%2e%2e/secrets.json', './ERROR/error-2018-02-27-15.log'],
    ];
    for (const file of others) {
      const answer = await open(file);
      const body = (await answer.json()) as Answer;
      assert.deepEqual([file, answer.status, body.code], [file, 404, 404]);
      assert.ok(!JSON.stringify(body).includes(dir));
    }
    for (const query of ['', '?file=', '?file[]=x']) {
      const answer = await app.get(`/weapp/utils/getlogfile${query}`, ADMIN);
      assert.deepEqual([answer.status, answer.code], [400, 400]);
    }
    const twice = './error/error-2018-02-27-15.log&file=../secrets.json';
    const first = await app.send(`/weapp/utils/getlogfile?file=${twice}`, { headers: ADMIN });
    assert.equal(await first.text(), 'a line\n');
  });

  it('try the configuration without leaving a group, and survive odd answers (N19 N25 N41 N48)', async () => {
    await using cloud = await startFakeCloud();
    const live = {
      ...REAL.live,
      appID: 1_250_000_000,
      APIKey: 'EXAMPLE_API_KEY',
      apiHost: cloud.url,
    };
    await using app = await startTestApp({ ...REAL, live, im: imAt(cloud) });
    const check = () => app.get('/weapp/utils/check_config', ADMIN);
    assert.equal((await check()).result, '检查正确');
    assert.equal(cloud.groups.size, 0);
    const answers = ['{"ret":0}', '{"ret":0,"output":[]}', '{"ret":0,"output":null}', '[]', 'x'];
    for (const body of answers) {
      cloud.liveMode = { status: 200, body };
      const report = await check();
      assert.equal(report.code, 0);
      assert.ok(!/ at |node_modules|Error/.test(JSON.stringify(report.live ?? '')), body);
    }
    cloud.imMode = { errorCode: 70_009 };
    assert.equal((await check()).result, '检查失败');
    assert.equal(cloud.groups.size, 0);
  });

  it('hand out five URLs of one stream, free to all only where everything is (N21 N63)', async () => {
    await using open = await startTestApp();
    const urls = await open.get('/weapp/utils/get_test_pushurl');
    const names = ['url_push', 'url_play_flv', 'url_play_rtmp', 'url_play_hls', 'url_play_acc'];
    const streams = names.map((name) => /\/live\/([\w-]+)/.exec(String(urls[name]))?.[1]);
    assert.equal(new Set(streams).size, 1);
    assert.match(String(streams[0]), /^user_[0-9a-f]{8}_[0-9a-f]{4}$/);
    await using closed = await startTestApp(REAL);
    assert.equal((await closed.get('/weapp/utils/get_test_pushurl')).code, 401);
    assert.equal((await closed.get('/weapp/utils/get_test_pushurl', ADMIN)).code, 0);
  });

  it('sign nothing for whoever asks, and open to no other origin by themselves (A1-14 N28)', async () => {
    await using app = await startTestApp();
    const answer = await app.post('/weapp/utils/get_login_info', { time: 60, userID: 'alice' });
    assert.deepEqual([answer.status, answer.code], [405, 405]);
    const headers = { origin: 'https://evil.example.com' };
    const { headers: got } = await app.send('/weapp/utils/get_login_info', { headers });
    assert.equal(got.get('access-control-allow-origin'), null);
  });
});

describe('IM groups', () => {
  it('are asked for politely: JSON, a fresh number each time, one signature, encrypted hosts (N29 N30 N71)', async () => {
    await using cloud = await startFakeCloud();
    await using app = await startTestApp({ ...REAL, im: imAt(cloud) });
    const alice = await personOf(app, 'alice');
    for (let room = 0; room < 20; room++)
      await alice.call('multi_room/create_room', { roomInfo: "!'()*", roomID: `room${room}` });
    const creations = cloud.calls.filter(({ api }) => api === 'create_group');
    assert.equal(creations.length, 20);
    for (const { contentType, body } of creations) {
      assert.match(contentType, /^application\/json/);
      assert.deepEqual(Object.keys(body).sort(), ['GroupId', 'Name', 'Owner_Account', 'Type']);
    }
    const numbers = creations.map(({ query }) => Number(query.random));
    assert.equal(new Set(numbers).size, 20);
    assert.ok(numbers.some((number) => number > 65_535));
    assert.equal(new Set(creations.map(({ query }) => query.usersig)).size, 1);
    const { im, live, wxHost } = testConfig(REAL);
    for (const host of [im.host, live.apiHost, wxHost]) assert.match(host, /^https:/);
  });

  it('that are refused make no room: code 6, few calls, and the id is free again (N33 N34 A1-1)', async () => {
    await using cloud = await startFakeCloud();
    await using app = await startTestApp({ ...REAL, im: imAt(cloud) });
    const alice = await personOf(app, 'alice');
    const refusals = [{ errorCode: 70_009 }, { errorCode: 10_004 }, { errorCode: 99_999 }] as const;
    const modes = [...refusals, 'http500', 'html', 'reset', 'redirect', 'huge'] as const;
    for (const [index, mode] of modes.entries()) {
      cloud.imMode = mode;
      cloud.forgetCalls();
      const room = { roomInfo: 'r', roomID: `made${index}` };
      const created = await alice.call('multi_room/create_room', room);
      assert.deepEqual([mode, created.status, created.code], [mode, 200, 6]);
      assert.ok(!/node_modules|:\d+\)| at /.test(JSON.stringify(created)));
      const join = { ...seat('alice'), roomID: `joined${index}` };
      assert.equal((await alice.call('multi_room/add_pusher', join)).code, 6);
      const creations = cloud.calls.filter(({ api }) => api === 'create_group');
      assert.ok(creations.length <= 10, `${creations.length} calls for two requests`);
      assert.equal((await alice.call('multi_room/get_custom_info', room)).code, 3);
    }
    cloud.imMode = 'ok';
    const again = { roomInfo: 'r', roomID: 'made0' };
    const isMade = async () => (await alice.call('multi_room/create_room', again)).code === 0;
    assert.ok(await eventually(isMade));
  });

  it('that hang hold nobody up for longer than clients wait (N37)', async () => {
    await using cloud = await startFakeCloud();
    await using app = await startTestApp({ ...REAL, im: imAt(cloud) });
    const alice = await personOf(app, 'alice');
    cloud.imMode = 'hang';
    const startedAtMs = performance.now();
    assert.equal((await alice.call('multi_room/create_room', { roomInfo: 'r' })).code, 6);
    assert.ok(performance.now() - startedAtMs < 4_500);
  });

  it('in trouble change no answer: who joins or leaves has joined or left (N35 N36)', async () => {
    await using cloud = await startFakeCloud();
    await using app = await startTestApp({ ...REAL, im: imAt(cloud) });
    const [alice, bob] = [await personOf(app, 'alice'), await personOf(app, 'bob')];
    await alice.call('multi_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
    for (const mode of ['reset', 'http500', { errorCode: 10_010 }] as const) {
      cloud.imMode = mode;
      const startedAtMs = performance.now();
      const join = { ...seat('bob'), roomID: 'room1' };
      assert.equal((await bob.call('multi_room/add_pusher', join)).code, 0);
      assert.equal((await bob.call('multi_room/delete_pusher', { roomID: 'room1' })).code, 0);
      assert.ok(performance.now() - startedAtMs < 1_000);
    }
    assert.equal((await alice.call('multi_room/destroy_room', { roomID: 'room1' })).code, 0);
    cloud.imMode = 'ok';
    const isGone = async () => {
      await app.clock.advance(1_000);
      return cloud.groups.size === 0;
    };
    assert.ok(await eventually(isGone));
  });

  it('hear of updates too, and only rooms that exist have one (A1-7 A1-8)', async () => {
    await using cloud = await startFakeCloud();
    const im = { ...imAt(cloud), notifyMode: 'systemNotification' };
    await using app = await startTestApp({ ...REAL, auth: { mode: 'open' }, im });
    const missing = await app.post('/add_pusher', { ...seat('alice'), roomID: 'nowhere' });
    assert.equal(missing.code, 3);
    await app.post('/create_room', { ...seat('alice'), roomName: 'r', roomID: 'room1' });
    const noticesOf = (groupID: string) =>
      cloud.callsOf(groupID).filter((api) => api.startsWith('send_')).length;
    assert.equal(noticesOf('room1'), 0);
    const moved = { ...seat('alice'), pushURL: PUSH_URL.replace('9f3c', '77aa'), roomID: 'room1' };
    assert.equal((await app.post('/add_pusher', moved)).code, 0);
    await app.clock.advance(1_000);
    assert.ok(await eventually(() => noticesOf('room1') === 1));
    assert.deepEqual(cloud.callsOf('nowhere'), []);
    const { mixedPlayURL, pushers } = await app.post('/get_pushers', { roomID: 'room1' });
    assert.match(String(mixedPlayURL), /8525_alice_77aa\.flv$/);
    assert.match((pushers as Pusher[])[0]?.accelerateURL ?? '', /\/8525_alice_77aa\?/);
  });
});

describe('rooms', () => {
  it('that nobody made are made by who joins, with all he brings (N31 N32)', async () => {
    await using app = await startTestApp(REAL);
    const alice = await personOf(app, 'alice');
    const join = { ...seat('alice'), roomID: 'room1', userAvatar: 'https://a/b?c=d&e=f' };
    const joined = await alice.call('double_room/add_pusher', { ...join, roomInfo: 'kept' });
    assert.deepEqual([joined.code, joined.roomID], [0, 'room1']);
    const room = await alice.call('double_room/get_pushers', { roomID: 'room1' });
    assert.deepEqual([room.roomInfo, room.roomCreator], ['kept', 'alice']);
    const [pusher] = room.pushers as Pusher[];
    assert.deepEqual([pusher?.userID, pusher?.userAvatar], ['alice', 'https://a/b?c=d&e=f']);
  });

  it('are made once, however many make them at one time, and nobody is lost by it (N38)', async () => {
    await using app = await startTestApp(REAL);
    const people = await Promise.all(Array.from({ length: 10 }, (_, i) => personOf(app, `u${i}`)));
    const codes = await Promise.all(
      people.map(async (person) => {
        const room = { roomInfo: person.userID, roomID: 'room1' };
        const { code } = await person.call('multi_room/create_room', room);
        if (code !== 0) return code;
        const join = { ...seat(person.userID), roomID: 'room1' };
        assert.equal((await person.call('multi_room/add_pusher', join)).code, 0);
        return code;
      }),
    );
    assert.deepEqual(
      codes.sort((a, b) => a - b),
      [0, ...Array(9).fill(11)],
    );
    const [someone = await personOf(app, 'someone')] = people;
    const room = await someone.call('multi_room/get_pushers', { roomID: 'room1' });
    assert.equal((room.pushers as Pusher[]).length, 1);
    assert.equal(room.roomInfo, room.roomCreator);
  });

  it('that nobody enters go after maxIdleDuration, with their group (N39)', async () => {
    await using cloud = await startFakeCloud();
    await using app = await startTestApp({ ...REAL, im: imAt(cloud) });
    const alice = await personOf(app, 'alice');
    await alice.call('multi_room/create_room', { roomInfo: 'r', roomID: 'room1' });
    assert.ok(cloud.groups.has('room1'));
    await app.clock.advance(29_000);
    assert.equal((await alice.call('multi_room/get_custom_info', { roomID: 'room1' })).code, 0);
    await app.clock.advance(7_000);
    assert.equal((await alice.call('multi_room/get_custom_info', { roomID: 'room1' })).code, 3);
    assert.ok(await eventually(() => !cloud.groups.has('room1')));
  });

  it('play the stream their creator has now, and keep their fields when entered (N40 N47)', async () => {
    await using app = await startTestApp(REAL);
    const [alice, bob] = [await personOf(app, 'alice'), await personOf(app, 'bob')];
    await alice.call('live_room/create_room', { roomInfo: 'r', roomID: 'room1' });
    const field = { roomID: 'room1', fieldName: 'likes', operation: 'inc' };
    await alice.call('live_room/set_custom_field', field);
    const playURL = async () =>
      String((await bob.call('live_room/get_pushers', { roomID: 'room1' })).mixedPlayURL);
    for (const end of ['9f3c', '77aa', '0001']) {
      const pushURL = PUSH_URL.replace('9f3c', end);
      await alice.call('live_room/add_pusher', { ...seat('alice'), pushURL, roomID: 'room1' });
      await bob.call('live_room/add_pusher', { ...seat('bob'), roomID: 'room1' });
      assert.match(await playURL(), new RegExp(`/8525_alice_${end}\\.flv$`));
    }
    const { custom } = await bob.call('live_room/get_custom_info', { roomID: 'room1' });
    assert.equal(custom, '{"likes":1}');
  });

  it('lose who is silent in bounded time, and nobody who came back or whose clock jumped (N43 N44 N45 A1-5)', async () => {
    await using app = await startTestApp();
    await app.post('/create_room', { ...seat('alice'), roomName: 'r', roomID: 'room1' });
    for (const userID of ['bob', 'carol'])
      await app.post('/add_pusher', { ...seat(userID), roomID: 'room1' });
    const beat = (userID: string) => app.post('/pusher_heartbeat', { roomID: 'room1', userID });
    app.clock.setCalendarForward(86_400_000);
    await app.clock.advance(14_000);
    assert.deepEqual(await membersOf(app, 'room1'), ['alice', 'bob', 'carol']);
    await beat('alice');
    await app.clock.advance(5_500);
    // Bob comes back right before the sweep that would have removed him; Carol beats late, once.
    await app.post('/add_pusher', { ...seat('bob'), roomID: 'room1' });
    await beat('carol');
    await app.clock.advance(14_000);
    await beat('alice');
    await app.clock.advance(5_000);
    assert.deepEqual(await membersOf(app, 'room1'), ['alice', 'bob', 'carol']);
    await app.clock.advance(7_000);
    assert.deepEqual(await membersOf(app, 'room1'), ['alice']);
    assert.equal((await beat('bob')).code, 5);
  });

  it('are never fuller than allowed, by whichever way people come (N57)', async () => {
    await using app = await startTestApp(REAL);
    const people = await Promise.all(Array.from({ length: 40 }, (_, i) => personOf(app, `u${i}`)));
    for (const [kind, seats] of [
      ['double_room', 2],
      ['multi_room', 4],
      ['live_room', 4],
    ] as const) {
      const codes = await Promise.all(
        people.map(async (person) => {
          const join = { ...seat(person.userID), roomID: kind };
          return (await person.call(`${kind}/add_pusher`, join)).code;
        }),
      );
      const counts = [0, 5001].map((code) => codes.filter((each) => each === code).length);
      assert.deepEqual([kind, ...counts], [kind, seats, 40 - seats]);
    }
  });

  it('one user may be in at once, and leave to others and still end (N58 N59 A1-6)', async () => {
    await using app = await startTestApp(REAL);
    const [alice, bob] = [await personOf(app, 'alice'), await personOf(app, 'bob')];
    for (const roomID of ['room1', 'room2'])
      assert.equal(
        (await alice.call('multi_room/add_pusher', { ...seat('alice'), roomID })).code,
        0,
      );
    await bob.call('multi_room/add_pusher', { ...seat('bob'), roomID: 'room1' });
    assert.equal((await alice.call('multi_room/delete_pusher', { roomID: 'room1' })).code, 0);
    for (let beats = 0; beats < 6; beats++) {
      await app.clock.advance(7_000);
      await bob.call('multi_room/pusher_heartbeat', { roomID: 'room1' });
    }
    const left = await bob.call('multi_room/get_pushers', { roomID: 'room1' });
    assert.deepEqual([left.code, left.roomCreator], [0, 'alice']);
    assert.equal((await bob.call('multi_room/destroy_room', { roomID: 'room1' })).code, 3);
    assert.equal((await alice.call('multi_room/destroy_room', { roomID: 'room1' })).code, 0);
  });

  it('and sessions outlive the process (N72)', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'roomkeep-defects-'));
    try {
      const settings = { ...REAL, sqlite: { file: join(dir, 'rooms.db') } };
      const before = await startTestApp(settings);
      const alice = await personOf(before, 'alice');
      await alice.call('live_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
      const room = await alice.call('live_room/get_pushers', { roomID: 'room1' });
      await before.app.close();
      await using after = await startTestApp(settings);
      const path = `/weapp/live_room/get_pushers?${alice.query}`;
      assert.deepEqual(await after.post(path, { roomID: 'room1' }), room);
      const beat = `/weapp/live_room/pusher_heartbeat?${alice.query}`;
      assert.equal((await after.post(beat, { roomID: 'room1', userID: 'alice' })).code, 0);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe('what clients send', () => {
  it('counts in fields that add up, are set as given, and refuse what is no number (N46)', async () => {
    await using app = await startTestApp(REAL);
    const alice = await personOf(app, 'alice');
    await alice.call('live_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
    const change = (fieldName: string, operation: string, value?: unknown) =>
      alice.call('live_room/set_custom_field', { roomID: 'room1', fieldName, operation, value });
    await Promise.all(Array.from({ length: 30 }, () => change('likes', 'inc')));
    await Promise.all(Array.from({ length: 10 }, () => change('likes', 'dec')));
    assert.equal((await change('title', 'set', 'text')).custom, '{"likes":20,"title":"text"}');
    for (const operation of ['inc', 'dec'])
      assert.equal((await change('title', operation)).code, 1);
    for (const value of [undefined, null, {}, [1]])
      assert.equal((await change('likes', 'set', value)).code, 1);
    assert.equal((await change('likes', 'multiply', 2)).code, 1);
    const { custom, customInfo } = await change('likes', 'inc');
    assert.deepEqual([custom, customInfo], Array(2).fill('{"likes":21,"title":"text"}'));
  });

  it('may have slashes anywhere, and a path that is unknown is never a success (N49 N50 N61)', async () => {
    await using app = await startTestApp(REAL);
    const alice = await personOf(app, 'alice');
    const { query } = alice;
    const list = (path: string) => app.post(path, { index: 0, cnt: 1 });
    assert.equal((await list(`/weapp/multi_room/get_room_list/?${query}`)).code, 0);
    assert.equal((await list(`/weapp/multi_room/get_room_list?x=/a/b/&${query}`)).code, 0);
    assert.equal((await list(`/roomservice//weapp/multi_room/get_room_list?${query}`)).code, 0);
    assert.equal((await list(`/weapp/no_room/get_room_list?${query}`)).code, 404);
    assert.equal((await app.get(`/weapp/multi_room/get_room_list?${query}`)).code, 405);
    for (const kind of ['double_room', 'multi_room', 'live_room']) {
      const answer = await alice.call(`${kind}/merge_stream`, { roomID: '', mergeParams: '{' });
      assert.equal(answer.code, 10);
    }
  });

  it('as push URLs is taken as it is, cut nowhere blindly, and refused when it is none (N51 A1-9)', async () => {
    await using app = await startTestApp({ ...REAL, auth: { mode: 'open' } });
    const streamOf = async (pushURL: string) => {
      const joined = await app.post('/create_room', { ...seat('ann'), roomName: 'r', pushURL });
      if (joined.code !== 0) return joined.code;
      const { mixedPlayURL } = await app.post('/get_pushers', joined);
      return /\/live\/([^?]*)\.flv/.exec(String(mixedPlayURL))?.[1] ?? '';
    };
    assert.equal(await streamOf('rtmp://h/live/8525_other_9f3c'), '8525_other_9f3c');
    assert.equal(await streamOf('rtmp://h/live/8525_other_9f3c?a=/b/c'), '8525_other_9f3c');
    assert.equal(await streamOf('webrtc://h/a/b/8525_x'), '8525_x');
    for (const foreign of [
      'rtmp://h/live/9999_other_9f3c',
      'rtmp://h/live/85',
      'rtmp://h/live/8525_',
    ])
      assert.equal(await streamOf(foreign), '');
    const none = [
      '',
      'x',
      'http://h/live/8525_x',
      'rtmp://h',
      'rtmp://h/live/',
      'rtmp://h/live/a.b',
    ];
    const odd = ['rtmp://u@h/live/8525_x', 'rtmp://h/live/8525 x', `rtmp://h/${'a'.repeat(1_024)}`];
    for (const pushURL of [...none, ...odd, 'rtmp://h/live/8525_x\n', 'rtmp://h/live/8525_\u0000'])
      assert.equal(await streamOf(pushURL), 1, pushURL);
  });

  it('has the types it should have, or is missing; numbers stand for ids and are told as text (N52)', async () => {
    await using app = await startTestApp(REAL);
    const alice = await personOf(app, 'alice');
    const odd: readonly unknown[] = [null, true, {}, { a: 1 }, [], ['x'], { toString: 'x' }];
    for (const value of odd) {
      for (const field of ['roomInfo', 'roomID']) {
        const room = { roomInfo: 'r', [field]: value };
        assert.equal((await alice.call('multi_room/create_room', room)).code, 1, field);
      }
      for (const field of ['roomID', 'userName', 'userAvatar', 'pushURL', 'userID']) {
        const join = { ...seat('alice'), roomID: 'room1', [field]: value };
        assert.equal((await alice.call('multi_room/add_pusher', join)).code, 1, field);
      }
    }
    const created = await alice.call('multi_room/create_room', { roomInfo: 7, roomID: 4711 });
    assert.strictEqual(created.roomID, '4711');
    const joined = await alice.call('multi_room/add_pusher', { ...seat('alice'), roomID: 4711 });
    assert.strictEqual(joined.roomID, '4711');
    // Digits that did not survive the client's own JSON name somebody else by now.
    const huge = { roomInfo: '', roomID: 2 ** 60 };
    assert.equal((await alice.call('multi_room/create_room', huge)).code, 1);
  });

  it('as a page is counted, never guessed: none for 0, a hundred at most, text like numbers (N54 A1-10 A1-13)', async () => {
    await using app = await startTestApp();
    for (let room = 0; room < 12; room++)
      await app.post('/create_room', { ...seat('ann'), roomName: 'r', roomID: `room${room}` });
    const page = async (index: unknown, cnt: unknown) => {
      const { code, rooms } = await app.post('/get_room_list', { index, cnt });
      return code === 0 ? (rooms as Room[]).map(({ roomID }) => roomID.slice(4)) : code;
    };
    assert.deepEqual(await page(0, 0), []);
    assert.deepEqual(await page(0, -1), []);
    assert.deepEqual(await page('2', '2'), ['2', '3']);
    assert.deepEqual(await page('10', '100'), ['10', '11']);
    assert.deepEqual(await page(100, 100), []);
    assert.equal(((await page(0, 1_000_000)) as unknown[]).length, 12);
    for (const odd of ['x', '', null, undefined, 1.5, '1.5', [], {}, true, 1e300]) {
      assert.equal(await page(0, odd), 1);
      assert.equal(await page(odd, 1), 1);
    }
    assert.equal(await page(-1, 1), 1);
  });

  it('as an audience is a set with an honest count, which ends with its room (N55 N56)', async () => {
    await using app = await startTestApp(REAL);
    const alice = await personOf(app, 'alice');
    const viewers = await Promise.all(Array.from({ length: 35 }, (_, i) => personOf(app, `v${i}`)));
    const count = async () =>
      (await alice.call('live_room/get_audiences', { roomID: 'room1' })).audienceCount;
    const watch = (viewer: Person) =>
      viewer.call('live_room/add_audience', { roomID: 'room1', userInfo: '{}' });
    assert.equal((await watch(viewers[0] as Person)).code, 3);
    await alice.call('live_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
    for (const viewer of [...viewers, ...viewers]) assert.equal((await watch(viewer)).code, 0);
    assert.equal(await count(), 35);
    const listed = await alice.call('live_room/get_audiences', { roomID: 'room1' });
    assert.equal((listed.audiences as unknown[]).length, 30);
    const leave = (person: Person) => person.call('live_room/delete_audience', { roomID: 'room1' });
    for (const viewer of [...viewers, ...viewers, alice])
      assert.equal((await leave(viewer)).code, 0);
    assert.equal(await count(), 0);
    await watch(viewers[0] as Person);
    await alice.call('live_room/destroy_room', { roomID: 'room1' });
    await alice.call('live_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
    assert.equal(await count(), 0);
  });

  it('as an id makes a stream name no URL breaks, and a new one each time (N62)', async () => {
    await using app = await startTestApp({ ...REAL, auth: { mode: 'open' } });
    const urls = new Set<string>();
    for (let time = 0; time < 10; time++) {
      const { pushURL } = await app.post('/get_push_url', { userID: '-a_B-9', roomID: 'x/y?z' });
      assert.match(String(pushURL), /^rtmp:\/\/[\w.]+\/live\/8525_-a_B-9_[0-9a-f]{4}\?bizid=8525&/);
      urls.add(String(pushURL));
    }
    assert.ok(urls.size > 1);
    for (const userID of ['a.b', 'a/b', 'a?b', 'a&b', 'a#b', 'a b', '用户'])
      assert.equal((await app.post('/get_push_url', { userID })).code, 1);
  });

  it('may call itself plain text, and gets a message even when it is broken (N68)', async () => {
    await using app = await startTestApp();
    const send = async (type: string, body: string) => {
      const headers = { 'content-type': type };
      const answer = await app.send('/get_room_list', { method: 'POST', headers, body });
      return (await answer.json()) as Answer;
    };
    for (const type of ['text/plain', 'text/xml', 'application/json'])
      assert.equal((await send(type, '{"index":0,"cnt":1}')).code, 0);
    const broken = await send('application/json', '{"index":');
    assert.deepEqual([broken.code, broken.message], [1, '请求参数错误']);
  });

  it('may lack a name and a picture, and gets all fields there are (A1-11 A1-15)', async () => {
    await using app = await startTestApp();
    const person = { userID: 'ann', userName: '', userAvatar: '', pushURL: 'rtmp://h/live/x' };
    await app.post('/create_room', { ...person, roomName: 'r', roomID: 'room1' });
    const room = await app.post('/get_pushers', { roomID: 'room1' });
    assert.deepEqual(Object.keys(room).sort(), [
      ...['code', 'custom', 'message', 'mixedPlayURL', 'pushers'],
      ...['roomCreator', 'roomID', 'roomInfo', 'roomName', 'status'],
    ]);
    const [pusher] = room.pushers as Pusher[];
    assert.deepEqual([pusher?.userName, pusher?.userAvatar], ['ann', '']);
    assert.ok(!JSON.stringify(room).includes('pushURL'));
  });
});

describe('mixing streams', () => {
  it('is for who owns them: a creator in his room, others with their own, by name and all (N22)', async () => {
    await using app = await startTestApp(REAL);
    const [alice, ann] = [await personOf(app, 'alice'), await personOf(app, 'ann')];
    const bob = await personOf(app, 'bob');
    await alice.call('live_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
    const bobs = 'rtmp://h/live/8525_bob_1d2e?x';
    await bob.call('live_room/add_pusher', { ...seat('bob'), pushURL: bobs, roomID: 'room1' });
    const merge = async (person: Person, roomID: string, inputs: unknown[], output?: unknown) => {
      const list = inputs.map((id) => ({ input_stream_id: id, layout_params: {} }));
      const para = { input_stream_list: list, output_stream_id: output };
      const mergeParams = { interface: { para } };
      return (await person.call('live_room/merge_stream', { roomID, mergeParams })).code;
    };
    const [hers, his] = ['8525_alice_9f3c', '8525_bob_1d2e'];
    assert.equal(await merge(alice, 'room1', [hers, his], hers), 6);
    assert.equal(await merge(bob, 'room1', [hers, his], his), 6);
    assert.equal(await merge(bob, 'room1', [hers, his], hers), 3);
    assert.equal(await merge(ann, 'room1', [hers], hers), 3);
    assert.equal(await merge(ann, 'nowhere', [hers], hers), 3);
    assert.equal(await merge(alice, 'room1', [hers, '8525_carol_0001'], hers), 1);
    assert.equal(await merge(alice, '', [hers], hers), 6);
    assert.equal(await merge(alice, '', [hers, his], hers), 1);
    assert.equal(await merge(ann, '', ['8525_ann_2_0001'], '8525_ann_0001'), 1);
    assert.equal(await merge(ann, '', ['8525_ann_0001'], '8525_ann_00012'), 1);
    const odd: readonly unknown[] = [
      {},
      [],
      null,
      true,
      { toString: 'x' },
      [[hers]],
      undefined,
      '',
    ];
    for (const id of odd) {
      assert.equal(await merge(alice, 'room1', [hers, id], hers), 1);
      assert.equal(await merge(alice, '', [hers], id ?? {}), 1);
    }
    assert.equal(await merge(alice, 'room1', [...Array(16).fill(hers)], hers), 6);
    assert.equal(
      await merge(alice, 'room1', [...Array(16).fill(hers), '8525_carol_0001'], hers),
      10,
    );
    assert.equal(await merge(alice, '', [...Array(40).fill(hers), his], hers), 10);
  });

  it('that is not done is no success, and carries what clients read of it (N60)', async () => {
    await using app = await startTestApp(REAL);
    const alice = await personOf(app, 'alice');
    await alice.call('live_room/add_pusher', { ...seat('alice'), roomID: 'room1' });
    for (const mergeParams of ['{}', {}]) {
      const { code, result } = await alice.call('live_room/merge_stream', {
        roomID: 'room1',
        mergeParams,
      });
      assert.notEqual(code, 0);
      assert.notEqual((result as { code: number }).code, 0);
    }
  });
});

interface Pusher {
  readonly userID: string;
  readonly userName: string;
  readonly userAvatar: string;
  readonly accelerateURL: string;
}

interface Room {
  readonly roomID: string;
  readonly pushers: readonly Pusher[];
}

/** What a pusher says of himself. */
function seat(userID: string) {
  return { userID, userName: userID, userAvatar: '', pushURL: PUSH_URL };
}

/** Enough for any action to be understood. */
const everything = {
  ...{
    roomInfo: 'r',
    roomName: 'r',
    userInfo: '{}',
    index: 0,
    cnt: 1,
    count: 1,
    mergeParams: '{}',
  },
  ...{ fieldName: 'f', operation: 'inc', nickName: 'n' },
};

async function membersOf(app: TestApp, roomID: string): Promise<string[]> {
  const { pushers } = await app.post('/get_pushers', { roomID });
  return (pushers as Pusher[]).map(({ userID }) => userID);
}

/** Somebody who is logged in. */
interface Person {
  readonly userID: string;
  readonly token: string;
  readonly query: string;
  /** Names himself in the body unless told otherwise. */
  call(path: string, body: Readonly<Record<string, unknown>>): Promise<Answer>;
  list(): Promise<Answer>;
}

async function personOf(app: TestApp, userID: string): Promise<Person> {
  const login = await logIn(app, userID);
  const token = String(login.token);
  const query = `userID=${userID}&token=${token}`;
  const call: Person['call'] = (path, body) =>
    app.post(`/weapp/${path}?${query}`, { userID, ...body });
  const list = () => call('multi_room/get_room_list', { index: 0, cnt: 1 });
  assert.equal(login.code, 0);
  return { userID, token, query, call, list };
}

type SigTimes = Parameters<typeof userSigOf>[0];

function logIn(
  app: TestApp,
  userID: string,
  odd: {
    readonly sig?: Partial<SigTimes>;
    readonly userSig?: string;
    readonly query?: Readonly<Record<string, string>>;
  } = {},
): Promise<Answer> {
  const timeS = Math.floor(Date.now() / 1000);
  const claims = { userID, sdkAppID: SDK_APP_ID, timeS, expireS: 86_400, key: IM_KEY, ...odd.sig };
  const userSig = odd.userSig ?? userSigOf(claims);
  const query = {
    sdkAppID: String(SDK_APP_ID),
    accountType: '12345',
    userID,
    userSig,
    ...odd.query,
  };
  return app.post(`/weapp/multi_room/login?${new URLSearchParams(query)}`);
}

function imAt(cloud: FakeCloud) {
  return { ...REAL.im, driver: 'tencent', host: cloud.url };
}

function wechatAt(cloud: FakeCloud) {
  return { appId: 'wx-defects', appSecret: 'wechat-secret', wxHost: cloud.url };
}

/** A service with log files, and with what must not be read beside them. */
async function houseWithLogs() {
  const dir = await mkdtemp(join(tmpdir(), 'roomkeep-defects-'));
  const logs = join(dir, 'logs');
  await mkdir(join(logs, 'error'), { recursive: true });
  await writeFile(join(dir, 'secrets.json'), '{"imSecretKey":"never shown"}');
  await writeFile(join(logs, 'error', 'error-2018-02-27-15.log'), 'a line\n');
  await writeFile(join(logs, 'error', '<script>.log'), 'never shown');
  await symlink(join(dir, 'secrets.json'), join(logs, 'error', 'escape.log'));
  await symlink(join(dir, 'secrets.json'), join(logs, 'error', 'error-2018-02-27-16.log'));
  const app = await startTestApp({ ...REAL, log: { dir: logs } });
  const close = async () => {
    await app.app.close();
    await rm(dir, { recursive: true });
  };
  return { app, dir, [Symbol.asyncDispose]: close };
}

function firstGenerationSig(
  claims: { readonly identifier: string; readonly time: string; readonly expire: string },
  privateKey: string,
): string {
  const fields = {
    'TLS.appid_at_3rd': String(SDK_APP_ID),
    'TLS.account_type': '12345',
    'TLS.identifier': claims.identifier,
    'TLS.sdk_appid': String(SDK_APP_ID),
    'TLS.time': claims.time,
    'TLS.expire_after': claims.expire,
  };
  const text = Object.entries(fields).map(([name, value]) => `${name}:${value}\n`);
  const signed = signatureOf('sha256', Buffer.from(text.join('')), createPrivateKey(privateKey));
  return packed({ ...fields, 'TLS.sig': signed.toString('base64') });
}

function packed(document: unknown): string {
  return deflateSync(JSON.stringify(document))
    .toString('base64')
    .replaceAll('+', '*')
    .replaceAll('/', '-')
    .replaceAll('=', '_');
}

function contentOf(userSig: string): Record<string, unknown> {
  const base64 = userSig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  return JSON.parse(inflateSync(Buffer.from(base64, 'base64')).toString('utf8'));
}
