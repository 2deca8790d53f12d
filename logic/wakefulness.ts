import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { Loop } from './loop.ts';

/**
 * Proves that this process was awake. A pulse beats a few times per time-out; when one comes late
 * (the process was stopped, starved or suspended, or the calendar jumped), beats of clients may
 * have been missed, and `onGap` is told before anybody is judged by them.
 */
export class Wakefulness {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #gapMs: number;
  readonly #onGap: () => void;
  readonly #loop: Loop;
  #beatAtMs: number;
  #calendarOffsetMs: number;

  constructor(parts: {
    readonly clock: Clock;
    readonly log: Log;
    /** The shortest time-out anybody is judged by. */
    readonly timeoutMs: number;
    readonly onGap: () => void;
  }) {
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#gapMs = Math.max(parts.timeoutMs / 4, 100);
    this.#onGap = parts.onGap;
    this.#beatAtMs = parts.clock.monotonicMs();
    this.#calendarOffsetMs = this.#offsetMs();
    const pauseMs = Math.min(this.#gapMs / 2, 1_000);
    this.#loop = new Loop({
      name: 'wakefulness',
      clock: parts.clock,
      log: parts.log,
      turn: async () => {
        this.check();
        return pauseMs;
      },
    });
  }

  /** Looks for a gap since the last look. Call it right before judging by time. */
  check(): void {
    const nowMs = this.#clock.monotonicMs();
    const sleptMs = nowMs - this.#beatAtMs;
    const jumpedMs = this.#offsetMs() - this.#calendarOffsetMs;
    this.#beatAtMs = nowMs;
    this.#calendarOffsetMs += jumpedMs;
    if (sleptMs <= this.#gapMs && Math.abs(jumpedMs) <= this.#gapMs) return;
    this.#log.warn('woke_after_gap', { sleptMs, jumpedMs });
    this.#onGap();
  }

  close(): Promise<void> {
    return this.#loop.close();
  }

  #offsetMs(): number {
    return this.#clock.nowMs() - this.#clock.monotonicMs();
  }
}
