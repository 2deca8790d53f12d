import type { Room, RoomKind } from '../model.ts';
import { RankedSet } from './ranked_set.ts';

export interface Listing {
  readonly kind: RoomKind;
  readonly roomType: string;
}

/**
 * Which active rooms stand where in their list, in memory: a database finds the thousandth page
 * only by counting everything before it. Changes made in a transaction count once it commits.
 */
export class RoomRanking {
  readonly #lists = new Map<string, RankedSet>();
  #uncommitted: (() => void)[] = [];

  /** Fills one list; the epochs must ascend. */
  load(listing: Listing, epochs: readonly number[]): void {
    this.#lists.set(keyOf(listing), new RankedSet(epochs));
  }

  /** Notes what a transaction made of a room. */
  note(before: Room, after: Room | 'destroyed'): void {
    const wasActive = before.state === 'active';
    const isActive = after !== 'destroyed' && after.state === 'active';
    if (!wasActive && isActive) this.#uncommitted.push(() => this.#add(before));
    if (wasActive && !isActive) this.#uncommitted.push(() => this.#delete(before));
  }

  commit(): void {
    const changes = this.#uncommitted;
    this.#uncommitted = [];
    for (const change of changes) change();
  }

  rollback(): void {
    this.#uncommitted = [];
  }

  /** The epochs of a page, in the order the rooms were made. */
  page(
    listing: Listing,
    { offset, limit }: { readonly offset: number; readonly limit: number },
  ): readonly number[] {
    return this.#lists.get(keyOf(listing))?.page(offset, limit) ?? [];
  }

  #add(room: Room): void {
    const key = keyOf(room);
    const list = this.#lists.get(key) ?? new RankedSet();
    list.add(room.epoch);
    this.#lists.set(key, list);
  }

  #delete(room: Room): void {
    const key = keyOf(room);
    const list = this.#lists.get(key);
    list?.delete(room.epoch);
    if (list?.size === 0) this.#lists.delete(key);
  }
}

function keyOf({ kind, roomType }: Listing): string {
  return `${kind}/${roomType}`;
}
