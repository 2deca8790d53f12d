import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

const PAUSE_AFTER_FAILURE_MS = 1_000;

/**
 * Runs `turn` again and again until closed. A turn returns how long to pause before the next one;
 * one that throws is logged and followed by another, because what a loop does must go on.
 */
export class Loop implements AsyncDisposable {
  readonly #name: string;
  readonly #turn: () => Promise<number>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #running: Promise<void>;
  #isOpen = true;
  #isWoken = false;
  #pause = new AbortController();

  constructor(parts: {
    readonly name: string;
    readonly turn: () => Promise<number>;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#name = parts.name;
    this.#turn = parts.turn;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#running = this.#run();
  }

  /** Ends the pause in progress, or skips the next one. */
  wake(): void {
    this.#isWoken = true;
    this.#pause.abort();
  }

  /** Resolves when the turn in hand is finished; no other begins. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#pause.abort();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    while (this.#isOpen) {
      this.#isWoken = false;
      this.#pause = new AbortController();
      const pauseMs = await this.#safeTurn();
      if (this.#isOpen && !this.#isWoken) await this.#sleep(pauseMs);
    }
  }

  async #safeTurn(): Promise<number> {
    try {
      return await this.#turn();
    } catch (error) {
      this.#log.error(`${this.#name}_failed`, error);
      return PAUSE_AFTER_FAILURE_MS;
    }
  }

  /** Being woken is not a failure. */
  async #sleep(pauseMs: number): Promise<void> {
    await this.#clock.sleep(pauseMs, this.#pause.signal).catch(() => undefined);
  }
}
