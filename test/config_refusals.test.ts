import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { ConfigError, configReference } from '../config.ts';
import { nested, newPems, parse, problemsOf } from './config_support.ts';

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
    { im: { expire: 180 * 86_400 + 1 } },
    'im.expire: expected a number of seconds 1..15552000, got 15552001',
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
      { seed: 20_181, numRuns: 60 },
    );
  });
});

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
