import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Sessions } from '../logic/auth.ts';
import { ApiError } from '../logic/errors.ts';
import { silentLog } from '../logic/log.ts';
import { openSqliteStore } from '../logic/store/sqlite.ts';
import type { Store } from '../logic/store/store.ts';
import { TravelClock } from './support.ts';

const LIFE_MS = 100_000;
const PER_USER_MAX = 3;

describe('a token', () => {
  it('is good for its user and for nobody else', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('ann');
    await bench.sessions.check({ userID: 'ann', token });
    assert.equal(await refusalOf(bench, { userID: 'bob', token }), 'token_mismatch');
    await bench.sessions.check({ userID: 'ann', token });
  });

  it('stands only as a hash in the store', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      const token = await (async () => {
        await using bench = openBench({ file });
        return bench.sessions.open('ann');
      })();
      const files = await readdir(folder);
      const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'latin1')));
      const bytes = texts.join('');
      assert.ok(bytes.includes(createHash('sha256').update(token).digest('base64url')));
      assert.ok(!bytes.includes(token));
    });
  });

  it('is told from a malformed one before anything is looked up', async () => {
    await using bench = openBench();
    const good = await bench.sessions.open('ann');
    const malformed = [
      '',
      'short',
      'x'.repeat(19),
      'x'.repeat(129),
      `${good} `,
      `${good}\n`,
      ` ${good}`,
      `${good}/`,
      `${good}\0`,
      'ä'.repeat(30),
      "' or 1=1 --aaaaaaaaaaaaaaaaa",
    ];
    for (const token of malformed)
      assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_malformed', token);
  });

  it('is unknown when it was never given out', async () => {
    await using bench = openBench();
    const token = randomBytes(32).toString('base64url');
    assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
    const old = `${'0'.repeat(32)}*1a2b3c4d*${'abcd'.repeat(4)}==`;
    assert.equal(await refusalOf(bench, { userID: 'ann', token: old }), 'token_unknown');
  });

  it('ends when it was not used for its life', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('ann');
    await bench.sessions.check({ userID: 'ann', token });
    await bench.clock.advance(LIFE_MS - 1_000);
    await bench.sessions.check({ userID: 'ann', token });
    await bench.clock.advance(LIFE_MS + 1);
    assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
    assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
  });

  it('ends after its life also when it was never used', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('ann');
    await bench.clock.advance(LIFE_MS + 1);
    assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
  });

  it('lives on for a whole life from every use, however soon after the one before', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('ann');
    await bench.clock.advance(LIFE_MS * 0.09);
    await bench.sessions.check({ userID: 'ann', token });
    await bench.clock.advance(LIFE_MS * 0.99);
    await bench.sessions.check({ userID: 'ann', token });
    for (let round = 0; round < 5; round++) {
      await bench.clock.advance(LIFE_MS * 0.7);
      await bench.sessions.check({ userID: 'ann', token });
    }
  });

  it('is not prolonged by a use that is refused', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('ann');
    await bench.clock.advance(LIFE_MS * 0.9);
    assert.equal(await refusalOf(bench, { userID: 'bob', token }), 'token_mismatch');
    await bench.clock.advance(LIFE_MS * 0.2);
    assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
  });
});

describe('sessions of one user', () => {
  it('stand side by side', async () => {
    await using bench = openBench();
    const tokens = [await bench.sessions.open('ann'), await bench.sessions.open('ann')];
    assert.notEqual(tokens[0], tokens[1]);
    for (const token of tokens) await bench.sessions.check({ userID: 'ann', token });
  });

  it('beyond the cap lose the one that ends first, also when it was in use', async () => {
    await using bench = openBench();
    const tokens = await openOneAfterTheOther(bench, PER_USER_MAX);
    for (const token of tokens) await bench.sessions.check({ userID: 'ann', token });
    const newest = await bench.sessions.open('ann');
    assert.deepEqual(await verdictsOn(bench, [...tokens, newest]), [
      'token_unknown',
      'good',
      'good',
      'good',
    ]);
  });

  it('beyond the cap keep the one that was prolonged by use', async () => {
    await using bench = openBench();
    const [first = '', ...others] = await openOneAfterTheOther(bench, PER_USER_MAX);
    await bench.clock.advance(LIFE_MS / 2);
    await bench.sessions.check({ userID: 'ann', token: first });
    await bench.clock.advance(3_000);
    await bench.sessions.open('ann');
    assert.deepEqual(await verdictsOn(bench, [first, ...others]), [
      'good',
      'token_unknown',
      'good',
    ]);
  });

  it('do not count against another user', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('bob');
    await openOneAfterTheOther(bench, 3 * PER_USER_MAX);
    await bench.sessions.check({ userID: 'bob', token });
  });
});

describe('revoking', () => {
  it('ends one session, and the others of the user go on', async () => {
    await using bench = openBench();
    const [first = '', second = ''] = await openOneAfterTheOther(bench, 2);
    await bench.sessions.check({ userID: 'ann', token: first });
    await bench.sessions.revoke(first);
    assert.deepEqual(await verdictsOn(bench, [first, second]), ['token_unknown', 'good']);
  });

  it('succeeds again, and for a token that never was', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('ann');
    await bench.sessions.revoke(token);
    await bench.sessions.revoke(token);
    await bench.sessions.revoke('x'.repeat(43));
  });

  it('is not undone by checks that run at the same time', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('ann');
    await bench.clock.advance(LIFE_MS / 2);
    const check = () => bench.sessions.check({ userID: 'ann', token }).catch(() => undefined);
    const before = Array.from({ length: 20 }, check);
    const revoked = bench.sessions.revoke(token);
    const after = Array.from({ length: 20 }, check);
    await Promise.all([...before, revoked, ...after]);
    assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
    await bench.clock.advance(5_000);
    assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
  });

  it('is not undone by a restart, though the session had just been prolonged', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      const clock = new TravelClock();
      const token = await (async () => {
        await using bench = openBench({ file, clock });
        const opened = await bench.sessions.open('ann');
        await clock.advance(LIFE_MS / 2);
        await bench.sessions.check({ userID: 'ann', token: opened });
        await bench.sessions.revoke(opened);
        return opened;
      })();
      await using bench = openBench({ file, clock });
      assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
    });
  });
});

describe('a restart', () => {
  it('keeps sessions, and what their use prolonged', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      const clock = new TravelClock();
      const token = await (async () => {
        await using bench = openBench({ file, clock });
        const opened = await bench.sessions.open('ann');
        await clock.advance(LIFE_MS / 2);
        await bench.sessions.check({ userID: 'ann', token: opened });
        return opened;
      })();
      await clock.advance(LIFE_MS * 0.9);
      await using bench = openBench({ file, clock });
      await bench.sessions.check({ userID: 'ann', token });
      assert.equal(await refusalOf(bench, { userID: 'bob', token }), 'token_mismatch');
      await clock.advance(LIFE_MS + 1);
      assert.equal(await refusalOf(bench, { userID: 'ann', token }), 'token_unknown');
    });
  });

  it('keeps what was prolonged a few seconds before, however the process ended', async () => {
    await using bench = openBench();
    const token = await bench.sessions.open('ann');
    await bench.clock.advance(LIFE_MS / 2);
    await bench.sessions.check({ userID: 'ann', token });
    await bench.clock.advance(2_500);
    const hash = createHash('sha256').update(token).digest('base64url');
    const kept = await bench.store.readToken(hash);
    assert.ok(kept !== undefined && kept.expiresAtMs > bench.clock.nowMs() + LIFE_MS - 10_000);
  });
});

interface Bench extends AsyncDisposable {
  readonly sessions: Sessions;
  readonly store: Store;
  readonly clock: TravelClock;
}

function openBench(options: { readonly file?: string; readonly clock?: TravelClock } = {}): Bench {
  const { file = ':memory:', clock = new TravelClock() } = options;
  const store = openSqliteStore({ file, sinks: [] });
  const newToken = () => randomBytes(32).toString('base64url');
  const limits = { lifeMs: LIFE_MS, perUserMax: PER_USER_MAX };
  const sessions = new Sessions({ store, clock, log: silentLog, ...limits, newToken });
  const close = async () => {
    await sessions.close();
    await store.close();
  };
  return { sessions, store, clock, [Symbol.asyncDispose]: close };
}

/** Tokens of ann, each of which ends a little later than the one before. */
async function openOneAfterTheOther({ sessions, clock }: Bench, count: number): Promise<string[]> {
  const tokens: string[] = [];
  for (let index = 0; index < count; index++) {
    tokens.push(await sessions.open('ann'));
    await clock.advance(1_000);
  }
  return tokens;
}

async function verdictsOn(bench: Bench, tokens: readonly string[]): Promise<string[]> {
  const verdicts: string[] = [];
  for (const token of tokens)
    verdicts.push((await refusalOf(bench, { userID: 'ann', token })) ?? 'good');
  return verdicts;
}

async function refusalOf(
  { sessions }: Bench,
  claim: { readonly userID: string; readonly token: string },
): Promise<string | undefined> {
  try {
    await sessions.check(claim);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.ok(!error.message.includes(claim.token) || claim.token === '');
    return error.error;
  }
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'roomkeep-sessions-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
