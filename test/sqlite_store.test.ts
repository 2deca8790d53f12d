import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openSqliteStore } from '../logic/store/sqlite.ts';
import { storeContract } from './contract/store_contract.ts';

storeContract('SQLite', async ({ sinks }) => openSqliteStore({ file: ':memory:', sinks }));

describe('the SQLite store on disk', () => {
  it('keeps what was committed when it is opened again', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'below', 'rooms.db');
      const expiresAtMs = 5;
      {
        await using store = openSqliteStore({ file, sinks: [] });
        await store.insertToken({ hash: 'h', userID: 'ann', expiresAtMs, perUserMax: 1 });
      }
      await using store = openSqliteStore({ file, sinks: [] });
      assert.deepEqual(await store.readToken('h'), { userID: 'ann', expiresAtMs });
    });
  });

  it('writes what was asked for before it closes', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      const store = openSqliteStore({ file, sinks: [] });
      const written = store.insertToken({ hash: 'h', userID: 'a', expiresAtMs: 1, perUserMax: 1 });
      await store.close();
      await written;
      await using again = openSqliteStore({ file, sinks: [] });
      assert.ok(await again.readToken('h'));
    });
  });

  it('refuses a file that is open already', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      await using first = openSqliteStore({ file, sinks: [] });
      assert.throws(() => openSqliteStore({ file, sinks: [] }), /in use by another process/);
      await first.ping();
    });
  });

  it('refuses a file that is no database', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      await writeFile(
        file,
        'this is not a database, only some text that is long enough to look at',
      );
      assert.throws(() => openSqliteStore({ file, sinks: [] }), /cannot be opened as a database/);
    });
  });

  it('rejects what is asked of it after it closed', async () => {
    const store = openSqliteStore({ file: ':memory:', sinks: [] });
    await store.close();
    await store.close();
    await assert.rejects(store.deleteToken('h'));
    await assert.rejects(store.ping());
  });
});

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'roomkeep-test-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
