import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type GeneratedSecrets, readOrMakeSecrets } from '../logic/secrets_file.ts';
import { newRoot } from './config_support.ts';

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
    const files = newFolders(root).map((folder) => join(folder, 'made-too', 'secrets.json'));
    for (const secrets of await readByMany(files)) assert.equal(new Set(secrets).size, 1);
    for (const file of files) assert.deepEqual(readdirSync(dirname(file)), ['secrets.json']);
  });

  it('gives all who complete it at once the same secrets', async (t) => {
    const files = newFolders(newRoot(t)).map((folder) => join(folder, 'secrets.json'));
    for (const file of files) writeFileSync(file, '{"masterKey":"kept-master-key"}');
    for (const secrets of await readByMany(files)) assert.equal(new Set(secrets).size, 1);
    for (const file of files) assert.deepEqual(readdirSync(dirname(file)), ['secrets.json']);
  });
});

const READERS = 4;
const ROUNDS = 10;

function newFolders(root: string): readonly string[] {
  return Array.from({ length: ROUNDS }, (_, round) => {
    const folder = join(root, String(round));
    mkdirSync(folder);
    return folder;
  });
}

/** Several threads read or make each file, released in the same instant; what each one got. */
async function readByMany(files: readonly string[]): Promise<readonly (readonly string[])[]> {
  const module = new URL(`../logic/secrets_file${extname(import.meta.url)}`, import.meta.url).href;
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { gate, files, readers, module } = workerData;
    import(module).then(({ readOrMakeSecrets }) => {
      parentPort.postMessage(files.map((file, round) => {
        Atomics.add(gate, 0, 1);
        while (Atomics.load(gate, 0) < readers * (round + 1));
        const secrets = readOrMakeSecrets(file);
        return Object.values(secrets).map((secret) => secret.reveal()).join();
      }));
    });`;
  const workerData = { module, gate, files, readers: READERS };
  const workers = Array.from(
    { length: READERS },
    () => new Worker(code, { eval: true, workerData }),
  );
  try {
    const answers = await Promise.all(workers.map((worker) => once(worker, 'message')));
    return files.map((_, round) => answers.map(([secrets]) => String(secrets[round])));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function modeOf(file: string): number {
  return statSync(file).mode & 0o777;
}
