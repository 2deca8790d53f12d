import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import LibSql from 'libsql';
import { RoomCache } from './room_cache.ts';
import { RoomRanking } from './room_ranking.ts';
import { SqliteBatch } from './sqlite_batch.ts';
import { SqliteEvents } from './sqlite_events.ts';
import { SqliteRooms } from './sqlite_rooms.ts';
import { MIGRATIONS } from './sqlite_schema.ts';
import { SqliteTokens } from './sqlite_tokens.ts';
import type { Sink, Store } from './store.ts';

// libsql speaks better-sqlite3's interface, but its own typings are loose.
const Database = LibSql as unknown as typeof BetterSqlite3;

// What the process before this one had in hand is nobody's now: ids it had reserved are given
// back at the first sweep, and whatever waits to be delivered is due at once.
const RECOVERY = `
  begin;
  update rooms set reserved_until_ms = 0 where state = 'reserved';
  update outbox set claimed = 0, due_at_ms = 0;
  commit`;

/**
 * Opens the embedded store; `:memory:` keeps nothing. Every commit is on the disk before its
 * promise resolves. The file belongs to one process at a time: a second one is refused, because
 * who is alive is kept in the memory of the first.
 */
export function openSqliteStore(settings: {
  readonly file: string;
  readonly sinks: readonly Sink[];
}): Store {
  const { file, sinks } = settings;
  if (file !== ':memory:') mkdirSync(dirname(file), { recursive: true });
  const unlock = lock(file);
  try {
    const db = openDatabase(file);
    migrate(db, file);
    db.exec(RECOVERY);
    return storeOn({ db, sinks, unlock });
  } catch (error) {
    unlock();
    throw error;
  }
}

/**
 * Holds an exclusive transaction on a file beside the database. The system gives it back when the
 * process ends, however it ends; libsql gives locks of the database itself back only at leisure.
 */
function lock(file: string): () => void {
  const db = new Database(file === ':memory:' ? file : `${file}.lock`);
  try {
    db.exec('begin exclusive');
  } catch (cause) {
    db.close();
    throw new Error(`sqlite.file ${file} is in use by another process.`, { cause });
  }
  return () => {
    db.exec('rollback');
    db.close();
  };
}

function openDatabase(file: string): BetterSqlite3.Database {
  const db = new Database(file);
  try {
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    return db;
  } catch (cause) {
    db.close();
    throw new Error(`sqlite.file ${file} cannot be opened as a database.`, { cause });
  }
}

function migrate(db: BetterSqlite3.Database, file: string): void {
  const [row] = db.pragma('user_version') as readonly { readonly user_version: number }[];
  const version = row?.user_version ?? 0;
  if (version > MIGRATIONS.length)
    throw new Error(
      `sqlite.file ${file} has schema ${version}, newer than ${MIGRATIONS.length}, the newest this version knows.`,
    );
  MIGRATIONS.slice(version).forEach((migration, index) => {
    db.exec(`begin; ${migration}; pragma user_version = ${version + index + 1}; commit`);
  });
}

function storeOn(parts: {
  readonly db: BetterSqlite3.Database;
  readonly sinks: readonly Sink[];
  readonly unlock: () => void;
}): Store {
  const { db, sinks, unlock } = parts;
  const batch: SqliteBatch = new SqliteBatch({
    db,
    onCommit() {
      ranking.commit();
      cache.commit();
      events.publish();
    },
    onRollback() {
      ranking.rollback();
      cache.rollback();
      events.forget();
    },
  });
  const ranking = new RoomRanking();
  const cache = new RoomCache();
  const events = new SqliteEvents({ db, batch, sinks });
  const rooms = new SqliteRooms({ db, batch, events, ranking, cache });
  const tokens = new SqliteTokens({ db, batch });
  const alive = db.prepare('select 1');

  async function close(): Promise<void> {
    if (!batch.isOpen) return;
    batch.close();
    db.close();
    unlock();
  }

  return {
    reserveRoom: (request) => rooms.reserveRoom(request),
    dropReservation: (request) => rooms.dropReservation(request),
    changeRoom: (request) => rooms.changeRoom(request),
    readRoom: (ref) => rooms.readRoom(ref),
    readRooms: (page) => rooms.readRooms(page),
    readAudiences: (ref, limit) => rooms.readAudiences(ref, limit),
    readIdleRooms: (request) => rooms.readIdleRooms(request),
    readExpiredRooms: (request) => rooms.readExpiredRooms(request),
    readStaleReservations: (request) => rooms.readStaleReservations(request),
    readLiveRooms: (request) => rooms.readLiveRooms(request),
    readCounts: () => rooms.readCounts(),
    subscribe: (listener) => events.subscribe(listener),
    readEvents: (request) => events.readEvents(request),
    pruneEvents: (request) => events.pruneEvents(request),
    claimDeliveries: (request) => events.claimDeliveries(request),
    ackDelivery: (delivery, nowMs) => events.ackDelivery(delivery, nowMs),
    failDelivery: (delivery, dueAtMs) => events.failDelivery(delivery, dueAtMs),
    readNextDueMs: (sink) => events.readNextDueMs(sink),
    insertToken: (request) => tokens.insertToken(request),
    readToken: (hash) => tokens.readToken(hash),
    extendTokens: (extended) => tokens.extendTokens(extended),
    deleteToken: (hash) => tokens.deleteToken(hash),
    pruneTokens: (request) => tokens.pruneTokens(request),
    async ping() {
      assert(batch.isOpen, 'The store is closed.');
      alive.get();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
