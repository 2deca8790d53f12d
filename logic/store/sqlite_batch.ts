import type BetterSqlite3 from 'better-sqlite3';

interface Step {
  readonly run: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: the steps asked for during one turn of the event loop share one transaction, and
 * so one wait for the disk. A step's promise resolves after that commit.
 */
export class SqliteBatch {
  readonly #begin: BetterSqlite3.Statement;
  readonly #commit: BetterSqlite3.Statement;
  readonly #db: BetterSqlite3.Database;
  readonly #onCommit: () => void;
  readonly #onRollback: () => void;
  #waiting: Step[] = [];
  #isOpen = true;

  /** The callbacks run once per transaction, before any promise of it settles. */
  constructor(parts: {
    readonly db: BetterSqlite3.Database;
    readonly onCommit: () => void;
    readonly onRollback: () => void;
  }) {
    this.#db = parts.db;
    this.#onCommit = parts.onCommit;
    this.#onRollback = parts.onRollback;
    this.#begin = parts.db.prepare('begin immediate');
    this.#commit = parts.db.prepare('commit');
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Runs `step` in the next transaction, after the steps asked for before it. */
  write<T>(step: () => T): Promise<T> {
    if (!this.#isOpen) return Promise.reject(new Error('The store is closed.'));
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.flush());
      this.#waiting.push({ run: step, resolve: resolve as Step['resolve'], reject });
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    const steps = this.#waiting;
    this.#waiting = [];
    if (steps.length === 0) return;
    if (this.#tryTogether(steps)) return;
    // One step failed while writing. Each gets its own transaction, so that only that one fails.
    for (const step of steps) this.#runAlone(step);
  }

  /** Commits what waits; nothing more is taken. */
  close(): void {
    this.#isOpen = false;
    this.flush();
  }

  #tryTogether(steps: readonly Step[]): boolean {
    let values: readonly unknown[];
    try {
      values = this.#committed(() => steps.map(({ run }) => run()));
    } catch {
      return false;
    }
    this.#settle(() => {
      steps.forEach(({ resolve }, index) => {
        resolve(values[index]);
      });
    });
    return true;
  }

  #runAlone({ run, resolve, reject }: Step): void {
    let value: unknown;
    try {
      value = this.#committed(run);
    } catch (error) {
      reject(error);
      return;
    }
    this.#settle(() => resolve(value));
  }

  /** What is committed stays so: a listener that throws ends the process, and undoes nothing. */
  #settle(resolve: () => void): void {
    try {
      this.#onCommit();
    } finally {
      resolve();
    }
  }

  #committed<T>(work: () => T): T {
    try {
      this.#begin.run();
      const value = work();
      this.#commit.run();
      return value;
    } catch (error) {
      this.#onRollback();
      if (this.#db.inTransaction) this.#db.exec('rollback');
      throw error;
    }
  }
}
