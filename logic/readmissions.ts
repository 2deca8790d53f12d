import type { Clock } from './clock.ts';
import type { RoomEvent } from './events.ts';
import type { MemberRef } from './model.ts';

const KEPT_MS = 60_000;

interface Reaped {
  readonly atMs: number;
  readonly userName: string;
}

/**
 * Who was removed for silence a short while ago, and from which life of a room. Old clients never
 * join again by themselves: one that was only cut off for a moment comes back by its next beat.
 */
export class Readmissions {
  readonly #clock: Clock;
  /** In the order of their removal. */
  readonly #reaped = new Map<string, Reaped>();

  constructor(parts: { readonly clock: Clock }) {
    this.#clock = parts.clock;
  }

  /** Follows what was committed. */
  follow(events: readonly RoomEvent[]): void {
    for (const event of events) this.#followOne(event);
    this.#dropOld();
  }

  /** The name of somebody who may come back into this life of a room; undefined for anyone else. */
  nameOf(member: MemberRef & { readonly epoch: number }): string | undefined {
    const reaped = this.#reaped.get(keyOf(member));
    if (reaped === undefined || this.#isOld(reaped)) return undefined;
    return reaped.userName;
  }

  /** Who came in again and then left of himself stays out, so coming in ends the matter. */
  #followOne(event: RoomEvent): void {
    if (event.type === 'pusher_joined')
      this.#reaped.delete(keyOf({ ...event, userID: event.data.userID }));
    if (event.type !== 'pusher_left' || event.reason !== 'heartbeat_timeout') return;
    const { userID, userName } = event.data;
    const atMs = this.#clock.monotonicMs();
    this.#reaped.set(keyOf({ ...event, userID }), { atMs, userName });
  }

  #dropOld(): void {
    for (const [key, reaped] of this.#reaped) {
      if (!this.#isOld(reaped)) return;
      this.#reaped.delete(key);
    }
  }

  #isOld({ atMs }: Reaped): boolean {
    return this.#clock.monotonicMs() - atMs >= KEPT_MS;
  }
}

/** An epoch is one life of one room, so no more than that is needed to tell rooms apart. */
function keyOf({ epoch, userID }: { readonly epoch: number; readonly userID: string }): string {
  return `${epoch}/${userID}`;
}
