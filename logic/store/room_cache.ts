import { LRUCache } from 'lru-cache';
import { type Pusher, type Room, type RoomRef, type RoomWithPushers, spaceOf } from '../model.ts';
import type { RoomChange } from '../room_rules.ts';

/** Rooms and pushers together: some tens of megabytes at the most. */
const SIZE_MAX = 100_000;

type CacheOf<K extends string | number> = LRUCache<K, RoomWithPushers>;

/**
 * The rooms asked for lately, so that most reads ask no database. Coherent because one process
 * does all writing: what a transaction changes is seen by the rest of it at once, and by
 * everybody when it commits.
 */
export class RoomCache {
  readonly #byID: CacheOf<string> = newCache();
  readonly #byEpoch: CacheOf<number> = newCache();
  readonly #uncommitted = new Map<string, RoomWithPushers | Room>();

  /** By name; undefined when it must be read. Inside a transaction, what that has made of it. */
  get(ref: RoomRef): RoomWithPushers | 'gone' | undefined {
    const key = keyOf(ref);
    const changed = this.#uncommitted.get(key);
    if (changed === undefined) return this.#byID.get(key);
    return 'room' in changed ? changed : 'gone';
  }

  /** What is committed, by epoch. */
  committed(epoch: number): RoomWithPushers | undefined {
    return this.#byEpoch.get(epoch);
  }

  /** Keeps what was read. */
  fill(found: RoomWithPushers): void {
    this.#byID.set(keyOf(found.room), found);
    this.#byEpoch.set(found.room.epoch, found);
  }

  /** Notes what a transaction made of a room; `undefined` that it is gone. */
  note(before: Room, after: RoomWithPushers | undefined): void {
    this.#uncommitted.set(keyOf(before), after ?? before);
  }

  commit(): void {
    for (const [key, changed] of this.#uncommitted)
      if ('room' in changed) this.fill(changed);
      else this.#drop(key, changed);
    this.#uncommitted.clear();
  }

  rollback(): void {
    this.#uncommitted.clear();
  }

  #drop(key: string, { epoch }: Room): void {
    this.#byID.delete(key);
    this.#byEpoch.delete(epoch);
  }
}

/** A change that does not end the room. */
export type LivingChange = Omit<RoomChange, 'room'> & { readonly room: Room };

/** The room and its pushers after a change. */
export function roomAfter(
  { room, pushers }: RoomWithPushers,
  change: LivingChange,
): RoomWithPushers {
  const { joined, updated, left = [] } = change;
  const seq = room.seq + change.events.length;
  const staying = pushers
    .filter(({ userID }) => !left.includes(userID))
    .map((pusher) => (pusher.userID === updated?.userID ? updated : pusher));
  const all = joined === undefined ? staying : [...staying, joined];
  return { room: { ...change.room, seq }, pushers: creatorFirst(room, all) };
}

/** Old clients play the first pusher as the anchor. */
export function creatorFirst(room: Room, pushers: readonly Pusher[]): readonly Pusher[] {
  const creator = pushers.find(({ userID }) => userID === room.creator);
  if (creator === undefined || creator === pushers[0]) return pushers;
  return [creator, ...pushers.filter((pusher) => pusher !== creator)];
}

function newCache<K extends string | number>(): CacheOf<K> {
  return new LRUCache<K, RoomWithPushers>({
    maxSize: SIZE_MAX,
    sizeCalculation: ({ pushers }) => 1 + pushers.length,
  });
}

function keyOf({ kind, roomID }: RoomRef): string {
  return `${spaceOf(kind)}/${roomID}`;
}
