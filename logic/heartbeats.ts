import type { Clock } from './clock.ts';
import type { RoomEvent } from './events.ts';
import { type MemberRef, type RoomKind, type RoomRef, spaceOf } from './model.ts';
import type { LifeRef, RoomStore } from './store/store.ts';

const LOADED_AT_ONCE = 2_000;

/** One seat and when its holder was last heard of; linked in the order they were heard. */
interface Lease {
  readonly room: LiveRoom;
  readonly userID: string;
  seenAtMs: number;
  older: Lease | undefined;
  newer: Lease | undefined;
}

interface LiveRoom extends LifeRef {
  /** Otherwise nobody in it is ever silent. */
  readonly needsHeartbeat: boolean;
  seq: number;
  readonly leases: Lease[];
}

/** A room with the pushers of it that fell silent. */
export interface SilentRoom extends LifeRef {
  readonly userIDs: readonly string[];
}

type LifeMember = LifeRef & { readonly userID: string };

/**
 * Who was heard of when: a table in memory, kept in step with the store by the room log. A beat
 * touches nothing else, and finding the silent looks only at those who are. Times are monotonic,
 * so a jump of the calendar moves nobody.
 */
export class Heartbeats {
  readonly #clock: Clock;
  readonly #timeoutMsOf: (kind: RoomKind) => number;
  readonly #rooms = new Map<string, LiveRoom>();
  readonly #lists = new Map<RoomKind, LeaseList>();
  #size = 0;
  #forgivenAtMs: number;

  constructor(parts: {
    readonly clock: Clock;
    readonly timeoutMsOf: (kind: RoomKind) => number;
  }) {
    this.#clock = parts.clock;
    this.#timeoutMsOf = parts.timeoutMsOf;
    this.#forgivenAtMs = this.#nowMs();
  }

  /** How many pushers are live. */
  get size(): number {
    return this.#size;
  }

  /** Since when everybody had the chance to be heard: our start, or the end of our last gap. */
  get awakeForMs(): number {
    return this.#nowMs() - this.#forgivenAtMs;
  }

  /** Fills the table from the store; everybody counts as heard of just now. */
  async load(store: RoomStore): Promise<void> {
    let afterEpoch = 0;
    for (;;) {
      const rooms = await store.readLiveRooms({ afterEpoch, limit: LOADED_AT_ONCE });
      for (const { userIDs, ...life } of rooms) this.#loadRoom(life, userIDs);
      const last = rooms.at(-1);
      if (last === undefined) return;
      afterEpoch = last.epoch;
    }
  }

  /** Notes that somebody is alive; undefined when he is not known to be a pusher of that room. */
  beat(member: MemberRef): { readonly epoch: number; readonly seq: number } | undefined {
    const lease = this.#leaseOf(member);
    if (lease === undefined) return undefined;
    this.#touch(lease);
    return lease.room;
  }

  /** Follows what was committed. */
  follow(events: readonly RoomEvent[]): void {
    for (const event of events) this.#followOne(event);
  }

  /** Gives everybody one full time-out from now, because beats may have been missed by our fault. */
  forgive(): void {
    this.#forgivenAtMs = this.#nowMs();
  }

  /** Everybody not heard of for longer than the time-out of the room, by room. */
  silent(): readonly SilentRoom[] {
    const found = new Map<LiveRoom, string[]>();
    for (const [kind, list] of this.#lists) {
      const cutoffMs = this.#cutoffMs(kind);
      for (let lease = list.oldest; lease && lease.seenAtMs < cutoffMs; lease = lease.newer) {
        const userIDs = found.get(lease.room);
        if (userIDs) userIDs.push(lease.userID);
        else found.set(lease.room, [lease.userID]);
      }
    }
    return [...found].map(([{ kind, roomID, epoch }, userIDs]) => {
      return { kind, roomID, epoch, userIDs };
    });
  }

  /** Whether this member, in this life of the room, is silent at this moment. */
  isSilent(member: LifeMember): boolean {
    const lease = this.#leaseOf(member);
    if (lease === undefined || lease.room.epoch !== member.epoch) return true;
    return lease.seenAtMs < this.#cutoffMs(member.kind);
  }

  /** Drops somebody the store does not know. */
  forget(member: LifeMember): void {
    const room = this.#rooms.get(keyOf(member));
    if (room?.epoch === member.epoch) this.#remove(room, member.userID);
  }

  #loadRoom(life: Omit<LiveRoom, 'leases'>, userIDs: readonly string[]): void {
    const room: LiveRoom = { ...life, leases: [] };
    this.#rooms.set(keyOf(life), room);
    for (const userID of userIDs) this.#add(room, userID);
  }

  #followOne(event: RoomEvent): void {
    if (event.type === 'room_created' && !event.data.needsHeartbeat)
      this.#newRoom(event, { needsHeartbeat: false });
    if (event.type === 'pusher_joined') this.#add(this.#roomFor(event), event.data.userID);
    const room = this.#rooms.get(keyOf(event));
    if (room?.epoch !== event.epoch) return;
    room.seq = event.seq;
    if (event.type === 'pusher_updated') this.#touchMember(room, event.data.userID);
    if (event.type === 'pusher_left') this.#remove(room, event.data.userID);
    if (event.type === 'room_destroyed') this.#removeRoom(room);
  }

  #roomFor(event: RoomEvent): LiveRoom {
    const known = this.#rooms.get(keyOf(event));
    return known?.epoch === event.epoch ? known : this.#newRoom(event, { needsHeartbeat: true });
  }

  #newRoom(
    { kind, roomID, epoch, seq }: RoomEvent,
    { needsHeartbeat }: { readonly needsHeartbeat: boolean },
  ): LiveRoom {
    const room: LiveRoom = { kind, roomID, epoch, needsHeartbeat, seq, leases: [] };
    const former = this.#rooms.get(keyOf(room));
    if (former !== undefined) this.#removeRoom(former);
    this.#rooms.set(keyOf(room), room);
    return room;
  }

  #add(room: LiveRoom, userID: string): void {
    if (!room.needsHeartbeat || room.leases.some((lease) => lease.userID === userID)) return;
    const seenAtMs = this.#nowMs();
    const lease: Lease = { room, userID, seenAtMs, older: undefined, newer: undefined };
    room.leases.push(lease);
    this.#listOf(room.kind).append(lease);
    this.#size += 1;
  }

  #remove(room: LiveRoom, userID: string): void {
    const index = room.leases.findIndex((lease) => lease.userID === userID);
    const [lease] = index < 0 ? [] : room.leases.splice(index, 1);
    if (lease === undefined) return;
    this.#listOf(room.kind).remove(lease);
    this.#size -= 1;
  }

  #removeRoom(room: LiveRoom): void {
    for (const { userID } of [...room.leases]) this.#remove(room, userID);
    if (this.#rooms.get(keyOf(room)) === room) this.#rooms.delete(keyOf(room));
  }

  #touchMember(room: LiveRoom, userID: string): void {
    const lease = room.leases.find((known) => known.userID === userID);
    if (lease) this.#touch(lease);
  }

  #touch(lease: Lease): void {
    lease.seenAtMs = this.#nowMs();
    this.#listOf(lease.room.kind).moveToEnd(lease);
  }

  #leaseOf(member: MemberRef): Lease | undefined {
    const room = this.#rooms.get(keyOf(member));
    if (room?.kind !== member.kind) return undefined;
    return room.leases.find(({ userID }) => userID === member.userID);
  }

  #listOf(kind: RoomKind): LeaseList {
    const known = this.#lists.get(kind);
    if (known !== undefined) return known;
    const list = new LeaseList();
    this.#lists.set(kind, list);
    return list;
  }

  /** Who was last heard of before this moment is silent; nobody is while forgiveness lasts. */
  #cutoffMs(kind: RoomKind): number {
    const cutoffMs = this.#nowMs() - this.#timeoutMsOf(kind);
    return this.#forgivenAtMs >= cutoffMs ? Number.NEGATIVE_INFINITY : cutoffMs;
  }

  #nowMs(): number {
    return Math.trunc(this.#clock.monotonicMs());
  }
}

/** Leases from the longest unheard to the latest heard. Every operation is a few assignments. */
class LeaseList {
  oldest: Lease | undefined;
  #newest: Lease | undefined;

  append(lease: Lease): void {
    lease.older = this.#newest;
    lease.newer = undefined;
    if (this.#newest) this.#newest.newer = lease;
    else this.oldest = lease;
    this.#newest = lease;
  }

  remove(lease: Lease): void {
    if (lease.older) lease.older.newer = lease.newer;
    else this.oldest = lease.newer;
    if (lease.newer) lease.newer.older = lease.older;
    else this.#newest = lease.older;
    lease.older = undefined;
    lease.newer = undefined;
  }

  moveToEnd(lease: Lease): void {
    if (lease === this.#newest) return;
    this.remove(lease);
    this.append(lease);
  }
}

/** Ids of the IM space stand alone; a roomID holds no '/', so the other spaces cannot meet it. */
function keyOf({ kind, roomID }: RoomRef): string {
  const space = spaceOf(kind);
  return space === 'im' ? roomID : `${space}/${roomID}`;
}
