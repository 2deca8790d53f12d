/** What tests share: a clock they can move, a service they can talk to. */
import { setImmediate as nextTurn, setTimeout as realSleep } from 'node:timers/promises';
import { type App, type Overrides, startApp } from '../app.ts';
import { type Config, parseConfig } from '../config.ts';
import type { Clock } from '../logic/clock.ts';
import { Secret } from '../logic/secret.ts';

interface Sleeper {
  readonly dueAtMs: number;
  readonly wake: () => void;
}

/**
 * Real time that can be moved forward. What sleeps until then wakes in order, as it would have,
 * and what is not moved goes on by itself, so nothing waits for ever.
 */
export class TravelClock implements Clock {
  #offsetMs = 0;
  #calendarMs: number;
  readonly #sleepers = new Set<Sleeper>();

  /** `startAtMs`: what the calendar shows at first; today unless told. */
  constructor(startAtMs: number = Date.now()) {
    this.#calendarMs = startAtMs - performance.now();
  }

  nowMs(): number {
    return Math.trunc(this.monotonicMs() + this.#calendarMs);
  }

  monotonicMs(): number {
    return performance.now() + this.#offsetMs;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const woken = new AbortController();
    const sleeper = { dueAtMs: this.monotonicMs() + ms, wake: () => woken.abort() };
    this.#sleepers.add(sleeper);
    const stop = () => woken.abort();
    signal.addEventListener('abort', stop, { once: true });
    await realSleep(ms, undefined, { signal: woken.signal }).catch(() => undefined);
    signal.removeEventListener('abort', stop);
    this.#sleepers.delete(sleeper);
    signal.throwIfAborted();
  }

  /** Moves time, stopping wherever somebody wanted to be woken. */
  async advance(ms: number): Promise<void> {
    const targetMs = this.monotonicMs() + ms;
    for (;;) {
      const next = this.#earliest(targetMs);
      if (next === undefined) break;
      this.#offsetMs += Math.max(0, next.dueAtMs - this.monotonicMs());
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#offsetMs += Math.max(0, targetMs - this.monotonicMs());
    await settle();
  }

  /** Time passes in one leap, as for a process that was stopped meanwhile. */
  stall(ms: number): void {
    this.#offsetMs += ms;
  }

  /** The calendar jumps, time does not pass. */
  setCalendarForward(ms: number): void {
    this.#calendarMs += ms;
  }

  #earliest(beforeMs: number): Sleeper | undefined {
    let earliest: Sleeper | undefined;
    for (const sleeper of this.#sleepers)
      if (sleeper.dueAtMs <= beforeMs && (!earliest || sleeper.dueAtMs < earliest.dueAtMs))
        earliest = sleeper;
    return earliest;
  }
}

/** Lets everything that can run now run: promises, commits, timers that are due. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await nextTurn();
}

export const TEST_SECRETS = {
  imSecretKey: new Secret('test-im-secret-key'),
  pushSecretKey: new Secret('test-push-secret-key'),
  masterKey: new Secret('test-master-key-of-sufficient-length'),
  adminPassword: new Secret('test-admin-password'),
};

/** A configuration with what every test wants: any free port, a store in memory, no files. */
export function testConfig(settings: Readonly<Record<string, unknown>> = {}): Config {
  const raw = { port: 0, host: '127.0.0.1', sqlite: { file: ':memory:' }, ...settings };
  return parseConfig(raw, TEST_SECRETS, '/nowhere');
}

/** A running service and the ways tests talk to it. */
export interface TestApp extends AsyncDisposable {
  readonly app: App;
  readonly clock: TravelClock;
  post(path: string, body?: unknown): Promise<Answer>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  send(path: string, init: RequestInit): Promise<Response>;
}

/** What was answered; every answer must be JSON with a numeric code. */
export type Answer = Readonly<Record<string, unknown>> & {
  readonly status: number;
  readonly code: number;
};

export async function startTestApp(
  settings: Readonly<Record<string, unknown>> = {},
  overrides: Overrides = {},
): Promise<TestApp> {
  const clock = (overrides.clock as TravelClock | undefined) ?? new TravelClock();
  const app = await startApp(testConfig(settings), { checksReplies: true, ...overrides, clock });
  const send = (path: string, init: RequestInit) => fetch(app.url.origin + path, init);
  return {
    app,
    clock,
    send,
    post: async (path, body = {}) =>
      answerOf(
        await send(path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      ),
    get: async (path, headers = {}) => answerOf(await send(path, { headers })),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

async function answerOf(response: Response): Promise<Answer> {
  const body = (await response.json()) as { readonly code: number };
  return { status: response.status, ...body };
}

/** Polls for what happens in the background; false when it has not within two seconds. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (await condition()) return true;
    await realSleep(10);
  }
  return false;
}
