/** Fills a database file with live rooms, directly, because doing it over HTTP would take minutes. */
import { createHash } from 'node:crypto';
import type BetterSqlite3 from 'better-sqlite3';
import LibSql from 'libsql';
import { MIGRATIONS } from '../logic/store/sqlite_schema.ts';

const Database = LibSql as unknown as typeof BetterSqlite3;

export const PUSHERS_PER_ROOM = 4;

export function tokenOf(userID: string): string {
  return `benchmark-token-of-${userID}`;
}

/** Rooms `r0`, `r1`, ... of kind multi_room, each with pushers `u<room>x0` to `x3`, all logged in. */
export function fillDatabase(file: string, { rooms }: { readonly rooms: number }): void {
  const db = new Database(file);
  for (const migration of MIGRATIONS) db.exec(migration);
  db.pragma(`user_version = ${MIGRATIONS.length}`);
  const room = db.prepare(
    `insert into rooms values (?, 'im', 'multi_room', ?, 'active', ?, 'A room', 0, '', 1, 0, 6, 4, 0, '8525_a', '{}', ?, 0)`,
  );
  const pusher = db.prepare(
    `insert into pushers values (?, ?, ?, 'Somebody', 'https://example.com/1.png', 'rtmp://push/live/8525_a', ?, ?, ?)`,
  );
  const token = db.prepare('insert into tokens values (?, ?, ?)');
  const nowMs = Date.now();
  db.exec('begin');
  for (let index = 0; index < rooms; index++) {
    room.run(index + 1, `r${index}`, `u${index}x0`, nowMs);
    for (let seat = 0; seat < PUSHERS_PER_ROOM; seat++) {
      const userID = `u${index}x${seat}`;
      pusher.run(index + 1, userID, seat, `8525_${userID}_0a1b`, nowMs, nowMs);
      const hash = createHash('sha256').update(tokenOf(userID)).digest('base64url');
      token.run(hash, userID, nowMs + 7_200_000);
    }
  }
  db.exec('commit');
  db.close();
}
