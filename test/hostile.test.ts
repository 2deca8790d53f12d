import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { AccessEntry } from '../logic/log.ts';
import { Secret } from '../logic/secret.ts';
import { UserSigs } from '../logic/user_sig.ts';
import { listen, type Patience } from '../middlewares/server.ts';
import { mapControllers } from '../routes/auto_map.ts';
import { Dice, type Knowledge, unreadable, wellFramed } from './hostile_requests.ts';
import { answersIn, exchange, jsonRequest, shown, Wire, type WireAnswer } from './raw_wire.ts';
import { type Answer, eventually, startTestApp, type TestApp, TravelClock } from './support.ts';

/** Another number makes other requests; the one of a failure is printed with it. */
const SEED = Number(process.env.HOSTILE_SEED ?? 20_261_121);
/** Four thousand in the suite; an attack by hand can take more. */
const REQUESTS = Number(process.env.HOSTILE_REQUESTS ?? 4_000);
const UNREADABLE = Math.floor(REQUESTS * 0.16);
const WELL_FRAMED = REQUESTS - UNREADABLE;
const CONNECTIONS = 16;
const PUSH_URL = 'rtmp://localhost:1935/live/x';

/** Every secret the service under attack holds; none may come back. */
const SECRETS = {
  imKey: 'hostile-im-secret-key',
  pushKey: 'hostile-push-secret-key',
  APIKey: 'hostile-live-api-key',
  appSecret: 'hostile-wechat-app-secret',
  password: 'hostile-admin-password',
  masterKey: 'hostile-master-key-of-32-letters',
};

describe(`${REQUESTS} malformed requests (HOSTILE_SEED=${SEED})`, () => {
  it('get a JSON answer with a code each, break nothing, change no room, leak nothing', async () => {
    await using target = await startTarget();
    const dice = new Dice(SEED);
    const before = await target.keptRooms();
    const garbage = await attackWithGarbage(target, dice);
    const heapBefore = heapUsed();
    const answers = await attackWellFramed(target, dice);
    assert.equal(answers, WELL_FRAMED);
    assert.ok(
      garbage > UNREADABLE / 2,
      `Only ${garbage} answers to ${UNREADABLE} unreadable ones.`,
    );
    assert.deepEqual(await target.keptRooms(), before);
    await target.assertSound();
    const grownMB = (heapUsed() - heapBefore) / 2 ** 20;
    assert.ok(grownMB < 64, `The heap grew by ${grownMB} MB.`);
    assert.deepEqual(Object.keys(Object.prototype), []);
  });
});

describe('connections', () => {
  const HASTY: Patience = { headersMs: 120, requestMs: 240, keepAliveMs: 100, lookEveryMs: 20 };

  it('on which nothing, half a header or half a body comes are cut in time, with an answer', async () => {
    await using server = await startEcho(HASTY);
    const beginnings = [
      '',
      'POST / HTT',
      'POST / HTTP/1.1\r\nhost: x\r\n',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345',
      'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123',
    ];
    const cuts = beginnings.map(async (beginning) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.write(beginning);
      const [answer] = answersIn(Buffer.from(await text(socket)), ['POST']);
      assert.deepEqual([beginning, answer?.status, answer?.body.code], [beginning, 408, 408]);
    });
    await Promise.all(cuts);
  });

  it('that drip are cut all the same, however steadily they drip', async () => {
    await using server = await startEcho(HASTY);
    const drips = ['x-header: 1\r\n', 'x'].map(async (drop) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      const length = drop === 'x' ? 'content-length: 60000\r\n\r\n' : '';
      socket.write(`POST / HTTP/1.1\r\nhost: x\r\n${length}`);
      const dripping = setInterval(() => socket.write(drop), 5);
      const answer = await text(socket).finally(() => clearInterval(dripping));
      assert.match(answer, /^HTTP\/1.1 408 /);
    });
    await Promise.all(drips);
  });

  it('that go quiet after an answer are closed', async () => {
    await using server = await startEcho(HASTY);
    const socket = connect(server.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    assert.match(await text(socket), /^HTTP\/1.1 200 /);
  });

  it('in every unfinished state do not hold up the stop longer than its grace', async () => {
    const server = await startEcho({ ...HASTY, headersMs: 60_000, requestMs: 60_000 });
    const beginnings = [
      '',
      'POST / HTTP/1.1\r\n',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1',
    ];
    const sockets = beginnings.map((beginning) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(beginning);
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await delay(20);
    const closing = server.close(50);
    await Promise.all(sockets.map((socket) => text(socket).catch(() => '')));
    await closing;
  });

  it('on which nobody ever shakes hands do not hold it up either', async () => {
    const server = await startEcho(
      { ...HASTY, headersMs: 60_000, requestMs: 60_000 },
      selfSigned(),
    );
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const closed = text(socket);
    await delay(20);
    await server.close(50);
    assert.equal(await closed, '');
  });

  it('that are cut in the middle leave one line each in the response log and none in the error log', async () => {
    await using target = await startTarget();
    const begun = 'POST /create_room HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n';
    const form = 'content-type: application/x-www-form-urlencoded\r\n';
    const cuts = [
      `${begun}content-length: 10\r\n\r\n{`,
      `${begun}transfer-encoding: chunked\r\n\r\n5\r\n{`,
      `${begun}${form}content-length: 10\r\n\r\na=`,
      `${begun}content-encoding: gzip\r\ncontent-length: 100\r\n\r\n\x1f\x8b\x08`,
    ];
    for (let round = 0; round < 10; round++)
      await Promise.all(
        cuts.map(async (beginning) => {
          const socket = connect(target.port, '127.0.0.1');
          socket.write(beginning, 'latin1');
          // The service has begun to read as soon as it asks for more.
          await once(socket, 'data');
          socket.resetAndDestroy();
        }),
      );
    assert.ok(await eventually(() => target.lines.length === 40), `${target.lines.length} lines`);
    for (const { ip, path, code } of target.lines)
      assert.deepEqual([ip, path, code], ['127.0.0.1', '/create_room', 400]);
    await target.assertSound();
  });
});

describe('requests that are built to be slow', () => {
  const KB_63 = 64_512;
  const fill = (piece: string, length = KB_63) => piece.repeat(Math.floor(length / piece.length));
  const FORM = 'application/x-www-form-urlencoded';
  const JSON_TYPE = 'application/json';
  const slow: readonly { what: string; path?: string; type?: string; body?: string | Buffer }[] = [
    { what: 'a query of one name', path: `/live?${fill('a&', 15_000)}` },
    { what: 'a query of many names', path: `/live?${fill('a=1&b=2&', 15_000)}` },
    { what: 'a query of list names', path: `/live?${fill('a[]&', 15_000)}` },
    { what: 'a query of bad escapes', path: `/live?${fill('%zz', 15_000)}` },
    { what: 'a path of slashes', path: fill('/', 15_000) },
    { what: 'a path of short names', path: `/${fill('a/', 15_000)}` },
    { what: 'a form of one name', type: FORM, body: fill('a&') },
    { what: 'a form of one list', type: FORM, body: fill('a[]=&') },
    { what: 'a form of numbered names', type: FORM, body: fill('a[999]=1&') },
    { what: 'a form of deep names', type: FORM, body: `a${fill('[b]')}=1` },
    { what: 'a form of dots', type: FORM, body: fill('a.') },
    { what: 'a form of bad escapes', type: FORM, body: `a=${fill('%zz')}` },
    { what: 'deep lists', type: JSON_TYPE, body: fill('[', 32_000) + fill(']', 32_000) },
    {
      what: 'deep objects',
      type: JSON_TYPE,
      body: `${fill('{"a":', 50_000)}1${fill('}', 10_000)}`,
    },
    { what: 'many members', type: JSON_TYPE, body: `{${fill('"a":1,', 60_000)}"a":1}` },
    { what: 'many escapes', type: JSON_TYPE, body: `{"roomID":"${fill('\\u0000', 60_000)}"}` },
    {
      what: 'broken characters',
      type: `${JSON_TYPE}; charset=gbk`,
      body: Buffer.alloc(KB_63, 0x81),
    },
    { what: 'a charset of blanks', type: `${JSON_TYPE};charset${' '.repeat(15_000)}x`, body: '{}' },
    {
      what: 'a push URL of slashes',
      path: '/add_pusher',
      body: JSON.stringify({ pushURL: `rtmp://h/${fill('a/', 1_000)}?`, userID: 'a', roomID: 'r' }),
    },
  ];

  for (const { what, path = '/get_pushers', type = JSON_TYPE, body } of slow)
    it(`are not: ${what}`, async () => {
      await using app = await startTestApp({ limits: { rate: 'off' } });
      const method = body === undefined ? 'GET' : 'POST';
      const sent = { method, headers: { 'content-type': type }, ...(body && { body }) };
      await (await app.send(path, sent)).text();
      const before = process.cpuUsage();
      const answer = await app.send(path, sent);
      assert.ok(answer.status < 500);
      assert.ok(Number.isInteger(((await answer.json()) as Answer).code));
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 1_000_000, `${(user + system) / 1000} ms`);
    });
});

describe('clients side by side', () => {
  it('each get the answers to their own requests, in their order, however they pipeline', async () => {
    await using target = await startTarget();
    const clients = Array.from({ length: 20 }, async (_, client) => {
      const roomID = `pipe_${client}`;
      const person = { userID: `pipe_${client}`, userName: '', userAvatar: '', pushURL: PUSH_URL };
      await target.app.post('/create_room', { ...person, roomName: roomID, roomID });
      const wire = new Wire(target.port);
      for (let round = 0; round < 5; round++) {
        const asked = Array.from({ length: 20 }, (_, index) =>
          index % 3 === 2 ? `missing_${client}_${index}` : roomID,
        );
        const requests = asked.map((each) => jsonRequest('/get_pushers', { roomID: each }));
        const answers = await wire.send(
          Buffer.concat(requests),
          asked.map(() => 'POST'),
        );
        answers.forEach(({ body }, index) => {
          const isMissing = index % 3 === 2;
          assert.equal(body.code, isMissing ? 3 : 0);
          if (isMissing) assert.match(String(body.detail), new RegExp(`"${asked[index]}"`));
          else assert.deepEqual([body.roomID, body.roomCreator], [roomID, person.userID]);
        });
      }
      wire.close();
    });
    await Promise.all(clients);
  });

  it('cannot have more seats than there are, whatever kind of joining they mix', async () => {
    await using app = await startTestApp({ limits: { rate: 'off' } });
    const person = (userID: string) => ({
      userID,
      userName: '',
      userAvatar: '',
      pushURL: PUSH_URL,
    });
    await app.post('/create_room', { ...person('owner'), roomName: 'r', roomID: 'full' });
    await app.post('/weapp/double_room/add_pusher?userID=p0', { ...person('p0'), roomID: 'two' });
    const joins = Array.from({ length: 60 }, (_, index) => [
      app.post('/add_pusher', { ...person(`u${index % 30}`), roomID: 'full' }),
      app.post(`/weapp/double_room/add_pusher?userID=p${index % 30}`, {
        ...person(`p${index % 30}`),
        roomID: 'two',
      }),
      app.post('/create_room', { ...person('owner'), roomName: 'again', roomID: 'full' }),
    ]).flat();
    const codes = (await Promise.all(joins)).map(({ code }) => code);
    assert.deepEqual([...new Set(codes)].sort(), [0, 2, 5001]);
    const seatsOf = async (path: string, roomID: string) =>
      ((await app.post(path, { roomID })).pushers as unknown[]).length;
    assert.equal(await seatsOf('/get_pushers', 'full'), 6);
    assert.equal(await seatsOf('/weapp/double_room/get_pushers', 'two'), 2);
  });
});

/** A service under attack, and what it must not lose or give away. */
interface Target extends Knowledge, AsyncDisposable {
  readonly app: TestApp;
  readonly port: number;
  readonly lines: readonly AccessEntry[];
  keptRooms(): Promise<readonly unknown[]>;
  /** Nothing went wrong unnoticed: every answer has one line, and no error was logged. */
  assertSound(): Promise<void>;
  note(answer: WireAnswer): void;
}

/** Keys are configured, but everything is open: nothing is out of an attacker's reach. */
async function startTarget(): Promise<Target> {
  const lines: AccessEntry[] = [];
  const failures: string[] = [];
  const answered: string[] = [];
  const clock = new TravelClock();
  const app = await startTestApp(
    {
      auth: { mode: 'open', masterKey: SECRETS.masterKey },
      admin: { password: SECRETS.password },
      appId: 'wx-hostile',
      appSecret: SECRETS.appSecret,
      wxHost: 'http://127.0.0.1:9',
      im: { driver: 'local', sdkAppID: 1_400_000_000, secretKey: SECRETS.imKey },
      live: { bizid: 8525, appID: 1, pushSecretKey: SECRETS.pushKey, APIKey: SECRETS.APIKey },
      room: { heartBeatTimeout: 3600, maxIdleDuration: 3600, sweepInterval: 3600 },
      limits: { rate: 'off' },
    },
    {
      clock,
      access: { write: (entry) => lines.push(entry) },
      log: {
        info() {},
        warn() {},
        error(event, error) {
          failures.push(`${event} ${error instanceof Error ? error.stack : error}`);
        },
      },
    },
  );
  const attacker = { userID: 'mallory', token: await tokenOf(app, 'mallory') };
  const kept = { roomID: 'KeptRoom', userID: 'KeptUser' };
  await keepRooms(app, kept);
  lines.length = 0;
  return {
    app,
    port: Number(app.app.url.port),
    lines,
    routes: await mapControllers(new URL('../controllers/', import.meta.url)),
    attacker,
    kept,
    note: ({ requestID, isLogged }) => isLogged && answered.push(requestID),
    keptRooms: () => readKeptRooms(app, kept),
    async assertSound() {
      assert.deepEqual(failures, []);
      const logged = new Set(lines.map(({ requestID }) => requestID));
      assert.equal(logged.size, lines.length);
      for (const requestID of answered) assert.ok(logged.has(requestID), requestID);
      for (const { ip, method, path, code } of lines) {
        assert.equal(ip, '127.0.0.1');
        if (!path.endsWith('/merge_stream')) assert.notEqual(code, 6, `${method} ${path}`);
        assert.ok(path.startsWith('/'), path);
      }
    },
    [Symbol.asyncDispose]: () => app.app.close(),
  };
}

async function tokenOf(app: TestApp, userID: string): Promise<string> {
  const sigs = new UserSigs({
    keys: {
      sdkAppID: 1_400_000_000,
      accountType: '',
      administrator: 'administrator',
      secretKey: new Secret(SECRETS.imKey),
      privateKey: new Secret(''),
      publicKey: '',
    },
    clock: app.clock,
  });
  const userSig = sigs.sign({ userID, expireMs: 86_400_000 });
  const query = new URLSearchParams({ sdkAppID: '1400000000', accountType: '0', userID, userSig });
  const { token } = await app.post(`/weapp/multi_room/login?${query}`);
  return String(token);
}

type Kept = Target['kept'];

async function keepRooms(app: TestApp, { roomID, userID }: Kept): Promise<void> {
  const person = { userID, userName: 'Kept', userAvatar: '1', pushURL: PUSH_URL };
  await app.post('/create_room', { ...person, roomName: 'kept', roomID });
  await app.post('/add_pusher', { ...person, roomID, userID: `${userID}2` });
  const live = { ...person, roomID: `${roomID}L` };
  await app.post(`/weapp/live_room/add_pusher?userID=${userID}`, live);
  const viewer = { roomID: `${roomID}L`, userID, userInfo: 'kept' };
  await app.post(`/weapp/live_room/add_audience?userID=${userID}`, viewer);
  const field = { roomID: `${roomID}L`, fieldName: 'kept', operation: 'set', value: 'yes' };
  await app.post(`/weapp/live_room/set_custom_field?userID=${userID}`, field);
}

async function readKeptRooms(app: TestApp, { roomID }: Kept): Promise<Answer[]> {
  const rooms = await Promise.all([
    app.post('/get_pushers', { roomID }),
    app.post('/weapp/live_room/get_pushers', { roomID: `${roomID}L` }),
    app.post('/weapp/live_room/get_audiences', { roomID: `${roomID}L` }),
    app.post('/weapp/live_room/get_custom_info', { roomID: `${roomID}L` }),
  ]);
  for (const { code } of rooms) assert.equal(code, 0);
  return rooms;
}

/** The whole heap, swept before if that is possible. */
function heapUsed(): number {
  globalThis.gc?.();
  return globalThis.gc === undefined ? 0 : process.memoryUsage().heapUsed;
}

async function attackWellFramed(target: Target, dice: Dice): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      const own = new Dice(dice.upTo(2 ** 31));
      const wire = new Wire(target.port);
      const wanted = WELL_FRAMED / CONNECTIONS;
      let count = 0;
      while (count < wanted) {
        const size = Math.min(own.upTo(4) + 1, wanted - count);
        const batch = Array.from({ length: size }, () => wellFramed(target, own));
        const methods = batch.map(({ method }) => method);
        const bytes = Buffer.concat(batch.map((request) => request.bytes));
        const where = `HOSTILE_SEED=${SEED}, connection ${connection}, request ${count}`;
        const answers = await wire.send(bytes, methods).catch((cause: unknown) => {
          throw new Error(`${where}: ${shown(bytes)}`, { cause });
        });
        assert.equal(answers.length, size, `${where}: ${shown(bytes)}`);
        for (const answer of answers) judge(answer, `${where}: ${shown(bytes)}`);
        answers.forEach(target.note);
        count += size;
      }
      wire.close();
      return count;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function attackWithGarbage(target: Target, dice: Dice): Promise<number> {
  const counts = await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      const own = new Dice(dice.upTo(2 ** 31));
      let count = 0;
      for (let index = 0; index < UNREADABLE / CONNECTIONS; index++) {
        const bytes = unreadable(own);
        const where = `HOSTILE_SEED=${SEED}, garbage ${connection}/${index}: ${shown(bytes)}`;
        const reply = await exchange(target.port, bytes);
        const methods = bytes.toString('latin1').startsWith('HEAD ') ? ['HEAD'] : [];
        const answers = answersIn(reply, methods);
        for (const answer of answers) judge(answer, where);
        answers.forEach(target.note);
        count += answers.length;
      }
      return count;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

const STATUSES = new Set([200, 400, 401, 404, 405, 408, 413, 415, 431]);
/** Stacks, module paths, and where on this machine the program lies. */
const TRACES = /node_modules|\n\s+at |file:\/\/|\.[jt]s:\d+/;

function judge(answer: WireAnswer, where: string): void {
  const { status, contentType, requestID, method, raw, body } = answer;
  assert.ok(STATUSES.has(status), `${status} to ${where}`);
  assert.match(requestID, /^[0-9a-f-]{36}$/, where);
  assert.equal(contentType, 'application/json; charset=utf-8', where);
  if (method !== 'HEAD') assert.ok(Number.isInteger(body.code), where);
  assert.notEqual(body.error, 'internal', where);
  assert.doesNotMatch(raw, TRACES, where);
  assert.ok(!raw.includes(process.cwd()), where);
  for (const secret of Object.values(SECRETS)) assert.ok(!raw.includes(secret), where);
}

/** The server alone, with a listener that reads everything and answers. */
async function startEcho(patience: Patience, tls?: { cert: Buffer; key: Buffer }) {
  const server = await listen(
    async (request, response) => {
      await text(request).catch(() => '');
      response.end('{}');
    },
    { host: '127.0.0.1', port: 0, tls, patience },
  );
  return {
    port: server.port,
    close: (graceMs: number) => server.close(graceMs),
    [Symbol.asyncDispose]: () => server.close(0),
  };
}

/** A certificate for nobody, just enough for a server to start with. */
function selfSigned(): { cert: Buffer; key: Buffer } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsaWithSHA256 = der(0x30, Buffer.from('06082a8648ce3d040302', 'hex'));
  const nobody = der(0x30);
  const years = ['250101000000Z', '490101000000Z'].map((time) => der(0x17, Buffer.from(time)));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const number = der(0x02, Buffer.from([1]));
  const signed = der(0x30, number, ecdsaWithSHA256, nobody, der(0x30, ...years), nobody, spki);
  const signature = sign('sha256', signed, privateKey);
  const bits = der(0x03, Buffer.from([0]), signature);
  const base64 = der(0x30, signed, ecdsaWithSHA256, bits).toString('base64');
  const cert = `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { cert: Buffer.from(cert), key: Buffer.from(key) };
}

/** One element in ASN.1's distinguished encoding; none here is longer than 64 KB. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
