import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from './clock.ts';
import type { LogFields } from './log.ts';

/**
 * The hourly log files: `<dir>/<series>/<series>-yyyy-MM-dd-hh.log` in local time, with `-wN`
 * behind the series for worker N. Nothing else knows how they are named, kept, written and read.
 */
export const LOG_SERIES = ['response', 'service', 'error'] as const;

export type LogSeries = (typeof LOG_SERIES)[number];

/** Hours whose files are kept per series, the running one among them: seven days. */
export const LOG_HOURS_MAX = 168;

/** What one download gives at most: the end of the file, where the newest lines are. */
export const LOG_DOWNLOAD_BYTES_MAX = 64 * 1024 * 1024;

export interface LogFile {
  /** As the listing shows it: `./error/error-2018-02-27-15.log`. */
  readonly name: string;
  readonly bytes: number;
}

export interface OpenedLogFile {
  /** To be read or destroyed by the caller. */
  readonly stream: Readable;
  readonly bytes: number;
}

/** Lists the log files below `dir`, newest hour first: only regular files that bear our names. */
export async function listLogFiles(dir: string): Promise<readonly LogFile[]> {
  const found = await Promise.all(LOG_SERIES.map((series) => findHourlyFiles(dir, series)));
  const newest = found.flat().sort(newestFirst).slice(0, LISTED_FILES_MAX);
  const listed = newest.map(async ({ name }) => {
    const stats = await unlessGone(lstat(join(dir, name)));
    return stats === undefined ? [] : [{ name, bytes: stats.size }];
  });
  return (await Promise.all(listed)).flat();
}

/** Opens a listed file by its listed name; any other name, however spelt, gives undefined. */
export async function openLogFile(dir: string, name: string): Promise<OpenedLogFile | undefined> {
  // What a caller sends is compared and never becomes part of a path.
  const listed = (await listLogFiles(dir)).find((file) => file.name === name);
  if (listed === undefined) return undefined;
  const path = join(dir, listed.name);
  const file = await unlessGone(open(path, constants.O_RDONLY | PLAIN_FILE));
  if (file === undefined) return undefined;
  const stats = await file.stat();
  if (!stats.isFile() || stats.size === 0) {
    await file.close();
    return stats.isFile() ? { stream: Readable.from([]), bytes: 0 } : undefined;
  }
  const start = Math.max(0, stats.size - LOG_DOWNLOAD_BYTES_MAX);
  // An end, because the file may grow while it is read and its length has been promised.
  const stream = file.createReadStream({ start, end: stats.size - 1 });
  return { stream, bytes: stats.size - start };
}

/** Appends to the file of the running hour and keeps the newest hours, whatever the disk does. */
export class HourlyLogFile {
  readonly #dir: string;
  readonly #series: LogSeries;
  readonly #stem: string;
  readonly #clock: Clock;
  readonly #report: (event: string, fields: LogFields) => void;
  readonly #waiting: { readonly path: string; text: string }[] = [];
  #waitingLength = 0;
  #linesLost = 0;
  /** The write in hand. When it fails its rest stays first and in its file: no line is torn. */
  #unwritten: Unwritten | undefined;
  #lastPath = '';
  /** Due when a file has appeared, and at first for what an earlier run left. */
  #isPruningDue = true;
  #isFailing = false;
  #running: Promise<void> | undefined;

  /** `report` hears once when the file cannot be written, and once when it can again. */
  constructor(parts: {
    dir: string;
    series: LogSeries;
    worker?: number | undefined;
    clock: Clock;
    report: (event: string, fields: LogFields) => void;
  }) {
    this.#dir = parts.dir;
    this.#series = parts.series;
    this.#stem = parts.worker === undefined ? parts.series : `${parts.series}-w${parts.worker}`;
    this.#clock = parts.clock;
    this.#report = parts.report;
    this.#run();
  }

  /** Takes whole lines for the file of this hour; never waits and never throws. */
  write(lines: string): void {
    if (this.#waitingLength + lines.length > WAITING_LENGTH_MAX) {
      this.#linesLost += countLines(lines);
    } else {
      this.#enqueue(lines);
    }
    this.#run();
  }

  /** Resolves when every line is written, or reported as lost. */
  async close(): Promise<void> {
    await this.#running;
    this.#run();
    await this.#running;
    const left = [
      this.#unwritten?.bytes.toString() ?? '',
      ...this.#waiting.map(({ text }) => text),
    ];
    const linesLost = left.reduce((sum, text) => sum + countLines(text), this.#linesLost);
    if (linesLost > 0) this.#report('log_lines_lost', { series: this.#series, linesLost });
  }

  #enqueue(text: string): void {
    const hour = hourOf(this.#clock.nowMs());
    const path = join(this.#dir, this.#series, `${this.#stem}-${hour}.log`);
    const last = this.#waiting.at(-1);
    if (last?.path === path) last.text += text;
    else this.#waiting.push({ path, text });
    this.#waitingLength += text.length;
  }

  #run(): void {
    if (this.#isWorkDue()) this.#running ??= this.#work();
  }

  #isWorkDue(): boolean {
    return this.#isPruningDue || this.#unwritten !== undefined || this.#waiting.length > 0;
  }

  /** After a failure the rest waits for the next write, so a full disk makes no busy loop. */
  async #work(): Promise<void> {
    try {
      while (this.#isWorkDue()) await this.#step();
      this.#succeed();
    } catch (error) {
      this.#fail(error);
    }
    // In the turn of the last look for work: whatever is written later starts a new run.
    this.#running = undefined;
  }

  async #step(): Promise<void> {
    if (this.#isPruningDue) {
      this.#isPruningDue = false;
      await prune({ dir: this.#dir, series: this.#series, hour: hourOf(this.#clock.nowMs()) });
      return;
    }
    this.#unwritten ??= this.#takeWaiting();
    if (this.#unwritten === undefined) return;
    await append(this.#unwritten);
    this.#isPruningDue = this.#unwritten.path !== this.#lastPath;
    this.#lastPath = this.#unwritten.path;
    this.#unwritten = undefined;
  }

  #takeWaiting(): Unwritten | undefined {
    const next = this.#waiting.shift();
    if (next === undefined) return undefined;
    this.#waitingLength -= next.text.length;
    return { path: next.path, bytes: Buffer.from(next.text) };
  }

  #fail(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#report('log_write_failed', { series: this.#series, error });
  }

  #succeed(): void {
    if (!this.#isFailing && this.#linesLost === 0) return;
    this.#report('log_write_resumed', { series: this.#series, linesLost: this.#linesLost });
    this.#isFailing = false;
    this.#linesLost = 0;
  }
}

const LISTED_FILES_MAX = 5_000;

// Lines that wait for a slow or failing disk; what comes on top is counted and lost.
const WAITING_LENGTH_MAX = 8 * 1024 * 1024;

// Who can put a link or a pipe in a file's place must not make us follow it or wait on it.
const PLAIN_FILE = constants.O_NOFOLLOW | constants.O_NONBLOCK;

const GONE: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

const NAME_PATTERN = /^([a-z]+)(?:-w[0-9]{1,4})?-([0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2})\.log$/;

interface HourlyFile {
  readonly name: string;
  readonly hour: string;
}

interface Unwritten {
  readonly path: string;
  bytes: Buffer;
}

/** Opens the file for each write: then it may be deleted or moved at any time. */
async function append(unwritten: Unwritten): Promise<void> {
  await mkdir(dirname(unwritten.path), { recursive: true });
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | PLAIN_FILE;
  const file = await open(unwritten.path, flags, 0o600);
  try {
    while (unwritten.bytes.length > 0) {
      const { bytesWritten } = await file.write(unwritten.bytes);
      unwritten.bytes = unwritten.bytes.subarray(bytesWritten);
    }
  } finally {
    await file.close();
  }
}

/** Removes the files of all but the newest hours, of every worker, also of one no longer run. */
async function prune(place: { dir: string; series: LogSeries; hour: string }): Promise<void> {
  const { dir, series, hour } = place;
  const files = await findHourlyFiles(dir, series);
  const hours = [...new Set(files.map((file) => file.hour))].sort().reverse();
  // A file of the future was named by a wrong clock. It goes first, or it would stay for ever.
  const byAge = [...hours.filter((past) => past <= hour), ...hours.filter((wrong) => wrong > hour)];
  const kept = new Set(byAge.slice(0, LOG_HOURS_MAX));
  const old = files.filter((file) => !kept.has(file.hour));
  for (const { name } of old) await unlessGone(unlink(join(dir, name)));
}

async function findHourlyFiles(dir: string, series: LogSeries): Promise<readonly HourlyFile[]> {
  const folder = join(dir, series);
  const stats = await unlessGone(lstat(folder));
  if (!stats?.isDirectory()) return [];
  const entries = await unlessGone(readdir(folder, { withFileTypes: true }));
  return (entries ?? []).flatMap((entry) => {
    const [, bornBy, hour] = NAME_PATTERN.exec(entry.name) ?? [];
    if (!entry.isFile() || bornBy !== series || hour === undefined) return [];
    return [{ name: `./${series}/${entry.name}`, hour }];
  });
}

function newestFirst(a: HourlyFile, b: HourlyFile): number {
  if (a.hour !== b.hour) return a.hour < b.hour ? 1 : -1;
  return a.name < b.name ? -1 : 1;
}

function hourOf(atMs: number): string {
  const at = new Date(atMs);
  const parts = [at.getMonth() + 1, at.getDate(), at.getHours()];
  return [at.getFullYear(), ...parts.map((part) => String(part).padStart(2, '0'))].join('-');
}

function countLines(text: string): number {
  return text.split('\n').length - 1;
}

async function unlessGone<Value>(found: Promise<Value>): Promise<Value | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof Error && 'code' in error && GONE.has(error.code)) return undefined;
    throw error;
  }
}
