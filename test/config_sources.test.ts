import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readConfig, secretValuesOf } from '../config.ts';
import { readOrMakeSecrets } from '../logic/secrets_file.ts';
import { ALL_SECRETS, newPems, newRoot, problemsOf, writeConfig } from './config_support.ts';

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
    ['ROOMKEEP_PORT_FILE', '/dev/null', 'port_file: unknown key'],
    ['ROOMKEEP___PROTO__', 'x', '"".proto."": unknown key'],
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
