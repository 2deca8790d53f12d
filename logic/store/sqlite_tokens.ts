import type BetterSqlite3 from 'better-sqlite3';
import type { SqliteBatch } from './sqlite_batch.ts';
import type { TokenStore } from './store.ts';

const TOKEN_INSERT = 'insert into tokens (hash, user_id, expires_at_ms) values (?, ?, ?)';

const TOKENS_OVER = `
  delete from tokens where hash in (
    select hash from tokens where user_id = ? order by expires_at_ms desc, hash limit -1 offset ?)
  returning hash`;

const TOKEN_SELECT = 'select user_id, expires_at_ms from tokens where hash = ?';

const TOKEN_EXTEND = 'update tokens set expires_at_ms = max(expires_at_ms, ?) where hash = ?';

const TOKEN_DELETE = 'delete from tokens where hash = ?';

const TOKENS_PRUNE = `
  delete from tokens where hash in (
    select hash from tokens where expires_at_ms < ? order by expires_at_ms limit ?)`;

/** Log-in tokens in SQLite. */
export class SqliteTokens implements TokenStore {
  readonly #batch: SqliteBatch;
  readonly #statements;

  constructor(parts: { readonly db: BetterSqlite3.Database; readonly batch: SqliteBatch }) {
    this.#batch = parts.batch;
    this.#statements = statementsOn(parts.db);
  }

  insertToken(request: Parameters<TokenStore['insertToken']>[0]) {
    const { hash, userID, expiresAtMs, perUserMax } = request;
    return this.#batch.write(() => {
      const over = this.#statements.over.all(userID, perUserMax - 1);
      this.#statements.insert.run(hash, userID, expiresAtMs);
      return over.map((row) => row.hash);
    });
  }

  async readToken(hash: string) {
    const row = this.#statements.select.get(hash);
    return row && { userID: row.user_id, expiresAtMs: row.expires_at_ms };
  }

  extendTokens(tokens: Parameters<TokenStore['extendTokens']>[0]) {
    return this.#batch.write(() => {
      for (const { hash, expiresAtMs } of tokens) this.#statements.extend.run(expiresAtMs, hash);
    });
  }

  deleteToken(hash: string) {
    return this.#batch.write(() => {
      this.#statements.remove.run(hash);
    });
  }

  pruneTokens(request: Parameters<TokenStore['pruneTokens']>[0]) {
    return this.#batch.write(
      () => this.#statements.prune.run(request.beforeMs, request.limit).changes,
    );
  }
}

function statementsOn(db: BetterSqlite3.Database) {
  return {
    insert: db.prepare(TOKEN_INSERT),
    over: db.prepare<[string, number], { hash: string }>(TOKENS_OVER),
    select: db.prepare<[string], { user_id: string; expires_at_ms: number }>(TOKEN_SELECT),
    extend: db.prepare(TOKEN_EXTEND),
    remove: db.prepare(TOKEN_DELETE),
    prune: db.prepare(TOKENS_PRUNE),
  };
}
