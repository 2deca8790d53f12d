import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as rules from '../logic/room_rules.ts';
import { openSqliteStore } from '../logic/store/sqlite.ts';
import type { Store } from '../logic/store/store.ts';
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

  it('makes due again at once what a process that died had out', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      const sinks = [{ name: 'im', gatherMs: 0, ownsGroup: true, wants: () => true }];
      const claim = { sink: 'im', nowMs: 100, leaseMs: 30_000, limit: 9 };
      {
        await using store = openSqliteStore({ file, sinks });
        await act(store, 'a', 0);
        assert.equal((await store.claimDeliveries(claim)).length, 1);
        assert.equal((await store.claimDeliveries(claim)).length, 0);
      }
      await using store = openSqliteStore({ file, sinks });
      assert.equal((await store.claimDeliveries(claim)).length, 1);
    });
  });

  it('answers from memory what it would read from the file', async () => {
    await withFolder(async (folder) => {
      const file = join(folder, 'rooms.db');
      const ids = ['a', 'b', 'c', 'd'];
      const before = openSqliteStore({ file, sinks: [] });
      for (let round = 0; round < 40; round++)
        await Promise.all(ids.map((id) => act(before, id, round)));
      const remembered = await everything(before, ids);
      await before.close();
      await using after = openSqliteStore({ file, sinks: [] });
      assert.deepEqual(await everything(after, ids), remembered);
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

/** One of many things that can happen to a room; which, follows from the round alone. */
async function act(store: Store, roomID: string, round: number): Promise<void> {
  const ref = { kind: 'live_room', roomID } as const;
  const userID = `user${(round * 7 + roomID.charCodeAt(0)) % 5}`;
  const nowMs = round;
  const pusher = { userID, userName: `n${round}`, userAvatar: '', pushURL: '', streamID: userID };
  const change = <T>(rule: rules.Rule<T>) => store.changeRoom({ ref, actor: userID, nowMs, rule });
  const traits = { endsWithCreator: round % 3 === 0, roomType: '', needsHeartbeat: true };
  const times = { nowMs, reservedUntilMs: nowMs + 9, takeOverGroup: false };
  const reserved = await store.reserveRoom({
    ...ref,
    creator: userID,
    info: 'i',
    ...traits,
    ...times,
  });
  if (reserved.outcome === 'reserved')
    await change(rules.openRule({ firstPusher: round % 2 ? pusher : undefined, nowMs }));
  else if (round % 5 === 0) await change(rules.leaveRule({ userID, endsWithCreator: false }));
  else if (round % 11 === 0) await change(rules.destroyRule({ userID }));
  else await change(rules.joinRule({ pusher, maxMembers: 3, nowMs }));
}

async function everything(store: Store, ids: readonly string[]) {
  const rooms = ids.map((roomID) => store.readRoom({ kind: 'live_room', roomID }));
  const page = { kind: 'live_room', roomType: '', offset: 0, limit: 10 } as const;
  return { rooms: await Promise.all(rooms), listed: await store.readRooms(page) };
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'roomkeep-test-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
