import { inspect } from 'node:util';
import log4js from 'log4js';
import type { Clock } from './logic/clock.ts';
import type { AccessEntry, AccessLog, Log, LogFields } from './logic/log.ts';
import { HourlyLogFile, LOG_SERIES } from './logic/log_files.ts';
import { isCredential, MASKED, type Mask, newMask } from './logic/mask.ts';

export interface LogSettings {
  readonly dir: string;
  /** The least level of events that are kept; the response log is complete at every level. */
  readonly level: string;
  /** Values that must not appear in any line. */
  readonly secrets: readonly string[];
  readonly worker?: number | undefined;
  readonly clock: Clock;
  /** Where warnings and errors are shown beside the error log; the process's own if not given. */
  readonly stderr?: { write(text: string): unknown };
}

export interface Logs {
  readonly log: Log;
  readonly access: AccessLog;
  /** Resolves when every line is in its file. */
  close(): Promise<void>;
}

/**
 * Opens the hourly logs: requests go to `response`, events to `service`, warnings and errors to
 * `error` and to stderr. log4js is global, so a process has one set of logs at a time.
 */
export function openLogs(settings: LogSettings): Logs {
  if (log4js.isConfigured()) throw new Error('The logs are open already, and a process has one.');
  if (log4js.levels.getLevel(settings.level) === undefined) {
    throw new Error(
      `log.level must be trace, debug, info, warn, error or off, got "${settings.level}".`,
    );
  }
  const mask = newMask(settings.secrets);
  configureLog4js(settings, mask);
  const access = new BufferedAccessLog({ mask, logger: log4js.getLogger('response') });
  let closing: Promise<void> | undefined;
  return {
    log: newEventLog({ mask, clock: settings.clock }),
    access,
    close() {
      access.close();
      closing ??= new Promise((resolve) => log4js.shutdown(() => resolve()));
      return closing;
    },
  };
}

const ACCESS_FLUSH_LENGTH = 64 * 1024;
const ACCESS_FLUSH_MS = 100;
const ACCESS_TEXT_LENGTH_MAX = 256;

const EVENT_LENGTH_MAX = 64 * 1024;
const TEXT_LENGTH_MAX = 4 * 1024;
// Beyond this even looking for credentials would cost too much.
const MASKED_LENGTH_MAX = 64 * 1024;
const CAUSE_DEPTH_MAX = 3;
const ERRORS_SHOWN_MAX = 10;

function configureLog4js(settings: LogSettings, mask: Mask): void {
  const { dir, level, worker, clock, stderr = process.stderr } = settings;
  // A log file that cannot be written has to say so elsewhere.
  const report = (event: string, fields: LogFields): void => {
    const line = {
      atMs: clock.nowMs(),
      level: 'error',
      event,
      fields: () => fields,
      mask,
    } as const;
    stderr.write(`${eventLine(line)}\n`);
  };
  const files = LOG_SERIES.map((series) => {
    const file = new HourlyLogFile({ dir, series, worker, clock, report });
    return [series, { type: { configure: () => appenderTo(file) } }] as const;
  });
  const show = (event: log4js.LoggingEvent): unknown => stderr.write(`${textOf(event)}\n`);
  log4js.configure({
    // Every worker writes its own files; else log4js would send all lines to the primary process.
    disableClustering: true,
    appenders: { ...Object.fromEntries(files), stderr: { type: { configure: () => show } } },
    categories: {
      default: { appenders: ['error'], level: 'off' },
      response: { appenders: ['response'], level: 'info' },
      service: { appenders: ['service'], level },
      error: { appenders: ['error', 'stderr'], level },
    },
  });
}

/**
 * An appender of our own, because log4js's dateFile keeps one file more than asked and prunes only
 * while it runs; a failed roll ends the process and a full disk silences it until the next start.
 */
function appenderTo(file: HourlyLogFile): log4js.AppenderFunction {
  const append = (event: log4js.LoggingEvent): void => file.write(`${textOf(event)}\n`);
  const shutdown = (done: () => void): void => {
    file.close().then(done, done);
  };
  return Object.assign(append, { shutdown });
}

function textOf(event: log4js.LoggingEvent): string {
  return String(event.data[0]);
}

/** One line per request, written many at a time because each write costs more than its lines. */
class BufferedAccessLog implements AccessLog {
  readonly #mask: Mask;
  readonly #logger: log4js.Logger;
  #lines = '';
  #second = Number.NaN;
  #secondText = '';
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: { mask: Mask; logger: log4js.Logger }) {
    this.#mask = parts.mask;
    this.#logger = parts.logger;
  }

  write(entry: AccessEntry): void {
    if (this.#isClosed) return;
    const line = accessLine({ entry, time: this.#timeOf(entry.atMs), mask: this.#mask });
    this.#lines = this.#lines === '' ? line : `${this.#lines}\n${line}`;
    if (this.#lines.length >= ACCESS_FLUSH_LENGTH) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), ACCESS_FLUSH_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    this.#flush();
  }

  /** The text of a second serves all its requests: formatting it costs as much as the line. */
  #timeOf(atMs: number): string {
    const second = Math.floor(atMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().slice(0, -'000Z'.length);
    }
    return `${this.#secondText}${String(Math.floor(atMs) - second * 1000).padStart(3, '0')}Z`;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === '') return;
    this.#logger.info(this.#lines);
    this.#lines = '';
  }
}

/** Built by hand: it is the one line that every request pays for. */
function accessLine(parts: { entry: AccessEntry; time: string; mask: Mask }): string {
  const { entry, time, mask } = parts;
  const { requestID, method, path, ip, userID, roomID, status, code } = entry;
  // One look at all texts together; hardly ever is there anything to mask, escape or cut.
  const texts = `${requestID} ${method} ${path} ${ip} ${userID} ${roomID}`;
  const isPlain =
    texts.length <= ACCESS_TEXT_LENGTH_MAX && !UNSAFE.test(texts) && mask(texts) === texts;
  const show = (text: string): string =>
    isPlain ? text : jsonOf(mask(text).slice(0, ACCESS_TEXT_LENGTH_MAX)).slice(1, -1);
  const durationMs = Math.round(entry.durationMs * 10) / 10;
  return (
    `{"time":"${time}","id":"${show(requestID)}"` +
    `,"method":"${show(method)}","path":"${show(path)}","ip":"${show(ip)}"` +
    `,"user":"${show(userID)}","room":"${show(roomID)}"` +
    `,"status":${status},"code":${code},"ms":${durationMs}}`
  );
}

function newEventLog({ mask, clock }: { mask: Mask; clock: Clock }): Log {
  const service = log4js.getLogger('service');
  const errors = log4js.getLogger('error');
  const lineOf = (level: Level, event: string, fields: () => LogFields): string =>
    eventLine({ atMs: clock.nowMs(), level, event, fields, mask });
  return {
    info(event, fields = {}) {
      if (service.isInfoEnabled()) service.info(lineOf('info', event, () => fields));
    },
    warn(event, fields = {}) {
      if (errors.isWarnEnabled()) errors.warn(lineOf('warn', event, () => fields));
    },
    error(event, error, fields = {}) {
      if (!errors.isErrorEnabled()) return;
      errors.error(lineOf('error', event, () => ({ ...fields, error: describe(error) })));
    },
  };
}

type Level = 'info' | 'warn' | 'error';

/** Never throws: what cannot be shown costs its fields, not the line. */
function eventLine(parts: {
  atMs: number;
  level: Level;
  event: string;
  fields: () => LogFields;
  mask: Mask;
}): string {
  const { level, event, mask } = parts;
  const head = { time: new Date(parts.atMs).toISOString(), level, event };
  try {
    // The head twice: it comes first, and no field may pass for it.
    const line = jsonOf({ ...head, ...parts.fields(), ...head }, (name, value) =>
      showable({ name, value, mask }),
    );
    return line.length <= EVENT_LENGTH_MAX ? line : jsonOf({ ...head, tooLong: line.length });
  } catch (error) {
    return jsonOf({ ...head, unprintable: error instanceof Error ? mask(error.message) : true });
  }
}

function showable({ name, value, mask }: { name: string; value: unknown; mask: Mask }): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Error) return describe(value);
  if (typeof value !== 'string') return value;
  if (isCredential({ name, value })) return MASKED;
  return mask(value.slice(0, MASKED_LENGTH_MAX)).slice(0, TEXT_LENGTH_MAX);
}

/** Only what every error has: the rest may be a whole HTTP exchange. */
function describe(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return inspect(error, { depth: 1, breakLength: Infinity });
  if (depth > CAUSE_DEPTH_MAX) return String(error);
  const { name, message, stack, cause } = error;
  const errors = error instanceof AggregateError ? error.errors : [];
  return {
    name,
    message,
    ...('code' in error && { code: error.code }),
    stack,
    ...(cause !== undefined && { cause: describe(cause, depth + 1) }),
    ...(errors.length > 0 && {
      errors: errors.slice(0, ERRORS_SHOWN_MAX).map((each) => describe(each, depth + 1)),
    }),
  };
}

// What ends a JSON string, ends a line in some reader's eyes, or commands a terminal.
const UNSAFE = /["\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
const UNSAFE_IN_JSON = /[\p{Cc}\p{Zl}\p{Zp}]/gu;

/** JSON on one line, whatever the reader takes for the end of a line. */
function jsonOf(value: unknown, replacer?: (name: string, value: unknown) => unknown): string {
  return JSON.stringify(value, replacer).replace(
    UNSAFE_IN_JSON,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
