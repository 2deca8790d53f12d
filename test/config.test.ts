import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { configReference, secretValuesOf } from '../config.ts';
import { ROOM_KINDS } from '../logic/model.ts';
import { USER_SIG_LIFE_MAX_MS } from '../logic/user_sig.ts';
import {
  ALL_SECRETS,
  nested,
  newPems,
  parse,
  ROOT,
  TENCENT_IM,
  TENCENT_LIVE,
} from './config_support.ts';

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

  it('let a userSig live for 180 days', () => {
    assert.equal(parse({ im: { expire: 180 * 86_400 } }).im.expireMs, USER_SIG_LIFE_MAX_MS);
  });

  it('take a blank id for none', () => {
    assert.equal(parse({ live: { bizid: '', appID: '' } }).live.bizid, 0);
  });
});

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
      admin: { password: 'q7f3kd' },
      auth: { masterKey: 'x2v9ht', mode: 'open' },
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
      /^(\d+(\.\d+)?|true|false|\[\])$/.test(row.default),
    );
    assert.ok(shown.length > 30);
    const raws = shown
      .filter(({ path }) => path !== 'im.sdkAppID')
      .map((row) => nested(row.path, JSON.parse(row.default)));
    for (const raw of raws) assert.deepEqual(parse(raw), parse({}), JSON.stringify(raw));
  });
});
