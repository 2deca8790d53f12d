import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type FakeCloud, startFakeCloud } from './fake_cloud.ts';
import { answersIn } from './raw_wire.ts';
import { eventually, startTestApp } from './support.ts';
import { userSigOf } from './wire/user_sigs.ts';

// The program beside this test: compiled if this is, and as it was written if not.
const PROGRAM = fileURLToPath(new URL(`../app${import.meta.url.slice(-3)}`, import.meta.url));
const IS_WINDOWS = process.platform === 'win32';

describe('a start that cannot succeed ends at once, names the key and shows no secret', {
  concurrency: 3,
}, () => {
  const SECRET = 'a-secret-nobody-may-see';
  const REAL = { im: { sdkAppID: 1_400_000_000, secretKey: SECRET } };

  const starts: readonly {
    readonly what: string;
    readonly config?: unknown;
    readonly env?: Readonly<Record<string, string>>;
    readonly prepare?: (dir: string) => Promise<unknown>;
    readonly says: RegExp;
  }[] = [
    {
      what: 'a port that is no number',
      env: { ROOMKEEP_PORT: 'http' },
      says: /^port: expected a whole number 0\.\.65535, got "http" \(from ROOMKEEP_PORT\)$/m,
    },
    {
      what: 'a port that does not exist',
      config: { port: 65_536 },
      says: /^port: expected a whole number 0\.\.65535, got 65536$/m,
    },
    {
      what: 'an unknown key',
      config: { prot: 5757, ...REAL },
      says: /^prot: unknown key, did you mean port\?$/m,
    },
    {
      what: 'an unknown variable',
      env: { ROOMKEEP_IM__SECRET: SECRET },
      says: /unknown key.*\(from ROOMKEEP_IM__SECRET\)$/m,
    },
    {
      what: 'a configuration file that is broken',
      config: `{"im":{"secretKey":"${SECRET}"`,
      says: /roomkeep\.json: expected JSON, got a mistake/,
    },
    {
      what: 'a configuration file that is not there',
      env: { ROOMKEEP_CONFIG: 'nowhere.json' },
      says: /nowhere\.json: expected a readable file, got ENOENT \(from ROOMKEEP_CONFIG\)$/m,
    },
    {
      what: 'a wrong secret',
      config: { admin: { password: ` ${SECRET}` } },
      says: /^admin\.password: expected .*got \[secret\] of 24 characters$/m,
    },
    {
      what: 'a secrets file that cannot be read',
      prepare: (dir) => mkdir(join(dir, 'data', 'secrets.json'), { recursive: true }),
      says: /The secrets file .*secrets\.json cannot be read/,
    },
    {
      what: 'a secrets file that is broken',
      prepare: async (dir) => {
        await mkdir(join(dir, 'data'));
        await writeFile(join(dir, 'data', 'secrets.json'), `{"masterKey":"${SECRET}"`);
      },
      says: /The secrets file .*secrets\.json is broken: expected a JSON object/,
    },
    {
      what: 'a database file that is none',
      prepare: async (dir) => {
        await mkdir(join(dir, 'data'));
        await writeFile(join(dir, 'data', 'roomkeep.db'), 'no database '.repeat(1_000));
      },
      says: /^sqlite\.file .*roomkeep\.db cannot be opened as a database\.$/m,
    },
    {
      what: 'a MySQL server that cannot be used',
      config: { mysql: { host: '127.0.0.1:1', pass: SECRET } },
      says: /mysql\.host/,
    },
    {
      what: 'a certificate that is not there',
      config: { https: { cert: 'cert.pem', key: 'key.pem' } },
      says: /^https\.cert: expected the path of a readable file, got .*cert\.pem, which gives ENOENT\.$/m,
    },
    {
      what: 'a certificate that is none',
      config: { https: { cert: 'cert.pem', key: 'key.pem' } },
      prepare: async (dir) => {
        for (const name of ['cert.pem', 'key.pem']) await writeFile(join(dir, name), SECRET);
      },
      says: /^https\.cert: expected a certificate in PEM/m,
    },
  ];

  for (const { what, config = {}, env = {}, prepare, says } of starts)
    it(`with ${what}`, async () => {
      await using house = await openHouse(config);
      await prepare?.(house.dir);
      await assertRefused(house.spawn(env), says, SECRET);
    });

  it('with a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await using house = await openHouse({ port, ...REAL });
    const says = new RegExp(
      `^port: expected one .* got ${port} on 127.0.0.1, which gives EADDRINUSE`,
      'm',
    );
    await assertRefused(house.spawn(), says, SECRET);
    other.close();
  });

  it('with a database that another process has, which goes on undisturbed', async () => {
    await using house = await openHouse();
    await using first = await house.start();
    await assertRefused(house.spawn(), /^sqlite\.file .* is in use by another process\.$/m, SECRET);
    assert.equal((await fetch(`${first.url}/ready`)).status, 200);
  });
});

describe('the banner', () => {
  it('of development mode names the URL, and a password that opens the pages there', async () => {
    await using house = await openHouse({ host: '0.0.0.0' });
    await using service = await house.start();
    const secretsFile = join(house.dir, 'data', 'secrets.json');
    const { adminPassword, ...others } = JSON.parse(readFileSync(secretsFile, 'utf8'));
    assert.match(service.out(), /^roomkeep listening on http:\/\/localhost:\d+$/m);
    assert.match(service.out(), /Development mode/);
    const [, user, password] = /^ {2}Admin {7}(\S+) \/ (\S+)$/m.exec(service.out()) ?? [];
    assert.deepEqual([user, password], ['admin', adminPassword]);
    for (const secret of Object.values(others)) assert.ok(!service.out().includes(String(secret)));
    const headers = { authorization: `Basic ${btoa(`${user}:${password}`)}` };
    const page = await fetch(`${service.url}/weapp/utils/logfilelist`, { headers });
    assert.equal(page.status, 200);
    if (!IS_WINDOWS) assert.equal((await stat(secretsFile)).mode & 0o777, 0o600);
  });

  it('of a real service shows no secret, and names what is unsafe', async () => {
    const im = { sdkAppID: 1_400_000_000, secretKey: 'a-secret-key-of-im' };
    const admin = { password: 'a-password-of-the-admin' };
    await using house = await openHouse({ im, admin, auth: { mode: 'open' } });
    await using service = await house.start();
    const out = service.out();
    assert.match(out, /^roomkeep listening on http:\/\/127\.0\.0\.1:\d+$/m);
    assert.match(out, /Careful: auth\.mode is open although Tencent keys are configured/);
    for (const secret of [im.secretKey, admin.password]) assert.ok(!out.includes(secret));
    const secrets = JSON.parse(readFileSync(join(house.dir, 'data', 'secrets.json'), 'utf8'));
    for (const secret of Object.values(secrets)) assert.ok(!out.includes(String(secret)));
  });
});

describe('a stop', () => {
  it('is told to balancers: not ready, but live, on connections there are, and no new ones', async () => {
    await using app = await startTestApp();
    const { hostname, port } = app.app.url;
    const asked = ['/ready', '/live', '/get_room_list'].map((path) => {
      const socket = connect(Number(port), hostname);
      const method = path === '/get_room_list' ? 'POST' : 'GET';
      socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n`);
      return socket;
    });
    await Promise.all(asked.map((socket) => once(socket, 'connect')));
    await delay(20);
    const draining = app.app.drain();
    for (const socket of asked) socket.write('\r\n');
    const answers = await Promise.all(
      asked.map(async (socket) => {
        const raw = await text(socket);
        assert.match(raw, /^connection: close\r$/im);
        return answersIn(Buffer.from(raw), [])[0];
      }),
    );
    assert.deepEqual(
      answers.map((answer) => [answer?.status, answer?.body.code]),
      [
        [503, 503],
        [200, 0],
        [200, 1],
      ],
    );
    await draining;
    await assert.rejects(app.get('/live'));
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`by ${signal} lets what is under way finish, and exits with 0`, {
      skip: IS_WINDOWS,
    }, async () => {
      await using house = await openHouse();
      await using service = await house.start();
      const busy = await halfSent(service.url);
      service.process.kill(signal);
      await house.untilLogged('stopping');
      busy.write('{}');
      assert.match(await text(busy), /"code":1,/);
      assert.equal(await service.exitCode, 0);
      assert.equal(service.err(), '');
    });

  it('that lasts too long, or is asked for twice, ends hard', { skip: IS_WINDOWS }, async () => {
    await using house = await openHouse({ process: { stopTimeout: 60 } });
    await using service = await house.start();
    const busy = await halfSent(service.url);
    service.process.kill('SIGTERM');
    await house.untilLogged('stopping');
    service.process.kill('SIGTERM');
    assert.equal(await service.exitCode, 1);
    busy.destroy();
  });

  it('cuts who does not finish in time, and still exits with 0', { skip: IS_WINDOWS }, async () => {
    await using house = await openHouse({ process: { stopTimeout: 1.5 } });
    await using service = await house.start();
    const busy = await halfSent(service.url);
    const silent = connect(Number(new URL(service.url).port), '127.0.0.1');
    await once(silent, 'connect');
    service.process.kill('SIGTERM');
    assert.equal(await text(busy).catch(() => ''), '');
    assert.equal(await service.exitCode, 0);
    silent.destroy();
  });
});

describe('more connections than the process has file descriptors for', () => {
  it('are turned away, and the service goes on', { skip: IS_WINDOWS }, async () => {
    await using house = await openHouse();
    await using service = await house.start({ filesMax: 160 });
    const port = Number(new URL(service.url).port);
    const sockets = Array.from({ length: 300 }, () => connect(port, '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => {});
    const isTurnedAway = () => sockets.filter((socket) => socket.destroyed).length > 100;
    assert.ok(await eventually(isTurnedAway));
    for (const socket of sockets) socket.destroy();
    const isBack = async () => {
      const answer = await fetch(`${service.url}/live`).catch(() => undefined);
      return answer?.status === 200;
    };
    assert.ok(await eventually(isBack));
    service.process.kill('SIGTERM');
    assert.equal(await service.exitCode, 0);
  });
});

describe('the log files of a short life', { skip: IS_WINDOWS }, () => {
  it('hold one line per request with all its facts, and no secret, token or signature', async () => {
    await using cloud = await startFakeCloud();
    await using house = await openHouse(configOf(cloud));
    const service = await house.start();
    const life = new Life(service.url);
    await live(life, cloud);
    service.process.kill('SIGTERM');
    assert.equal(await service.exitCode, 0);
    const files = await house.readLogs();
    assertOneLineEach(files.get('response') ?? '', life.sent);
    assertLevels(files);
    const secrets = [...Object.values(SECRETS), ...life.secrets, ...signaturesSeenBy(cloud)];
    assert.ok(secrets.length > 20);
    for (const secret of secrets) {
      assert.ok(secret.length >= 8, secret);
      for (const [name, content] of [
        ...files,
        ['stdout', service.out()],
        ['stderr', service.err()],
      ])
        assert.ok(!content?.includes(secret), `${secret} stands in ${name}`);
    }
  });
});

const SECRETS = {
  imKey: 'im-key-0123456789abcdef',
  pushKey: 'push-key-0123456789abcdef',
  playKey: 'play-key-0123456789abcdef',
  APIKey: 'api-key-0123456789abcdef',
  appSecret: 'wechat-secret-0123456789abcdef',
  password: 'admin-password-0123456789',
  masterKey: 'master-key-0123456789abcdef',
  sessionKey: 'session-key-of-the-test',
};

function configOf(cloud: FakeCloud) {
  const { imKey, pushKey, playKey, APIKey, appSecret, password, masterKey } = SECRETS;
  return {
    im: { sdkAppID: 1_400_000_000, secretKey: imKey, administrator: 'admin', host: cloud.url },
    live: { bizid: 8525, appID: 1, pushSecretKey: pushKey, playKey, APIKey, apiHost: cloud.url },
    appId: 'wx-process',
    appSecret,
    wxHost: cloud.url,
    auth: { masterKey },
    admin: { password },
    limits: { rate: 'off' },
    log: { level: 'debug' },
  };
}

/** Logs in, opens rooms, joins, fails in many ways; with the secrets in every place they may stand. */
async function live(life: Life, cloud: FakeCloud): Promise<void> {
  cloud.codes.set('wx-code-of-ann-1', 'openid-of-ann');
  const minted = await life.ask('GET', '/weapp/utils/get_login_info?code=wx-code-of-ann-1');
  const ann = String(minted.userID);
  life.secrets.push('wx-code-of-ann-1', String(minted.userSig));
  const people = [ann, 'bob'].map(async (userID) => {
    const claims = {
      sdkAppID: 1_400_000_000,
      timeS: Math.floor(Date.now() / 1000),
      expireS: 9_000,
    };
    const userSig = userSigOf({ userID, ...claims, key: SECRETS.imKey });
    const query = new URLSearchParams({
      sdkAppID: '1400000000',
      accountType: '0',
      userID,
      userSig,
    });
    const { token } = await life.ask('POST', `/weapp/multi_room/login?${query}`);
    life.secrets.push(userSig, String(token));
    return { userID, query: `userID=${userID}&token=${token}` };
  });
  for (const { userID, query } of await Promise.all(people)) await pushAs(life, userID, query);
  const token = life.secrets.at(-1) ?? '';
  for (const path of [
    `/weapp/multi_room/get_pushers?userID=bob&token=${token}x`,
    `/weapp/multi_room/get_pushers?userID=ann&token=${token}`,
    `/weapp/multi_room/none?token=${token}`,
    `/weapp/none/token=${token}/x`,
    `/weapp/multi_room/login?userID=bob&sdkAppID=1&accountType=0&userSig=${life.secrets[1]}`,
    '/weapp/utils/get_login_info?code=wx-code-of-ann-1',
  ]) {
    const method = path.startsWith('/weapp/utils') ? 'GET' : 'POST';
    await life.ask(method, path, { roomID: 'room1', token, password: SECRETS.password });
  }
  await administrate(life);
  for (const mode of ['reset', 'http500', 'html', { errorCode: 70_009 }] as const) {
    cloud.imMode = mode;
    cloud.wechatMode = mode;
    cloud.liveMode = mode;
    const query = `userID=bob&token=${token}`;
    const room = { userID: 'bob', roomInfo: SECRETS.imKey };
    await life.ask('POST', `/weapp/multi_room/create_room?${query}`, room);
    await life.ask('GET', '/weapp/utils/get_login_info?code=wx-code-of-ann-2');
    await administrate(life);
  }
  life.secrets.push('wx-code-of-ann-2');
}

async function pushAs(life: Life, userID: string, query: string): Promise<void> {
  const ask = (action: string, body: object) =>
    life.ask('POST', `/weapp/multi_room/${action}?${query}`, { userID, roomID: 'room1', ...body });
  const { pushURL } = await ask('get_push_url', {});
  life.secrets.push(/txSecret=(\w+)/.exec(String(pushURL))?.[1] ?? '');
  const person = { userName: `${userID}\r\n{"forged":"line"}`, userAvatar: '', pushURL };
  await ask('add_pusher', person);
  await ask('pusher_heartbeat', {});
  await ask('get_pushers', {});
  await ask('add_pusher', { ...person, roomID: 'room\n2' });
  await ask('delete_pusher', { userID: 'somebody else' });
}

async function administrate(life: Life): Promise<void> {
  for (const password of [SECRETS.password, 'wrong', 'x'.repeat(2_000)]) {
    const basic = btoa(`admin:${password}`);
    if (password === SECRETS.password) life.secrets.push(basic);
    for (const page of ['logfilelist', 'check_config', 'get_test_pushurl'])
      await life.ask('GET', `/weapp/utils/${page}`, undefined, { authorization: `Basic ${basic}` });
  }
}

interface Noted {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Undefined when the answer is a page. */
  readonly code: number | undefined;
  readonly user: string;
  readonly room: string;
}

/** Asks, and remembers what was asked and what must not be found again. */
class Life {
  readonly sent = new Map<string, Noted>();
  readonly secrets: string[] = [];
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  async ask(
    method: 'GET' | 'POST',
    target: string,
    body?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    const sent = body === undefined || method === 'GET' ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(this.#origin + target, { method, headers, ...sent });
    const content = await answer.text();
    const isJson = answer.headers.get('content-type')?.includes('json') ?? false;
    const fields = isJson ? JSON.parse(content) : {};
    const [path = '', query] = target.split('?');
    const named = { ...Object.fromEntries(new URLSearchParams(query)), ...(sent.body && body) };
    const { userID: user = '', roomID: room = '' } = named as { userID?: string; roomID?: string };
    const noted = { method, path, status: answer.status, code: fields.code, user, room };
    this.sent.set(answer.headers.get('x-request-id') ?? '', noted);
    return fields;
  }
}

const LINE_FIELDS = ['time', 'id', 'method', 'path', 'ip', 'user', 'room', 'status', 'code', 'ms'];

function assertOneLineEach(content: string, sent: ReadonlyMap<string, Noted>): void {
  const lines = content.trimEnd().split('\n');
  assert.equal(lines.length, sent.size);
  for (const line of lines) {
    const entry = JSON.parse(line);
    assert.deepEqual(Object.keys(entry), LINE_FIELDS);
    const noted = sent.get(entry.id);
    assert.ok(noted, line);
    const { method, status, code = 0 } = noted;
    assert.deepEqual([entry.method, entry.status, entry.code], [method, status, code]);
    assert.equal(entry.ip, '127.0.0.1');
    assert.ok(Number.isFinite(entry.ms) && entry.ms >= 0);
    assert.match(entry.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    if (status !== 200) continue;
    assert.deepEqual([entry.path, entry.user], [noted.path, noted.user]);
    // Of whom the service does not know it does not read the body either.
    if (code !== 7) assert.equal(entry.room, noted.room);
  }
}

/** What happened stands apart from what went wrong. */
function assertLevels(files: ReadonlyMap<string, string>): void {
  const levelsIn = (series: string) =>
    (files.get(series) ?? '')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).level);
  assert.deepEqual([...new Set(levelsIn('service'))], ['info']);
  assert.deepEqual([...new Set(levelsIn('error'))].sort(), ['error', 'warn']);
}

function signaturesSeenBy(cloud: FakeCloud): string[] {
  const seen = cloud.calls.flatMap(({ query }) => [query.usersig, query.sign]);
  return [...new Set(seen.filter((signature) => signature !== undefined))];
}

/** A folder of its own for configuration, data and logs. */
interface House extends AsyncDisposable {
  readonly dir: string;
  spawn(env?: Readonly<Record<string, string>>, options?: { filesMax?: number }): ChildProcess;
  start(options?: { filesMax?: number }): Promise<Service>;
  untilLogged(event: string): Promise<void>;
  /** Everything below the log folder, by series. */
  readLogs(): Promise<ReadonlyMap<string, string>>;
}

interface Service extends AsyncDisposable {
  readonly url: string;
  readonly process: ChildProcess;
  readonly exitCode: Promise<number | null>;
  out(): string;
  err(): string;
}

async function openHouse(config: unknown = {}): Promise<House> {
  const dir = await mkdtemp(join(tmpdir(), 'roomkeep-process-'));
  const places = { port: 0, host: '127.0.0.1', dataDir: 'data' };
  const file = join(dir, 'roomkeep.json');
  const settings =
    typeof config === 'object'
      ? JSON.stringify(withPlaces({ ...places, ...config }, dir))
      : String(config);
  await writeFile(file, settings);
  const spawnHere: House['spawn'] = (env = {}, { filesMax } = {}) => {
    const named = { ROOMKEEP_CONFIG: file, ROOMKEEP_DATADIR: join(dir, 'data') };
    const [command, ...args] =
      filesMax === undefined
        ? [process.execPath, PROGRAM]
        : ['sh', '-c', `ulimit -n ${filesMax} && exec "$@"`, 'sh', process.execPath, PROGRAM];
    return spawn(command as string, args, {
      cwd: dir,
      env: { PATH: process.env.PATH, ...named, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  const readLogs = () => readSeries(join(dir, 'logs'));
  return {
    dir,
    spawn: spawnHere,
    start: (options) => serviceOf(spawnHere({}, options)),
    readLogs,
    untilLogged: async (event) => {
      const isLogged = async () =>
        ((await readLogs()).get('service') ?? '').includes(`"event":"${event}"`);
      assert.ok(await eventually(isLogged), `${event} is not logged`);
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, maxRetries: 5 }),
  };
}

/** Paths in a configuration are relative to the program, and these must not be. */
function withPlaces(config: Readonly<Record<string, unknown>>, dir: string): object {
  const { https, log } = config as { https?: { cert: string; key: string }; log?: object };
  return {
    ...config,
    log: { ...log, dir: join(dir, 'logs') },
    ...(https && { https: { cert: join(dir, https.cert), key: join(dir, https.key) } }),
  };
}

async function readSeries(folder: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const series of await readdir(folder).catch(() => []))
    for (const name of await readdir(join(folder, series)))
      found.set(
        series,
        (found.get(series) ?? '') + (await readFile(join(folder, series, name), 'utf8')),
      );
  return found;
}

/** Resolves when the program says where it listens. */
async function serviceOf(child: ChildProcess): Promise<Service> {
  const [out, err] = [gathered(child.stdout), gathered(child.stderr)];
  const exitCode = once(child, 'exit').then(([code]) => code as number | null);
  const isUp = () => out().includes('listening on ') && out().endsWith('\n');
  for (let waitedMs = 0; !isUp() && child.exitCode === null && waitedMs < 20_000; waitedMs += 10)
    await delay(10);
  const [, url] = /listening on (\S+)/.exec(out()) ?? [];
  assert.ok(url, `The service did not start: ${out()}${err()}`);
  const close = async () => {
    child.kill('SIGKILL');
    await exitCode;
  };
  return { url, process: child, exitCode, out, err, [Symbol.asyncDispose]: close };
}

function gathered(stream: ChildProcess['stdout']): () => string {
  let content = '';
  stream?.setEncoding('utf8').on('data', (data: string) => {
    content += data;
  });
  return () => content;
}

async function assertRefused(child: ChildProcess, says: RegExp, secret: string): Promise<void> {
  const [out, err] = [gathered(child.stdout), gathered(child.stderr)];
  const [code] = await once(child, 'close');
  assert.match(err(), says);
  assert.match(err(), /^roomkeep cannot go on:\n/);
  assert.doesNotMatch(err(), /^\s+at /m);
  assert.ok(!err().includes(secret));
  assert.deepEqual([code, out()], [1, '']);
}

/** A request of which the service has read everything but the end. */
async function halfSent(origin: string) {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  const head = 'POST /get_pushers HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n';
  socket.write(`${head}connection: close\r\ncontent-length: 2\r\n\r\n`);
  await once(socket, 'data');
  return socket;
}
