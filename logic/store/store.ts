/**
 * What the house needs from a database. Every method is one atomic step: what it changes and the
 * events that report it commit together or not at all, and a promise resolves only after the
 * commit. No transaction handle leaks out, so an embedded database may run a step at once and a
 * remote one on a pooled connection.
 */
import type { Actor, EventBody, RoomEvent } from '../events.ts';
import type { Audience, RoomKind, RoomRef, RoomWithPushers } from '../model.ts';
import type { Rule } from '../room_rules.ts';

export interface Store extends RoomStore, EventStore, TokenStore, AsyncDisposable {
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  /** Idempotent. Steps already asked for are still written. */
  close(): Promise<void>;
}

export interface RoomStore {
  /**
   * Takes an id. `exists`: another room of the same space has it. `group_closing`: an earlier
   * life's IM group is still to be destroyed; ask again, or with `takeOverGroup` keep that group
   * for the new room (refused only while its destruction is under way).
   */
  reserveRoom(request: ReserveRoom): Promise<ReserveOutcome>;
  /** Gives a reserved id back, and has its IM group destroyed if it may have come to exist. */
  dropReservation(request: {
    readonly epoch: number;
    readonly groupMayExist: boolean;
    readonly nowMs: number;
  }): Promise<void>;
  /**
   * Runs a rule on one room and writes what it decides. Rules see each other's effects, one after
   * another, on any number of instances. With `epoch`, a room of another life counts as none.
   */
  changeRoom<T>(request: ChangeRoom<T>): Promise<T>;
  /** The room and its pushers, reserved rooms included. */
  readRoom(ref: RoomRef): Promise<RoomWithPushers | undefined>;
  /** Active rooms of one kind and type in the order they were made. */
  readRooms(page: {
    readonly kind: RoomKind;
    readonly roomType: string;
    readonly offset: number;
    readonly limit: number;
  }): Promise<readonly RoomWithPushers[]>;
  /** The first `limit` of the audience in the order they came, and how many there are. */
  readAudiences(
    ref: RoomRef,
    limit: number,
  ): Promise<{ readonly count: number; readonly audiences: readonly Audience[] }>;
  /** Rooms nobody has entered, made before `createdBeforeMs`, oldest first. */
  readIdleRooms(request: {
    readonly kind: RoomKind;
    readonly createdBeforeMs: number;
    readonly limit: number;
  }): Promise<readonly LifeRef[]>;
  /** Active rooms without heartbeats made before `createdBeforeMs`, oldest first. */
  readExpiredRooms(request: {
    readonly createdBeforeMs: number;
    readonly limit: number;
  }): Promise<readonly LifeRef[]>;
  /** Reservations that outlived whoever made them. */
  readStaleReservations(request: {
    readonly nowMs: number;
    readonly limit: number;
  }): Promise<readonly number[]>;
  /** Active rooms after `afterEpoch` with the ids of their pushers, for filling memory at start. */
  readLiveRooms(request: {
    readonly afterEpoch: number;
    readonly limit: number;
  }): Promise<readonly LiveRoom[]>;
  /** How many rooms and pushers there are. */
  readCounts(): Promise<{ readonly rooms: number; readonly pushers: number }>;
}

export interface ReserveRoom extends RoomRef {
  readonly creator: string;
  readonly info: string;
  readonly endsWithCreator: boolean;
  readonly roomType: string;
  readonly needsHeartbeat: boolean;
  readonly nowMs: number;
  readonly reservedUntilMs: number;
  readonly takeOverGroup: boolean;
}

export type ReserveOutcome =
  | { readonly outcome: 'reserved'; readonly epoch: number }
  | { readonly outcome: 'exists' }
  | { readonly outcome: 'group_closing' };

export interface ChangeRoom<T> {
  readonly ref: RoomRef;
  readonly epoch?: number;
  /** Whose place in the audience the rule wants to see. */
  readonly audienceID?: string;
  readonly actor: Actor;
  readonly nowMs: number;
  readonly rule: Rule<T>;
}

/** One life of a room. */
export interface LifeRef extends RoomRef {
  readonly epoch: number;
}

export interface LiveRoom extends LifeRef {
  readonly seq: number;
  readonly needsHeartbeat: boolean;
  readonly userIDs: readonly string[];
}

/** The room log, and per sink (the IM cloud, a webhook) what of it is still to be delivered. */
export interface EventStore {
  /** Calls back with the events of each commit of this instance, in commit order. */
  subscribe(listener: (events: readonly RoomEvent[]) => void): () => void;
  /** Events after `afterID`, oldest first. */
  readEvents(request: {
    readonly afterID: number;
    readonly limit: number;
  }): Promise<readonly RoomEvent[]>;
  /** Removes at most `limit` of the oldest events from before `beforeMs`; returns how many. */
  pruneEvents(request: { readonly beforeMs: number; readonly limit: number }): Promise<number>;
  /**
   * Hands out due deliveries of a sink, the longest due first, and hides them until the lease
   * ends. A room has at most one delivery per sink out at a time, which keeps its order.
   */
  claimDeliveries(request: {
    readonly sink: string;
    readonly nowMs: number;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<readonly Delivery[]>;
  /** Notes that everything up to `delivery.toSeq` arrived; what came meanwhile is due next. */
  ackDelivery(delivery: Delivery, nowMs: number): Promise<void>;
  /** Makes the delivery due again later, with one more attempt counted. */
  failDelivery(delivery: Delivery, dueAtMs: number): Promise<void>;
  /** When the next delivery of a sink is due, undefined when nothing waits. */
  readNextDueMs(sink: string): Promise<number | undefined>;
}

/** Everything one sink has not yet heard of one life of a room. */
export interface Delivery extends LifeRef {
  readonly sink: string;
  /** What the sink has heard of already. */
  readonly fromSeq: number;
  readonly toSeq: number;
  /** The room is gone: its end is part of this delivery. */
  readonly closed: boolean;
  /** How often it failed before. */
  readonly attempt: number;
}

/** What a store must remember to deliver; given when it is opened. */
export interface Sink {
  readonly name: string;
  /** How long changes of one room gather before they go out together. */
  readonly gatherMs: number;
  /** It keeps something under the roomID that must be gone before the id lives again. */
  readonly ownsGroup: boolean;
  wants(event: EventBody, ref: RoomRef): boolean;
}

/** Log-in tokens, kept only as hashes. */
export interface TokenStore {
  /** Keeps a token; of a user's tokens beyond `perUserMax` those that end first go, and are named. */
  insertToken(request: {
    readonly hash: string;
    readonly userID: string;
    readonly expiresAtMs: number;
    readonly perUserMax: number;
  }): Promise<readonly string[]>;
  readToken(
    hash: string,
  ): Promise<{ readonly userID: string; readonly expiresAtMs: number } | undefined>;
  /** Moves the ends of tokens; those that are gone stay gone. */
  extendTokens(
    tokens: readonly { readonly hash: string; readonly expiresAtMs: number }[],
  ): Promise<void>;
  deleteToken(hash: string): Promise<void>;
  /** Removes at most `limit` tokens that ended before `beforeMs`; returns how many. */
  pruneTokens(request: { readonly beforeMs: number; readonly limit: number }): Promise<number>;
}
