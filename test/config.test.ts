import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import {
  type Config,
  ConfigError,
  configReference,
  parseConfig,
  readConfig,
  secretValuesOf,
} from '../config.ts';
import { ROOM_KINDS } from '../logic/model.ts';
import { Secret } from '../logic/secret.ts';
import { type GeneratedSecrets, readOrMakeSecrets } from '../logic/secrets_file.ts';

const ROOT = join(tmpdir(), 'roomkeep-nowhere');

const GENERATED: GeneratedSecrets = {
  imSecretKey: new Secret('generated-im-key'),
  pushSecretKey: new Secret('generated-push-key'),
  masterKey: new Secret('generated-master-key'),
  adminPassword: new Secret('generated-password'),
};

/** Every value that would otherwise be generated. */
const ALL_SECRETS = {
  im: { secretKey: 'an-im-key' },
  live: { pushSecretKey: 'a-push-key' },
  auth: { masterKey: 'a-master-key-of-20ch' },
  admin: { password: 'a-password' },
};

const TENCENT_IM = { sdkAppID: 1_400_111_222, secretKey: 'a-real-im-key' };
const TENCENT_LIVE = { bizid: 8525, pushSecretKey: 'a-real-push-key' };

function parse(raw: unknown): Config {
  return parseConfig(raw, GENERATED, ROOT);
}

/** The problems of a configuration that must be refused. */
function problemsOf(build: () => unknown): readonly string[] {
  try {
    build();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.equal(error.message, error.problems.join('\n'));
    for (const problem of error.problems) assert.doesNotMatch(problem, /\n/);
    return error.problems;
  }
  throw new Error('The configuration was accepted.');
}

function newRoot(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'roomkeep-config-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

function writeConfig(root: string, raw: unknown, name = 'roomkeep.json'): void {
  writeFileSync(join(root, name), typeof raw === 'string' ? raw : JSON.stringify(raw));
}

function modeOf(file: string): number {
  return statSync(file).mode & 0o777;
}

describe('the configuration with nothing configured', () => {
  it('is development mode, open, local and self-contained', () => {
    const config = parse({});
    assert.equal(config.developmentMode, true);
    assert.equal(config.auth.mode, 'open');
    assert.equal(config.im.driver, 'local');
    assert.equal(config.limits.rate, 'off');
    assert.equal(config.mysql.host, '');
    assert.equal(config.https, undefined);
    assert.equal(config.selfHost, undefined);
    assert.deepEqual(config.warnings, []);
  });

  it('has the defaults of the table', () => {
    const config = parse({});
    assert.equal(config.port, 5757);
    assert.equal(config.host, '0.0.0.0');
    assert.equal(config.rootPathname, '');
    assert.equal(config.wxLoginExpiresMs, 7_200_000);
    assert.equal(config.wxHost, 'https://api.weixin.qq.com');
    assert.equal(config.dataDir, join(ROOT, 'data'));
    assert.deepEqual(config.sqlite, { file: join(ROOT, 'data', 'roomkeep.db') });
    const { pass, ...mysql } = config.mysql;
    assert.equal(pass.isEmpty, true);
    assert.deepEqual(mysql, {
      host: '',
      port: 3306,
      user: 'root',
      db: 'roomkeep',
      char: 'utf8mb4',
      pool: 10,
    });
    assert.deepEqual(config.node, {
      ttlMs: 20_000,
      policy: 'hash',
      maxLoad: 0.85,
      warnLoad: 0.75,
      static: true,
      assignAttempts: 4,
      assignIntervalMs: 500,
    });
    assert.deepEqual(config.process, { workers: 1, stopTimeoutMs: 10_000 });
    assert.deepEqual(config.log, { dir: join(ROOT, 'logs'), level: 'info', eventDays: 7 });
    assert.deepEqual(config.limits, {
      rate: 'off',
      bodyBytes: 65_536,
      roomsPerPage: 100,
      tokensPerUser: 40,
      customFields: 64,
      customBytes: 4096,
      roomInfoBytes: 1024,
      userNameBytes: 256,
      userAvatarBytes: 1024,
      userInfoBytes: 1024,
      pushURLBytes: 1024,
    });
  });

  it('uses the generated secrets and says that the password is one of them', () => {
    const { im, live, auth, admin } = parse({});
    assert.equal(im.secretKey.reveal(), 'generated-im-key');
    assert.equal(im.sdkAppID, 1_400_000_000);
    assert.equal(live.pushSecretKey.reveal(), 'generated-push-key');
    assert.equal(auth.masterKey.reveal(), 'generated-master-key');
    assert.equal(admin.password.reveal(), 'generated-password');
    assert.equal(admin.passwordIsGenerated, true);
  });
});

describe('every configuration', () => {
  it('takes undefined keys for absent ones, at every level', () => {
    const config = parse({ port: undefined, mysql: undefined, room: { maxMembers: undefined } });
    assert.deepEqual(config, parse({}));
  });

  it('is frozen to its depth and leaves what it was made from alone', () => {
    const raw = { webhooks: [{ url: 'https://a.example/', secret: 'abcdef' }], room: {} };
    const config = parse(raw);
    assert.deepEqual(unfrozenWithin(config, 'config'), []);
    assert.equal(Object.isFrozen(raw.webhooks), false);
    assert.equal(Object.isFrozen(raw.webhooks[0]), false);
  });

  it('shows no secret, however it is printed', () => {
    const config = parse({ ...ALL_SECRETS, mysql: { pass: 'a-db-password' } });
    const shown = `${inspect(config, { depth: 9 })} ${JSON.stringify(config)}`;
    for (const value of secretValuesOf(config)) assert.ok(!shown.includes(value));
  });
});

function unfrozenWithin(value: unknown, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.entries(value).flatMap(([name, each]) =>
    unfrozenWithin(each, `${path}.${name}`),
  );
  return Object.isFrozen(value) ? inner : [path, ...inner];
}

describe('development mode', () => {
  const cases: readonly (readonly [what: string, raw: object, isDevelopment: boolean])[] = [
    ['an IM application with a v2 key', { im: TENCENT_IM }, false],
    ['a live account with its push key', { live: TENCENT_LIVE }, false],
    [
      'a push host with a push key',
      { live: { pushHost: 'p.example', pushSecretKey: 'abc' } },
      false,
    ],
    ['an IM application without a key', { im: { sdkAppID: 1 } }, true],
    ['an IM key without an application', { im: { secretKey: 'a-real-im-key' } }, true],
    ['a push key alone', { live: { pushSecretKey: 'abc' } }, true],
    ['a push host alone', { live: { pushHost: 'p.example' } }, true],
    ['an IM application with a blank key', { im: { sdkAppID: 1, secretKey: '' } }, true],
  ];
  for (const [what, raw, isDevelopment] of cases) {
    it(`${isDevelopment ? 'stays on with' : 'ends with'} ${what}`, () => {
      const config = parse(raw);
      assert.equal(config.developmentMode, isDevelopment);
      assert.equal(config.auth.mode, isDevelopment ? 'open' : 'token');
      assert.equal(config.limits.rate, isDevelopment ? 'off' : 'on');
    });
  }

  it('leaves every explicit choice standing', () => {
    const config = parse({ auth: { mode: 'token' }, limits: { rate: 'on' } });
    assert.equal(config.developmentMode, true);
    assert.equal(config.auth.mode, 'token');
    assert.equal(config.limits.rate, 'on');
  });
});

describe('the IM settings', () => {
  it('choose the Tencent driver by themselves when an application and a key are there', () => {
    const { im } = parse({ im: TENCENT_IM });
    assert.equal(im.driver, 'tencent');
    assert.equal(im.sdkAppID, 1_400_111_222);
    assert.equal(im.secretKey.reveal(), 'a-real-im-key');
  });

  it('keep the local driver with real keys when told so', () => {
    assert.equal(parse({ im: { ...TENCENT_IM, driver: 'local' } }).im.driver, 'local');
  });

  it('take a v1 key pair, also on one line or with Windows line ends', () => {
    const { privateKey, publicKey } = newPems();
    for (const change of [(pem: string) => pem, oneLine, windowsLines]) {
      const { im, warnings } = parse({
        im: { sdkAppID: 1, privateKey: change(privateKey), publicKey: change(publicKey) },
      });
      assert.equal(im.driver, 'tencent');
      assert.equal(im.privateKey.reveal(), privateKey.trim());
      assert.equal(im.publicKey, publicKey.trim());
      assert.equal(im.secretKey.isEmpty, true);
      assert.ok(warnings.every((warning) => !warning.includes('publicKey')));
    }
  });

  it('accept the ids that Tencent calls numbers as digits, and accountType as a number', () => {
    const config = parse({
      im: { sdkAppID: '1400111222', accountType: 12_345, secretKey: 'abc' },
      live: { appID: '1250000000', bizid: '8525', pushSecretKey: 'abc' },
    });
    assert.equal(config.im.sdkAppID, 1_400_111_222);
    assert.equal(config.im.accountType, '12345');
    assert.equal(config.live.appID, 1_250_000_000);
    assert.equal(config.live.bizid, 8525);
  });

  it('take a blank id for none', () => {
    assert.equal(parse({ live: { bizid: '', appID: '' } }).live.bizid, 0);
  });
});

function newPems(): { readonly privateKey: string; readonly publicKey: string } {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}

function oneLine(pem: string): string {
  return pem.replaceAll('\n', '\\n');
}

function windowsLines(pem: string): string {
  return pem.replaceAll('\n', '\r\n');
}

describe('the live hosts', () => {
  const hostsOf = (raw: object) => {
    const { pushHost, playHost, playScheme, accelerateHost } = parse(raw).live;
    return { pushHost, playHost, playScheme, accelerateHost };
  };

  it('are this very host when there is no cloud', () => {
    assert.deepEqual(hostsOf({}), {
      pushHost: 'localhost:1935',
      playHost: 'localhost:8080',
      playScheme: 'http',
      accelerateHost: 'localhost:1935',
    });
  });

  it('take the name of this host from selfHost', () => {
    assert.deepEqual(hostsOf({ selfHost: 'https://rooms.example:8443/x' }), {
      pushHost: 'rooms.example:1935',
      playHost: 'rooms.example:8080',
      playScheme: 'http',
      accelerateHost: 'rooms.example:1935',
    });
    assert.equal(hostsOf({ selfHost: 'http://[fd00::1]:5757' }).pushHost, '[fd00::1]:1935');
  });

  it('follow from bizid', () => {
    assert.deepEqual(hostsOf({ live: TENCENT_LIVE }), {
      pushHost: '8525.livepush.myqcloud.com',
      playHost: '8525.liveplay.myqcloud.com',
      playScheme: 'https',
      accelerateHost: '8525.liveplay.myqcloud.com',
    });
  });

  it('can be set, with {bizid} in them too', () => {
    const live = { ...TENCENT_LIVE, pushHost: '{bizid}.push.example', playHost: 'play.example:81' };
    assert.deepEqual(hostsOf({ live: { ...live, playScheme: 'http' } }), {
      pushHost: '8525.push.example',
      playHost: 'play.example:81',
      playScheme: 'http',
      accelerateHost: 'play.example:81',
    });
  });

  it('play from this host, yet accelerate from the push host, when only that one is set', () => {
    assert.deepEqual(hostsOf({ live: { pushHost: 'push.example' } }), {
      pushHost: 'push.example',
      playHost: 'localhost:8080',
      playScheme: 'http',
      accelerateHost: 'push.example',
    });
  });
});

describe('the rules of the room kinds', () => {
  it('have the defaults of the table', () => {
    const { rooms, sweepIntervalMs } = parse({});
    assert.deepEqual(rooms.room, {
      maxMembers: 6,
      heartBeatTimeoutMs: 20_000,
      maxIdleMs: 30_000,
      creatorCanDestroyRoom: false,
      audiencesListedMax: 30,
      duplicateLogin: 'kick',
    });
    assert.deepEqual(
      ROOM_KINDS.map((kind) => [kind, rooms[kind].maxMembers, rooms[kind].creatorCanDestroyRoom]),
      [
        ['room', 6, false],
        ['double_room', 2, false],
        ['multi_room', 4, false],
        ['live_room', 4, true],
        ['webrtc_room', 4, false],
        ['webexe_room', 4, false],
      ],
    );
    assert.equal(sweepIntervalMs, 5000);
  });

  it('let a kind override room key by key', () => {
    const { rooms } = parse({
      room: { heartBeatTimeout: 7.5, maxIdleDuration: 60, duplicateLogin: 'reject' },
      multi_room: { heartBeatTimeout: 9 },
    });
    assert.equal(rooms.room.heartBeatTimeoutMs, 7500);
    assert.equal(rooms.live_room.heartBeatTimeoutMs, 7500);
    assert.equal(rooms.multi_room.heartBeatTimeoutMs, 9000);
    assert.equal(rooms.multi_room.maxIdleMs, 60_000);
    assert.equal(rooms.webexe_room.duplicateLogin, 'reject');
  });

  it("put a kind's own default above what is set for room, and what is set for it above both", () => {
    const { rooms } = parse({
      room: { maxMembers: 50, creatorCanDestroyRoom: false },
      multi_room: { maxMembers: 9 },
      live_room: { creatorCanDestroyRoom: false },
    });
    assert.equal(rooms.room.maxMembers, 50);
    assert.equal(rooms.double_room.maxMembers, 2);
    assert.equal(rooms.multi_room.maxMembers, 9);
    assert.equal(rooms.live_room.creatorCanDestroyRoom, false);
    assert.equal(
      parse({ room: { creatorCanDestroyRoom: false } }).rooms.live_room.creatorCanDestroyRoom,
      true,
    );
    assert.equal(
      parse({ room: { creatorCanDestroyRoom: true } }).rooms.double_room.creatorCanDestroyRoom,
      true,
    );
  });

  it('sweep as often as the most demanding kind asks for', () => {
    assert.equal(parse({ room: { sweepInterval: 8 } }).sweepIntervalMs, 8000);
    assert.equal(parse({ live_room: { sweepInterval: 0.25 } }).sweepIntervalMs, 250);
    assert.equal(parse({ live_room: { sweepInterval: 60 } }).sweepIntervalMs, 5000);
  });
});

describe('paths, names and lists', () => {
  it('are made absolute from the root', () => {
    const config = parse({
      dataDir: 'var',
      log: { dir: '/var/log/rooms' },
      https: { cert: 'c.pem', key: '/k.pem' },
    });
    assert.equal(config.dataDir, join(ROOT, 'var'));
    assert.equal(config.sqlite.file, join(ROOT, 'var', 'roomkeep.db'));
    assert.equal(config.log.dir, '/var/log/rooms');
    assert.deepEqual(config.https, { cert: join(ROOT, 'c.pem'), key: '/k.pem' });
    assert.equal(parse({ sqlite: { file: 'x.db' } }).sqlite.file, join(ROOT, 'x.db'));
  });

  it('lose the slash at their end where they are prefixes', () => {
    const config = parse({
      rootPathname: '/a/b/',
      selfHost: 'https://rooms.example/',
      wxHost: 'http://127.0.0.1:9/',
    });
    assert.equal(config.rootPathname, '/a/b');
    assert.equal(parse({ rootPathname: '/' }).rootPathname, '');
    assert.equal(config.selfHost, 'https://rooms.example');
    assert.equal(config.wxHost, 'http://127.0.0.1:9');
  });

  it('take several MySQL servers, and blanks between them', () => {
    assert.equal(parse({ mysql: { host: 'a:3307, b' } }).mysql.host, 'a:3307,b');
    assert.equal(
      parse({ mysql: { host: '[::1]:3306,127.0.0.1' } }).mysql.host,
      '[::1]:3306,127.0.0.1',
    );
  });

  it('fill in what a webhook leaves out', () => {
    const { webhooks } = parse({
      webhooks: [
        { url: 'https://a.example/?x=1', secret: 'hook-secret-a' },
        { url: 'http://localhost:1/', secret: 's', events: ['room.created'], kinds: ['live_room'] },
      ],
    });
    assert.deepEqual(
      webhooks.map(({ secret, ...rest }) => ({ ...rest, secret: secret.reveal() })),
      [
        { url: 'https://a.example/?x=1', events: [], kinds: ROOM_KINDS, secret: 'hook-secret-a' },
        { url: 'http://localhost:1/', events: ['room.created'], kinds: ['live_room'], secret: 's' },
      ],
    );
  });

  it('take services and proxies', () => {
    const services = [{ id: 'crm', scopes: ['room', 'admin'] }];
    const trustedProxies = ['10.0.0.0/8', '::1', '192.168.0.1', 'fd00::/8'];
    const config = parse({ auth: { services }, trustedProxies });
    assert.deepEqual(config.auth.services, services);
    assert.deepEqual(config.trustedProxies, trustedProxies);
  });
});

const WRONG_VALUES: readonly (readonly [raw: unknown, ...problems: string[]])[] = [
  [{ port: 'abc' }, 'port: expected a whole number 0..65535, got "abc"'],
  [{ port: '5757' }, 'port: expected a whole number 0..65535, got "5757"'],
  [{ port: 65_536 }, 'port: expected a whole number 0..65535, got 65536'],
  [{ port: 1.5 }, 'port: expected a whole number 0..65535, got 1.5'],
  [{ port: null }, 'port: expected a whole number 0..65535, got null'],
  [{ port: Number.NaN }, 'port: expected a whole number 0..65535, got NaN'],
  [{ port: [1] }, 'port: expected a whole number 0..65535, got a list'],
  [{ room: { maxMembers: 'abc' } }, 'room.maxMembers: expected a whole number 1..1000, got "abc"'],
  [{ room: { maxMembers: 0 } }, 'room.maxMembers: expected a whole number 1..1000, got 0'],
  [
    { live_room: { heartBeatTimeout: -1 } },
    'live_room.heartBeatTimeout: expected a number of seconds 0.01..86400, got -1',
  ],
  [
    { room: { heartBeatTimeout: 0 } },
    'room.heartBeatTimeout: expected a number of seconds 0.01..86400, got 0',
  ],
  [
    { wxLoginExpires: Number.POSITIVE_INFINITY },
    'wxLoginExpires: expected a number of seconds 0.01..31536000, got Infinity',
  ],
  [
    { room: { creatorCanDestroyRoom: 'yes' } },
    'room.creatorCanDestroyRoom: expected true or false, got "yes"',
  ],
  [
    { room: { duplicateLogin: 'drop' } },
    'room.duplicateLogin: expected one of kick, reject, allow, got "drop"',
  ],
  [{ auth: { mode: 'closed' } }, 'auth.mode: expected one of auto, open, token, got "closed"'],
  [
    { live: { bizid: 'x8525' } },
    'live.bizid: expected a whole number 0..4294967295, or its digits, got "x8525"',
  ],
  [
    { im: { sdkAppID: -1 } },
    'im.sdkAppID: expected a whole number 0..4294967295, or its digits, got -1',
  ],
  [
    { im: { accountType: 'a b' } },
    'im.accountType: expected at most 64 letters, digits, "_" or "-", got "a b"',
  ],
  [
    { rootPathname: 'weapp' },
    'rootPathname: expected nothing, or a path that begins with "/", got "weapp"',
  ],
  [
    { selfHost: 'rooms.example' },
    'selfHost: expected an http:// or https:// URL without user, query or fragment, got "rooms.example"',
  ],
  [
    { im: { host: 'https://me:my-password@im.example/?key=my-key' } },
    'im.host: expected an http:// or https:// URL without user, query or fragment, got "https://…@im.example/?…"',
  ],
  [
    { live: { pushHost: 'rtmp://push.example' } },
    'live.pushHost: expected a host name, with or without :port, got "rtmp://push.example"',
  ],
  [
    { live: { playHost: 'play.example:70000' } },
    'live.playHost: expected a host name, with or without :port, got "play.example:70000"',
  ],
  [
    { mysql: { host: 'a,,b' } },
    'mysql.host: expected host names with or without :port, separated by ",", got "a,,b"',
  ],
  [
    { mysql: { db: 'rooms; drop' } },
    'mysql.db: expected 1..64 letters, digits, "_" or "-", got "rooms; drop"',
  ],
  [
    { trustedProxies: ['10.0.0.0/33', 'proxy'] },
    'trustedProxies.0: expected an IP address or a network such as 10.0.0.0/8, got "10.0.0.0/33"',
    'trustedProxies.1: expected an IP address or a network such as 10.0.0.0/8, got "proxy"',
  ],
  [
    { trustedProxies: '10.0.0.1' },
    'trustedProxies: expected a list of 0..100 IP addresses or networks, got "10.0.0.1"',
  ],
  [
    { auth: { services: [{ id: 'a b', scopes: ['root'] }] } },
    'auth.services.0.id: expected 1..48 letters, digits, "_" or "-", got "a b"',
    'auth.services.0.scopes.0: expected one of room, node, admin, got "root"',
  ],
  [
    { webhooks: [{ url: 'ftp://a.example', kinds: [] }] },
    'webhooks.0.url: expected an http:// or https:// URL without user, got "ftp://a.example"',
    'webhooks.0.secret: expected one line of 1..4096 characters without blanks around it, got nothing',
    'webhooks.0.kinds: expected a list of 1..100 room kinds, got a list',
  ],
  [{ dataDir: '' }, 'dataDir: expected a path, got ""'],
  [
    { host: 'a'.repeat(300) },
    `host: expected one line of 1..255 characters, got "${'a'.repeat(60)}…"`,
  ],
  [{ https: true }, 'https: expected an object with the keys cert, key, got a boolean'],
  [{ https: null }, 'https: expected an object with the keys cert, key, got null'],
  [{ admin: 'hunter22' }, 'admin: expected an object with the keys user, password, got text'],
  [[], 'the configuration: expected an object, got a list'],
  ['{}', 'the configuration: expected an object, got text'],
  [undefined, 'the configuration: expected an object, got nothing'],
];

describe('a wrong value', () => {
  for (const [raw, ...problems] of WRONG_VALUES) {
    it(`stops the start: ${problems.join(' | ').slice(0, 90)}`, () => {
      assert.deepEqual(
        problemsOf(() => parse(raw)),
        problems,
      );
    });
  }

  it('is reported together with all others', () => {
    const raw = { port: -1, room: { maxMembers: 0 }, colour: 1, https: { cert: 'c.pem' } };
    assert.deepEqual(
      problemsOf(() => parse(raw)),
      [
        'port: expected a whole number 0..65535, got -1',
        'room.maxMembers: expected a whole number 1..1000, got 0',
        'colour: unknown key',
        'https.key: expected the key that belongs to https.cert, got nothing',
      ],
    );
  });

  it('of a secret is never shown, whatever is wrong with it', () => {
    const marker = 'MARKER-5c1f';
    const secrets = configReference().filter(({ secret }) => secret);
    assert.ok(secrets.length >= 12);
    const wrong = [
      ` ${marker}`,
      `${marker}\n`,
      marker.repeat(2000),
      [marker],
      { [marker]: marker },
    ];
    for (const { path } of secrets) {
      for (const value of wrong) {
        const [problem = '', ...others] = problemsOf(() => parse(nested(path, value)));
        assert.ok(problem.startsWith(path), problem);
        assert.ok(!problem.includes(marker), problem);
        assert.deepEqual(others, []);
      }
    }
  });
});

describe('a wrong configuration', () => {
  it('of a key pair is never shown', () => {
    const { privateKey } = newPems();
    const line = privateKey.split('\n')[1] ?? '';
    for (const name of ['privateKey', 'publicKey']) {
      const wrong = name === 'publicKey' ? privateKey : privateKey.replace('BEGIN', 'START');
      const [problem = ''] = problemsOf(() => parse({ im: { [name]: wrong } }));
      assert.match(problem, new RegExp(`^im\\.${name}: expected an RSA or EC p`));
      assert.ok(!problem.includes(line.slice(0, 12)), problem);
    }
  });

  it('whatever it is, gives a configuration or a list of problems', () => {
    const names = configReference().map(({ path }) => path.split('.')[0] ?? '');
    const inner = configReference().map(({ path }) => path.split('.')[1] ?? path);
    const group = fc.dictionary(fc.constantFrom(...inner, '__proto__'), fc.anything());
    const raw = fc.dictionary(
      fc.oneof(fc.constantFrom(...names), fc.string()),
      fc.oneof(group, fc.anything()),
      { maxKeys: 4 },
    );
    fc.assert(
      fc.property(raw, (value) => {
        try {
          parse(value);
        } catch (error) {
          assert.ok(error instanceof ConfigError, inspect(error));
        }
      }),
      { seed: 20_181, numRuns: 100 },
    );
  });
});

function nested(path: string, value: unknown): object {
  const [first = '', second] = path.split('.');
  return { [first]: second === undefined ? value : { [second]: value } };
}

describe('an unknown key', () => {
  const cases: readonly (readonly [raw: unknown, problem: string])[] = [
    [{ colour: 1 }, 'colour: unknown key'],
    [{ prot: 1 }, 'prot: unknown key, did you mean port?'],
    [{ Port: 1 }, 'Port: unknown key, did you mean port?'],
    [{ maxMembers: 4 }, 'maxMembers: unknown key, did you mean room.maxMembers?'],
    [{ mysql: { hots: 'x' } }, 'mysql.hots: unknown key, did you mean mysql.host?'],
    [{ 'mysql.host': 'x' }, '"mysql.host": unknown key, did you mean mysql.host?'],
    [
      { live_room: { maxMember: 4 } },
      'live_room.maxMember: unknown key, did you mean live_room.maxMembers?',
    ],
    [{ im: { secretKeyV2: 'x' } }, 'im.secretKeyV2: unknown key, did you mean im.secretKey?'],
    [
      { webhooks: [{ url: 'https://a.example', secret: 'abc', event: [] }] },
      'webhooks.0.event: unknown key, did you mean webhooks.0.events?',
    ],
    [JSON.parse('{"__proto__": {"port": 1}}'), '__proto__: unknown key'],
    [JSON.parse('{"log": {"__proto__": {"level": "off"}}}'), 'log.__proto__: unknown key'],
    [{ constructor: 1 }, 'constructor: unknown key'],
    [{ 'a\nb': 1 }, '"a\\nb": unknown key'],
    [{ ['k'.repeat(100)]: 1 }, `${'k'.repeat(64)}: unknown key`],
  ];
  for (const [raw, problem] of cases) {
    it(`stops the start: ${problem.slice(0, 90)}`, () => {
      assert.deepEqual(
        problemsOf(() => parse(raw)),
        [problem],
      );
    });
  }

  it('never reaches the prototype of anything', () => {
    problemsOf(() =>
      parse(JSON.parse('{"__proto__": {"polluted": 1}, "im": {"__proto__": {"polluted": 1}}}')),
    );
    assert.equal('polluted' in {}, false);
  });
});

describe('a contradiction', () => {
  const cases: readonly (readonly [raw: unknown, problem: string])[] = [
    [
      { https: { cert: 'c.pem' } },
      'https.key: expected the key that belongs to https.cert, got nothing',
    ],
    [
      { https: { key: 'k.pem' } },
      'https.cert: expected the certificate that belongs to https.key, got nothing',
    ],
    [
      { live: { bizid: 8525 } },
      'live.pushSecretKey: expected the key that belongs to live.bizid, got nothing',
    ],
    [
      { im: { driver: 'tencent', secretKey: 'abc' } },
      'im.sdkAppID: expected an id, because im.driver is tencent, got 0',
    ],
    [
      { im: { driver: 'tencent', sdkAppID: 1 } },
      'im.secretKey: expected this or im.privateKey, because im.driver is tencent, got nothing',
    ],
    [
      { node: { warnLoad: 0.9 } },
      'node.warnLoad: expected at most node.maxLoad, which is 0.85, got 0.9',
    ],
    [
      { process: { workers: 2 } },
      'process.workers: expected 1, because several processes need mysql.host, got 2',
    ],
    [
      { auth: { services: ['a', 'b', 'a'].map((id) => ({ id, scopes: [] })) } },
      'auth.services: expected every id once, got a, b, a',
    ],
  ];
  for (const [raw, problem] of cases) {
    it(`stops the start: ${problem.slice(0, 90)}`, () => {
      assert.deepEqual(
        problemsOf(() => parse(raw)),
        [problem],
      );
    });
  }

  it('is not reported on top of a key that is wrong by itself', () => {
    assert.deepEqual(
      problemsOf(() => parse({ live: { bizid: 8525, pushSecretKey: 7 } })),
      [
        'live.pushSecretKey: expected one line of 0..4096 characters without blanks around it, got [secret]',
      ],
    );
  });
});

describe('the warnings', () => {
  const cases: readonly (readonly [what: string, raw: object, warning: RegExp])[] = [
    [
      'open access with real keys',
      { im: TENCENT_IM, auth: { mode: 'open' } },
      /^auth\.mode is open/,
    ],
    [
      'no rate limit with real keys',
      { live: TENCENT_LIVE, limits: { rate: 'off' } },
      /^limits\.rate is off/,
    ],
    ['half an IM application', { im: { sdkAppID: 1 } }, /^im\.sdkAppID and im\.secretKey/],
    [
      'an IM key without application',
      { im: { secretKey: 'abc' } },
      /^im\.sdkAppID and im\.secretKey/,
    ],
    ['a plain IM host', { im: { host: 'http://im.example' } }, /^im\.host is plain http/],
    ['a plain live API', { live: { apiHost: 'http://10.0.0.1' } }, /^live\.apiHost is plain http/],
    ['a plain WeChat host', { wxHost: 'http://wx.example' }, /^wxHost is plain http/],
    [
      'a plain webhook',
      { webhooks: [{ url: 'http://hook.example/?key=in-the-open', secret: 'abc' }] },
      /^webhooks\.0\.url is plain http to another host: keys and names travel unencrypted\.$/,
    ],
    [
      'a hasty time-out',
      { live_room: { heartBeatTimeout: 2.9 } },
      /below 3 seconds for live_room:/,
    ],
    ['a short password', { admin: { password: 'secret1' } }, /^admin\.password is shorter than 8/],
    ['a short master key', { auth: { masterKey: 'short' } }, /^auth\.masterKey is shorter than 16/],
    [
      'trust in every proxy',
      { trustedProxies: ['0.0.0.0/0'] },
      /^trustedProxies holds every address/,
    ],
    [
      'generated secrets beside MySQL',
      { mysql: { host: 'db' } },
      /im\.secretKey, live\.pushSecretKey, auth\.masterKey, admin\.password\. Other hosts/,
    ],
    [
      'generated secrets outside development mode',
      { im: TENCENT_IM },
      /^Not configured, so generated in .*secrets\.json: live\.pushSecretKey, auth\.masterKey, admin\.password\./,
    ],
  ];
  for (const [what, raw, warning] of cases) {
    it(`name ${what}`, () => {
      const { warnings } = parse(raw);
      assert.equal(warnings.filter((each) => warning.test(each)).length, 1, warnings.join('\n'));
    });
  }

  it('name the file of generated secrets with its whole path', () => {
    const [warning = ''] = parse({ im: TENCENT_IM, dataDir: 'var' }).warnings;
    assert.ok(warning.includes(join(ROOT, 'var', 'secrets.json')), warning);
  });

  it('name a public key that does not belong to the private one', () => {
    const im = { sdkAppID: 1, privateKey: newPems().privateKey, publicKey: newPems().publicKey };
    assert.ok(parse({ im }).warnings.some((each) => each.startsWith('im.publicKey does not')));
  });

  it('are silent about a safe configuration', () => {
    const config = parse({
      ...ALL_SECRETS,
      im: { ...TENCENT_IM, host: 'http://127.0.0.1:1' },
      live: { ...TENCENT_LIVE, apiHost: 'http://localhost:1' },
      wxHost: 'http://[::1]:1',
      room: { heartBeatTimeout: 3 },
    });
    assert.deepEqual(config.warnings, []);
  });

  it('hold no secret', () => {
    const config = parse({
      im: { ...TENCENT_IM, host: 'http://im.example' },
      admin: { password: 'pass12' },
      auth: { masterKey: 'master', mode: 'open' },
    });
    assert.ok(config.warnings.length >= 4);
    for (const value of secretValuesOf(config)) {
      assert.ok(!config.warnings.join('\n').includes(value));
    }
  });
});

describe('the values to mask', () => {
  it('are all secrets of six characters or more, once each, longest first', () => {
    const config = parse({
      ...ALL_SECRETS,
      appSecret: 'wx-app-secret',
      mysql: { pass: 'short' },
      live: { ...TENCENT_LIVE, playKey: 'a-real-push-key', callbackKey: 'callback-key-1' },
      webhooks: [{ url: 'https://a.example', secret: 'webhook-secret' }],
    });
    assert.deepEqual(secretValuesOf(config), [
      'a-master-key-of-20ch',
      'a-real-push-key',
      'callback-key-1',
      'webhook-secret',
      'wx-app-secret',
      'a-password',
      'an-im-key',
    ]);
  });
});

describe('the reference', () => {
  it('has one described row for every key, and paths that differ in more than their case', () => {
    const rows = configReference();
    const paths = rows.map(({ path }) => path.toLowerCase());
    assert.equal(new Set(paths).size, rows.length);
    for (const { path, type, description } of rows) {
      assert.match(description, /^[A-Z].*\.$/, path);
      assert.notEqual(type, '', path);
    }
  });

  it('tells type, default and secrecy', () => {
    const rows = new Map(configReference().map((row) => [row.path, row]));
    assert.deepEqual(rows.get('port'), {
      path: 'port',
      type: 'whole number 0..65535',
      default: '5757',
      description: 'Port to listen on; 0 takes any free one.',
      secret: false,
    });
    assert.equal(rows.get('live.pushHost')?.default, '{bizid}.livepush.myqcloud.com');
    assert.equal(rows.get('double_room.maxMembers')?.default, '2');
    assert.equal(rows.get('double_room.heartBeatTimeout')?.default, 'room.heartBeatTimeout');
    assert.equal(rows.get('live_room.creatorCanDestroyRoom')?.default, 'true');
    assert.equal(rows.get('admin.password')?.secret, true);
    assert.equal(rows.get('webhooks')?.secret, true);
  });

  it('names the defaults that are in force', () => {
    const shown = configReference().filter((row) =>
      /^(-?[\d.]+|true|false|\[\])$/.test(row.default),
    );
    assert.ok(shown.length > 40);
    const raws = shown
      .filter(({ path }) => path !== 'im.sdkAppID')
      .map((row) => nested(row.path, JSON.parse(row.default)));
    for (const raw of raws) assert.deepEqual(parse(raw), parse({}), JSON.stringify(raw));
  });
});

describe('the configuration file', () => {
  it('is roomkeep.json in the root when it is there', (t) => {
    const root = newRoot(t);
    writeConfig(root, { ...ALL_SECRETS, port: 1 });
    assert.equal(readConfig({ env: {}, root }).port, 1);
  });

  it('is the one that ROOMKEEP_CONFIG names, relative to the root, and then only that one', (t) => {
    const root = newRoot(t);
    writeConfig(root, { ...ALL_SECRETS, port: 1, pool: 'never read' });
    writeConfig(root, { ...ALL_SECRETS, port: 2 }, 'other.json');
    assert.equal(readConfig({ env: { ROOMKEEP_CONFIG: 'other.json' }, root }).port, 2);
    const env = { roomkeep_config: join(root, 'other.json') };
    assert.equal(readConfig({ env, root }).port, 2);
  });

  it('must be there when it is named', (t) => {
    const root = newRoot(t);
    const env = { ROOMKEEP_CONFIG: 'gone.json' };
    assert.deepEqual(
      problemsOf(() => readConfig({ env, root })),
      [`${join(root, 'gone.json')}: expected a readable file, got ENOENT (from ROOMKEEP_CONFIG)`],
    );
  });

  it('must be readable when it is there', (t) => {
    const root = newRoot(t);
    mkdirSync(join(root, 'roomkeep.json'));
    assert.deepEqual(
      problemsOf(() => readConfig({ env: {}, root })),
      [`${join(root, 'roomkeep.json')}: expected a readable file, got EISDIR`],
    );
  });

  it('may begin with a byte order mark', (t) => {
    const root = newRoot(t);
    writeConfig(root, `\uFEFF${JSON.stringify({ ...ALL_SECRETS, port: 3 })}`);
    assert.equal(readConfig({ env: {}, root }).port, 3);
  });

  it('must be JSON, and is not quoted when it is not', (t) => {
    const root = newRoot(t);
    for (const text of [
      '{"admin":{"password":hunter22}}',
      '{"a":1,}',
      '',
      '{"password":"hunter22"',
    ]) {
      writeConfig(root, text);
      const [problem = ''] = problemsOf(() => readConfig({ env: {}, root }));
      assert.match(problem, /roomkeep\.json: expected JSON, got a mistake( at position \d+)?$/);
      assert.ok(!problem.includes('hunter'), problem);
    }
  });

  it('must hold an object', (t) => {
    const root = newRoot(t);
    writeConfig(root, [1]);
    assert.deepEqual(
      problemsOf(() => readConfig({ env: { ROOMKEEP_PORT: '1' }, root })),
      ['the configuration: expected an object, got a list'],
    );
  });
});

describe('the environment', () => {
  const SECRETS_ENV = {
    ROOMKEEP_IM__SECRETKEY: 'an-im-key',
    ROOMKEEP_LIVE__PUSHSECRETKEY: 'a-push-key',
    ROOMKEEP_AUTH__MASTERKEY: 'a-master-key-of-20ch',
    ROOMKEEP_ADMIN__PASSWORD: 'a-password',
  };
  const read = (t: TestContext, env: Record<string, string | undefined>) =>
    readConfig({ env: { ...SECRETS_ENV, ...env }, root: newRoot(t) });
  const refusedBy = (t: TestContext, env: Record<string, string | undefined>) =>
    problemsOf(() => read(t, env));

  it('wins over the file, key by key', (t) => {
    const root = newRoot(t);
    writeConfig(root, { port: 1, host: '127.0.0.1', mysql: { host: 'file-db', user: 'file' } });
    const env = { ...SECRETS_ENV, ROOMKEEP_PORT: '2', ROOMKEEP_MYSQL__HOST: 'env-db' };
    const { port, host, mysql } = readConfig({ env, root });
    assert.deepEqual([port, host, mysql.host, mysql.user], [2, '127.0.0.1', 'env-db', 'file']);
  });

  it('names keys in any case', (t) => {
    const config = read(t, {
      ROOMKEEP_DOUBLE_ROOM__MAXMEMBERS: '3',
      roomkeep_multi_room__maxMembers: '7',
      Roomkeep_RootPathname: '/x',
      ROOMKEEP_LIVE__APIKEY: 'an-api-key',
    });
    assert.equal(config.rooms.double_room.maxMembers, 3);
    assert.equal(config.rooms.multi_room.maxMembers, 7);
    assert.equal(config.rootPathname, '/x');
    assert.equal(config.live.APIKey.reveal(), 'an-api-key');
  });

  it('holds numbers, booleans and lists as text', (t) => {
    const config = read(t, {
      ROOMKEEP_ROOM__HEARTBEATTIMEOUT: '2.5e1',
      ROOMKEEP_ROOM__CREATORCANDESTROYROOM: '1',
      ROOMKEEP_LIVE_ROOM__CREATORCANDESTROYROOM: 'FALSE',
      ROOMKEEP_TRUSTEDPROXIES: '["10.0.0.0/8"]',
      ROOMKEEP_WEBHOOKS: '[{"url":"https://a.example","secret":"abcdef"}]',
      ROOMKEEP_LIVE__BIZID: '8525',
      ROOMKEEP_IM__ACCOUNTTYPE: '0012',
    });
    assert.equal(config.rooms.room.heartBeatTimeoutMs, 25_000);
    assert.equal(config.rooms.double_room.creatorCanDestroyRoom, true);
    assert.equal(config.rooms.live_room.creatorCanDestroyRoom, false);
    assert.deepEqual(config.trustedProxies, ['10.0.0.0/8']);
    assert.equal(config.webhooks[0]?.secret.reveal(), 'abcdef');
    assert.equal(config.live.bizid, 8525);
    assert.equal(config.im.accountType, '0012');
  });

  it('gives text keys the text as it is', (t) => {
    const config = read(t, { ROOMKEEP_ADMIN__USER: '007', ROOMKEEP_MYSQL__PASS: 'true' });
    assert.equal(config.admin.user, '007');
    assert.equal(config.mysql.pass.reveal(), 'true');
  });

  it('may hold anything that does not begin with our name', (t) => {
    assert.doesNotThrow(() =>
      read(t, { PORT: 'x', ROOMKEEPER: 'x', XROOMKEEP_A: 'x', A: undefined }),
    );
  });

  it('may hold what Kubernetes adds for a Service of our name', (t) => {
    const config = read(t, {
      ROOMKEEP_PORT: 'tcp://10.0.0.9:5757',
      ROOMKEEP_SERVICE_HOST: '10.0.0.9',
      ROOMKEEP_SERVICE_PORT: '5757',
      ROOMKEEP_SERVICE_PORT_HTTP: '5757',
      ROOMKEEP_PORT_5757_TCP: 'tcp://10.0.0.9:5757',
      ROOMKEEP_PORT_5757_TCP_ADDR: '10.0.0.9',
    });
    assert.equal(config.port, 5757);
  });

  const WRONG: readonly (readonly [name: string, text: string, problem: string])[] = [
    ['ROOMKEEP_PORT', 'abc', 'port: expected a whole number 0..65535, got "abc"'],
    ['ROOMKEEP_PORT', '', 'port: expected a whole number 0..65535, got ""'],
    ['ROOMKEEP_PORT', '0x10', 'port: expected a whole number 0..65535, got "0x10"'],
    [
      'ROOMKEEP_NODE__STATIC',
      'constructor',
      'node.static: expected true or false, got "constructor"',
    ],
    [
      'ROOMKEEP_TRUSTEDPROXIES',
      '10.0.0.1',
      'trustedProxies: expected a list of 0..100 IP addresses or networks, got "10.0.0.1"',
    ],
    [
      'ROOMKEEP_WEBHOOKS',
      '[{"secret":"hunter22"',
      'webhooks: expected a list of 0..100 {url, secret, events?, kinds?} objects, got [secret] of 21 characters',
    ],
    ['ROOMKEEP_PROT', '1', 'prot: unknown key, did you mean port?'],
    ['ROOMKEEP_MYSQL_HOST', 'db', 'mysql_host: unknown key, did you mean mysql.host?'],
    ['ROOMKEEP_MYSQL__HOTS', 'db', 'mysql.hots: unknown key, did you mean mysql.host?'],
    ['ROOMKEEP_MYSQL__HOST__A', 'db', 'mysql.host.a: unknown key, did you mean mysql.host?'],
    ['ROOMKEEP_MYSQL', '{}', 'mysql: unknown key'],
    ['ROOMKEEP_HEARTBEAT', '1', 'heartbeat: unknown key'],
    ['ROOMKEEP_PORT_FILE', '/dev/null', 'port_file: unknown key, did you mean port?'],
    ['ROOMKEEP___PROTO__', 'x', '__proto__: unknown key'],
  ];
  for (const [name, text, problem] of WRONG) {
    it(`is refused: ${name}=${text}`, (t) => {
      assert.deepEqual(refusedBy(t, { [name]: text }), [`${problem} (from ${name})`]);
    });
  }

  it('must set a key once', (t) => {
    assert.deepEqual(refusedBy(t, { ROOMKEEP_PORT: '1', roomkeep_port: '1' }), [
      'port: expected to be set once, got ROOMKEEP_PORT and roomkeep_port',
    ]);
    assert.deepEqual(refusedBy(t, { ROOMKEEP_ADMIN__PASSWORD_FILE: '/dev/null' }), [
      'admin.password: expected to be set once, got ROOMKEEP_ADMIN__PASSWORD and ROOMKEEP_ADMIN__PASSWORD_FILE',
    ]);
  });

  it('reports its own problems together with those of the file', (t) => {
    const root = newRoot(t);
    writeConfig(root, { host: 7, live: { bizid: 1 } });
    assert.deepEqual(
      problemsOf(() => readConfig({ env: { ROOMKEEP_PROT: '1', ROOMKEEP_PORT: 'x' }, root })),
      [
        'prot: unknown key, did you mean port? (from ROOMKEEP_PROT)',
        'port: expected a whole number 0..65535, got "x" (from ROOMKEEP_PORT)',
        'host: expected one line of 1..255 characters, got 7',
        'live.pushSecretKey: expected the key that belongs to live.bizid, got nothing',
      ],
    );
  });

  it('does not hide that the file has no object where a group belongs', (t) => {
    const root = newRoot(t);
    writeConfig(root, { mysql: null });
    assert.deepEqual(
      problemsOf(() => readConfig({ env: { ROOMKEEP_MYSQL__USER: 'x' }, root })),
      ['mysql: expected an object with the keys host, port, user, pass, db, char, pool, got null'],
    );
  });
});

describe('a secret in a file that the environment names', () => {
  it('loses the line end after it, and nothing else', (t) => {
    const root = newRoot(t);
    writeFileSync(join(root, 'key'), 'a real key\r\n');
    const env = {
      ROOMKEEP_IM__SECRETKEY_FILE: join(root, 'key'),
      roomkeep_mysql__pass_file: 'key',
    };
    const { im, mysql } = readConfig({ env, root });
    assert.equal(im.secretKey.reveal(), 'a real key');
    assert.equal(mysql.pass.reveal(), 'a real key');
  });

  it('may be a PEM or a list of webhooks', (t) => {
    const root = newRoot(t);
    const { privateKey, publicKey } = newPems();
    writeFileSync(join(root, 'private'), privateKey);
    writeFileSync(join(root, 'public'), publicKey);
    writeFileSync(join(root, 'hooks'), '[{"url":"https://a.example","secret":"abcdef"}]\n');
    const env = {
      ROOMKEEP_IM__PRIVATEKEY_FILE: 'private',
      ROOMKEEP_IM__PUBLICKEY_FILE: 'public',
      ROOMKEEP_WEBHOOKS_FILE: 'hooks',
    };
    const { im, webhooks } = readConfig({ env, root });
    assert.equal(im.privateKey.reveal(), privateKey.trim());
    assert.equal(im.publicKey, publicKey.trim());
    assert.equal(webhooks[0]?.secret.reveal(), 'abcdef');
  });

  it('wins over the configuration file', (t) => {
    const root = newRoot(t);
    writeConfig(root, ALL_SECRETS);
    writeFileSync(join(root, 'key'), 'from-the-file');
    const env = { ROOMKEEP_ADMIN__PASSWORD_FILE: 'key' };
    assert.equal(readConfig({ env, root }).admin.password.reveal(), 'from-the-file');
  });

  it('must be readable, and nothing else is blamed for it', (t) => {
    const root = newRoot(t);
    const env = { ROOMKEEP_LIVE__PUSHSECRETKEY_FILE: '/run/gone', ROOMKEEP_LIVE__BIZID: '1' };
    assert.deepEqual(
      problemsOf(() => readConfig({ env, root })),
      [
        'live.pushSecretKey: expected the path of a readable file, got "/run/gone", which gives ENOENT (from ROOMKEEP_LIVE__PUSHSECRETKEY_FILE)',
      ],
    );
  });

  it('is checked like any other, without being shown', (t) => {
    const root = newRoot(t);
    writeFileSync(join(root, 'key'), 'line one\nline two');
    const env = { ROOMKEEP_IM__SECRETKEY_FILE: 'key' };
    assert.deepEqual(
      problemsOf(() => readConfig({ env, root })),
      [
        'im.secretKey: expected one line of 0..4096 characters without blanks around it, got [secret] of 17 characters (from ROOMKEEP_IM__SECRETKEY_FILE)',
      ],
    );
  });
});

describe('generated secrets', () => {
  it('are made once and are the same at the next start', (t) => {
    const root = newRoot(t);
    const first = readConfig({ env: {}, root });
    const second = readConfig({ env: {}, root });
    assert.equal(first.admin.password.reveal(), second.admin.password.reveal());
    assert.deepEqual(secretValuesOf(first), secretValuesOf(second));
    assert.equal(secretValuesOf(first).length, 4);
  });

  it('are kept in dataDir', (t) => {
    const root = newRoot(t);
    readConfig({ env: { ROOMKEEP_DATADIR: 'var/rooms' }, root });
    assert.deepEqual(readdirSync(join(root, 'var', 'rooms')), ['secrets.json']);
  });

  it('are not made when every one of them is configured', (t) => {
    const root = newRoot(t);
    writeConfig(root, ALL_SECRETS);
    const config = readConfig({ env: {}, root });
    assert.equal(config.admin.passwordIsGenerated, false);
    assert.deepEqual(readdirSync(root), ['roomkeep.json']);
  });

  it('are made when a single one is not configured, and used for that one alone', (t) => {
    const root = newRoot(t);
    writeConfig(root, { ...ALL_SECRETS, admin: { password: '' } });
    const config = readConfig({ env: {}, root });
    const made = readOrMakeSecrets(join(root, 'data', 'secrets.json'));
    assert.equal(config.admin.password.reveal(), made.adminPassword.reveal());
    assert.equal(config.admin.passwordIsGenerated, true);
    assert.equal(config.auth.masterKey.reveal(), 'a-master-key-of-20ch');
  });

  it('are not made for a configuration that is refused', (t) => {
    const root = newRoot(t);
    problemsOf(() => readConfig({ env: { ROOMKEEP_PORT: 'x' }, root }));
    assert.deepEqual(readdirSync(root), []);
  });

  it('stop the start when their file is broken', (t) => {
    const root = newRoot(t);
    mkdirSync(join(root, 'data'));
    writeFileSync(join(root, 'data', 'secrets.json'), '{');
    const [problem = ''] = problemsOf(() => readConfig({ env: {}, root }));
    assert.ok(problem.includes(join(root, 'data', 'secrets.json')), problem);
  });
});

describe('the secrets file', () => {
  const NAMES = ['imSecretKey', 'pushSecretKey', 'masterKey', 'adminPassword'] as const;
  const revealed = (secrets: GeneratedSecrets) => NAMES.map((name) => secrets[name].reveal());

  it('is made in a folder of its own, for its owner alone', (t) => {
    const folder = join(newRoot(t), 'a', 'b');
    const file = join(folder, 'secrets.json');
    const made = readOrMakeSecrets(file);
    assert.equal(modeOf(file), 0o600);
    assert.equal(modeOf(folder), 0o700);
    assert.deepEqual(readdirSync(folder), ['secrets.json']);
    assert.deepEqual(
      JSON.parse(readFileSync(file, 'utf8')),
      Object.fromEntries(NAMES.map((name) => [name, made[name].reveal()])),
    );
  });

  it('holds long keys, a password that can be typed, and nothing twice', (t) => {
    const made = readOrMakeSecrets(join(newRoot(t), 'secrets.json'));
    assert.match(made.imSecretKey.reveal(), /^[0-9a-f]{64}$/);
    assert.match(made.pushSecretKey.reveal(), /^[0-9a-f]{32}$/);
    assert.match(made.masterKey.reveal(), /^[0-9a-f]{64}$/);
    assert.match(made.adminPassword.reveal(), /^[a-hjkmnp-z2-9]{16}$/);
    const other = readOrMakeSecrets(join(newRoot(t), 'secrets.json'));
    assert.equal(new Set([...revealed(made), ...revealed(other)]).size, 8);
  });

  it('is read, not made, the second time', (t) => {
    const file = join(newRoot(t), 'secrets.json');
    const made = revealed(readOrMakeSecrets(file));
    const before = readFileSync(file, 'utf8');
    assert.deepEqual(revealed(readOrMakeSecrets(file)), made);
    assert.equal(readFileSync(file, 'utf8'), before);
  });

  it('is closed to others when it was open to them', (t) => {
    const file = join(newRoot(t), 'secrets.json');
    const made = revealed(readOrMakeSecrets(file));
    chmodSync(file, 0o644);
    assert.deepEqual(revealed(readOrMakeSecrets(file)), made);
    assert.equal(modeOf(file), 0o600);
  });

  it('keeps what it holds when what a newer version needs is added', (t) => {
    const root = newRoot(t);
    const file = join(root, 'secrets.json');
    writeFileSync(file, '{"masterKey":"kept-master-key","ofTheFuture":[1]}', { mode: 0o600 });
    const made = readOrMakeSecrets(file);
    const content = JSON.parse(readFileSync(file, 'utf8'));
    assert.equal(made.masterKey.reveal(), 'kept-master-key');
    assert.equal(content.adminPassword, made.adminPassword.reveal());
    assert.deepEqual(content.ofTheFuture, [1]);
    assert.equal(modeOf(file), 0o600);
    assert.deepEqual(readdirSync(root), ['secrets.json']);
    assert.deepEqual(revealed(readOrMakeSecrets(file)), revealed(made));
  });

  it('names the lock that a crashed process left', (t) => {
    const file = join(newRoot(t), 'secrets.json');
    writeFileSync(file, '{"masterKey":"kept-master-key"}');
    writeFileSync(`${file}.lock`, '');
    assert.throws(
      () => readOrMakeSecrets(file, { patienceMs: 20 }),
      (error: Error) => error.message.includes(`${file}.lock says`),
    );
    assert.equal(readFileSync(file, 'utf8'), '{"masterKey":"kept-master-key"}');
  });

  const BROKEN: readonly (readonly [what: string, text: string])[] = [
    ['no JSON', '{"masterKey":"hunter2222"'],
    ['empty', ''],
    ['a list', '["hunter2222"]'],
    ['null', 'null'],
    ['a number where a secret belongs', '{"masterKey":12345678}'],
    ['an empty secret', '{"masterKey":"hunter2222","adminPassword":""}'],
  ];
  for (const [what, text] of BROKEN) {
    it(`stops the start when it is ${what}, is not shown, and stays as it is`, (t) => {
      const file = join(newRoot(t), 'secrets.json');
      writeFileSync(file, text);
      assert.throws(
        () => readOrMakeSecrets(file),
        (error: Error) =>
          error.message.startsWith(`The secrets file ${file} is broken: expected a JSON object`) &&
          !inspect(error).includes('hunter'),
      );
      assert.equal(readFileSync(file, 'utf8'), text);
    });
  }

  it('stops the start when it cannot be read or made', (t) => {
    const root = newRoot(t);
    assert.throws(() => readOrMakeSecrets(root), /The secrets file .* cannot be read.*: EISDIR\./);
    writeFileSync(join(root, 'file'), '');
    assert.throws(() => readOrMakeSecrets(join(root, 'file', 'secrets.json')), /: ENOTDIR\./);
  });

  it('gives all who start at once the same secrets', async (t) => {
    const root = newRoot(t);
    for (let round = 0; round < 5; round += 1) {
      const all = await readByMany(join(root, `${round}`, 'secrets.json'));
      assert.equal(new Set(all).size, 1);
      assert.deepEqual(readdirSync(join(root, `${round}`)), ['secrets.json']);
    }
  });

  it('gives all who complete it at once the same secrets', async (t) => {
    const root = newRoot(t);
    for (let round = 0; round < 5; round += 1) {
      const file = join(root, `${round}`, 'secrets.json');
      mkdirSync(join(root, `${round}`));
      writeFileSync(file, '{"masterKey":"kept-master-key"}');
      assert.equal(new Set(await readByMany(file)).size, 1);
      assert.deepEqual(readdirSync(join(root, `${round}`)), ['secrets.json']);
    }
  });
});

const READERS = 4;

/** Lets several threads read or make the same file, all released in the same instant. */
async function readByMany(file: string): Promise<readonly string[]> {
  const module = new URL(`../logic/secrets_file${extname(import.meta.url)}`, import.meta.url).href;
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ readOrMakeSecrets }) => {
      Atomics.add(workerData.gate, 0, 1);
      while (Atomics.load(workerData.gate, 0) < ${READERS});
      const secrets = Object.values(readOrMakeSecrets(workerData.file));
      parentPort.postMessage(secrets.map((secret) => secret.reveal()).join());
    });`;
  const workers = Array.from(
    { length: READERS },
    () => new Worker(code, { eval: true, workerData: { module, gate, file } }),
  );
  return Promise.all(
    workers.map(
      (worker) =>
        new Promise<string>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
}
