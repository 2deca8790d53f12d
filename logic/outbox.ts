import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { Loop } from './loop.ts';
import type { Delivery, EventStore, Sink } from './store/store.ts';

const CLAIMED_AT_ONCE = 16;
const LEASE_MS = 30_000;
/** Backstop for what a wake-up missed. */
const POLL_MS = 1_000;
/** While a sink is down, how often one delivery tries whether it is back. */
const PROBE_MS = 1_000;
const BACKOFF_BASE_MS = 500;
const BACKOFF_MAX_MS = 8_000;
/** What has failed this often (minutes) is tried more rarely from then on. */
const PATIENT_ATTEMPTS = 60;
const BACKOFF_PATIENT_MAX_MS = 60_000;
/** Nothing is ever due later than this, unless the calendar went back. */
const DUE_WITHIN_MS = Math.max(LEASE_MS, BACKOFF_PATIENT_MAX_MS);

/** Somewhere that the room log is delivered to. */
export interface DeliverySink extends Sink {
  /**
   * Brings one room's news there. `later` asks for another try; `down` too, and says that others
   * would fail as well. Resolving with `done` when nothing can help drops it.
   */
  deliver(delivery: Delivery): Promise<'done' | 'later' | 'down'>;
}

/**
 * Carries the room log to one sink: at least once, in order per room, across crashes. What is
 * waiting stands in the store; this loop claims it, delivers, and only then takes it off.
 */
export class Outbox implements AsyncDisposable {
  readonly #store: EventStore;
  readonly #sink: DeliverySink;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #loop: Loop;
  readonly #unsubscribe: () => void;
  #nextTurnAtMs = 0;
  #isDown = false;

  constructor(parts: {
    readonly store: EventStore;
    readonly sink: DeliverySink;
    readonly clock: Clock;
    readonly log: Log;
    /** Uniform in [0, 1). */
    readonly random: () => number;
  }) {
    this.#store = parts.store;
    this.#sink = parts.sink;
    this.#clock = parts.clock;
    this.#random = parts.random;
    const turn = () => this.#turn();
    this.#loop = new Loop({ name: `outbox_${parts.sink.name}`, turn, ...parts });
    this.#unsubscribe = parts.store.subscribe((events) => {
      if (events.some((event) => parts.sink.wants(event, event))) this.#expect(events);
    });
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    await this.#loop.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Wakes the loop unless it comes by early enough anyway. */
  #expect(events: readonly { readonly type: string }[]): void {
    const isUrgent = events.some(({ type }) => type === 'room_destroyed');
    const dueAtMs = this.#clock.nowMs() + (isUrgent ? 0 : this.#sink.gatherMs);
    if (!this.#isDown && dueAtMs < this.#nextTurnAtMs) this.#loop.wake();
  }

  async #turn(): Promise<number> {
    const dueAtMs = await this.#store.readNextDueMs(this.#sink.name);
    if (dueAtMs === undefined) return this.#pauseFor(POLL_MS);
    const nowMs = this.#clock.nowMs();
    const isMisdated = dueAtMs > nowMs + DUE_WITHIN_MS;
    if (dueAtMs > nowMs && !isMisdated) return this.#pauseFor(Math.min(dueAtMs - nowMs, POLL_MS));
    await this.#deliverDue(isMisdated ? dueAtMs : nowMs);
    return this.#pauseFor(this.#isDown ? PROBE_MS : 0);
  }

  #pauseFor(pauseMs: number): number {
    this.#nextTurnAtMs = this.#clock.nowMs() + pauseMs;
    return pauseMs;
  }

  async #deliverDue(nowMs: number): Promise<void> {
    const deliveries = await this.#store.claimDeliveries({
      sink: this.#sink.name,
      nowMs,
      leaseMs: LEASE_MS,
      limit: this.#isDown ? 1 : CLAIMED_AT_ONCE,
    });
    const outcomes = await Promise.all(deliveries.map((delivery) => this.#deliver(delivery)));
    if (outcomes.length > 0) this.#isDown = outcomes.every((outcome) => outcome === 'down');
  }

  async #deliver(delivery: Delivery): Promise<'done' | 'later' | 'down'> {
    const outcome = await this.#sink.deliver(delivery);
    const nowMs = this.#clock.nowMs();
    // Taken off only after it arrived: a crash in between repeats it, losing it would be worse.
    if (outcome === 'done') await this.#store.ackDelivery(delivery, nowMs);
    else await this.#store.failDelivery(delivery, nowMs + this.#backoffMs(delivery.attempt));
    return outcome;
  }

  /** Full jitter: uniform between 0 and a bound that doubles, as in AWS's "Exponential Backoff And Jitter". */
  #backoffMs(attempt: number): number {
    const maxMs = attempt < PATIENT_ATTEMPTS ? BACKOFF_MAX_MS : BACKOFF_PATIENT_MAX_MS;
    const boundMs = Math.min(BACKOFF_BASE_MS * 2 ** Math.min(attempt, 20), maxMs);
    return Math.ceil(this.#random() * boundMs);
  }
}
