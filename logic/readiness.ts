import type { Clock } from './clock.ts';
import type { Store } from './store/store.ts';

/** How long the store may take to say that it is there. */
const PING_LIMIT_MS = 1_000;

/** Whether requests should be sent here: not while the service stops, nor while its store is away. */
export class Readiness {
  readonly #store: Pick<Store, 'ping'>;
  readonly #clock: Clock;
  #isDraining = false;

  constructor(parts: { readonly store: Pick<Store, 'ping'>; readonly clock: Clock }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From now on nobody should send new requests here. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Asks the store, but not for long. */
  async check(): Promise<'ready' | 'draining' | 'store_unavailable'> {
    if (this.#isDraining) return 'draining';
    const late = new AbortController();
    const limit = this.#clock.sleep(PING_LIMIT_MS, late.signal).then(
      () => false,
      () => false,
    );
    const answered = this.#store.ping().then(
      () => true,
      () => false,
    );
    const isThere = await Promise.race([answered, limit]);
    late.abort();
    return isThere ? 'ready' : 'store_unavailable';
  }
}
