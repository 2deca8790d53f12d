/** What happened, as data: `log.info('room_reaped', { roomID, idleMs })`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The only logging surface logic may see; `app.ts` backs it with log4js. */
export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, error: unknown, fields?: LogFields): void;
}

export const silentLog: Log = { info() {}, warn() {}, error() {} };

/** One answered request; the response log holds one line for each. */
export interface AccessEntry {
  readonly atMs: number;
  readonly requestID: string;
  readonly method: string;
  /** Without the query, where tokens travel. */
  readonly path: string;
  readonly ip: string;
  readonly userID: string;
  readonly roomID: string;
  readonly status: number;
  readonly code: number;
  readonly durationMs: number;
}

export interface AccessLog {
  write(entry: AccessEntry): void;
}

export const silentAccessLog: AccessLog = { write() {} };
