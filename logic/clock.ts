import { setTimeout as delay } from 'node:timers/promises';

/** Time is a dependency: logic never asks the system for it, so tests own the calendar. */
export interface Clock {
  /** Milliseconds since 1970, for what is stored, signed or shown. It may jump. */
  nowMs(): number;
  /** Milliseconds since some fixed moment, for measuring how long something took. It never jumps. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
};
