import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { Loop } from './loop.ts';
import type { EventStore, TokenStore } from './store/store.ts';

const AT_ONCE = 200;
const PAUSE_BUSY_MS = 50;
const PAUSE_IDLE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Throws away what is past keeping, a little at a time: old events, and tokens that have ended. */
export function openJanitor(parts: {
  readonly store: EventStore & TokenStore;
  readonly eventDays: number;
  readonly clock: Clock;
  readonly log: Log;
}): Loop {
  const { store, eventDays, clock, log } = parts;
  return new Loop({
    name: 'janitor',
    clock,
    log,
    async turn() {
      const nowMs = clock.nowMs();
      const beforeMs = nowMs - eventDays * DAY_MS;
      const events = await store.pruneEvents({ beforeMs, limit: AT_ONCE });
      const tokens = await store.pruneTokens({ beforeMs: nowMs, limit: AT_ONCE });
      return events === AT_ONCE || tokens === AT_ONCE ? PAUSE_BUSY_MS : PAUSE_IDLE_MS;
    },
  });
}
