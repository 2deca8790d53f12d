import type BetterSqlite3 from 'better-sqlite3';
import type { Actor, EventBody, RoomEvent } from '../events.ts';
import { type Room, type RoomKind, spaceOf } from '../model.ts';
import type { SqliteBatch } from './sqlite_batch.ts';
import type { Delivery, EventStore, Sink } from './store.ts';

const EVENT_INSERT = `
  insert into events (epoch, seq, kind, room_id, type, reason, actor, at_ms, data)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const EVENTS_AFTER = `
  select id, epoch, seq, kind, room_id, type, reason, actor, at_ms, data
  from events where id > ? order by id limit ?`;

const EVENTS_PRUNE = `
  delete from events where id in (select id from events where at_ms < ? order by at_ms limit ?)`;

// A delivery that is out or backing off keeps its time; it will find the new events when it is due.
const OUTBOX_RAISE = `
  insert into outbox (sink, epoch, kind, space, room_id, from_seq, to_seq, closed, attempt, claimed, due_at_ms)
  values (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)
  on conflict (sink, epoch) do update set
    to_seq = excluded.to_seq,
    closed = max(closed, excluded.closed),
    due_at_ms = case when claimed = 0 and attempt = 0
      then min(due_at_ms, excluded.due_at_ms) else due_at_ms end`;

const OUTBOX_CLAIM = `
  update outbox set claimed = 1, due_at_ms = ?
  where sink = ? and epoch in (
    select epoch from outbox where sink = ? and due_at_ms <= ? order by due_at_ms limit ?)
  returning sink, epoch, kind, room_id, from_seq, to_seq, closed, attempt`;

const OUTBOX_DONE = 'delete from outbox where sink = ? and epoch = ? and to_seq <= ?';

const OUTBOX_AGAIN = `
  update outbox set from_seq = ?, claimed = 0, attempt = 0, due_at_ms = ?
  where sink = ? and epoch = ?`;

const OUTBOX_FAIL = `
  update outbox set claimed = 0, attempt = attempt + 1, due_at_ms = ?
  where sink = ? and epoch = ?`;

const OUTBOX_RELEASE = 'update outbox set claimed = 0, due_at_ms = 0 where claimed = 1';

const OUTBOX_NEXT = 'select min(due_at_ms) as due_at_ms from outbox where sink = ?';

const CLOSING_SELECT = `
  select claimed from outbox where sink = ? and space = ? and room_id = ? and closed = 1`;

const CLOSING_DROP = `
  delete from outbox where sink = ? and space = ? and room_id = ? and closed = 1`;

interface EventRow {
  readonly id: number;
  readonly epoch: number;
  readonly seq: number;
  readonly kind: RoomKind;
  readonly room_id: string;
  readonly type: string;
  readonly reason: string | null;
  readonly actor: string;
  readonly at_ms: number;
  readonly data: string;
}

interface DeliveryRow {
  readonly sink: string;
  readonly epoch: number;
  readonly kind: RoomKind;
  readonly room_id: string;
  readonly from_seq: number;
  readonly to_seq: number;
  readonly closed: number;
  readonly attempt: number;
}

/** Who did what to which room when: what all events of one change have in common. */
export interface EventMeta {
  readonly actor: Actor;
  readonly nowMs: number;
}

/** The log and the outbox in SQLite; the room steps append to them inside their transaction. */
export class SqliteEvents implements EventStore {
  readonly #batch: SqliteBatch;
  readonly #sinks: readonly Sink[];
  readonly #statements;
  readonly #listeners = new Set<(events: readonly RoomEvent[]) => void>();
  #uncommitted: RoomEvent[] = [];

  constructor(parts: {
    readonly db: BetterSqlite3.Database;
    readonly batch: SqliteBatch;
    readonly sinks: readonly Sink[];
  }) {
    this.#batch = parts.batch;
    this.#sinks = parts.sinks;
    this.#statements = statementsOn(parts.db);
    // Whoever had these out died with them: no other process uses this file.
    this.#statements.outboxRelease.run();
  }

  /** Writes the events of one change, numbered after `room.seq`, and makes them due for delivery. */
  append(room: Room, bodies: readonly EventBody[], { actor, nowMs }: EventMeta): void {
    const { kind, roomID, epoch } = room;
    bodies.forEach((body, index) => {
      const seq = room.seq + 1 + index;
      const reason = 'reason' in body ? (body.reason ?? null) : null;
      const data = JSON.stringify(body.data);
      const row = [epoch, seq, kind, roomID, body.type, reason, actor, nowMs, data];
      const { lastInsertRowid } = this.#statements.eventInsert.run(...row);
      const place = { id: Number(lastInsertRowid), kind, roomID, epoch, seq, atMs: nowMs, actor };
      this.#uncommitted.push({ ...body, ...place });
    });
    for (const sink of this.#sinks) this.#raise(sink, room, bodies, nowMs);
  }

  /** Has the group of a life that never opened destroyed. */
  closeGroup(room: Room, nowMs: number): void {
    const { kind, roomID, epoch } = room;
    if (spaceOf(kind) !== 'im') return;
    for (const name of this.#groupSinks())
      this.#statements.outboxRaise.run(name, epoch, kind, spaceOf(kind), roomID, 0, 0, 1, nowMs);
  }

  /** Whether a group under this id is still to be destroyed, and whether that is under way. */
  closingOf(room: { readonly kind: RoomKind; readonly roomID: string }): 'none' | 'due' | 'out' {
    const rows = this.#groupSinks().flatMap((name) =>
      this.#statements.closingSelect.all(name, spaceOf(room.kind), room.roomID),
    );
    if (rows.length === 0) return 'none';
    return rows.some(({ claimed }) => claimed === 1) ? 'out' : 'due';
  }

  /** Lets a new life have the group that was still to be destroyed. */
  keepGroup(room: { readonly kind: RoomKind; readonly roomID: string }): void {
    for (const name of this.#groupSinks())
      this.#statements.closingDrop.run(name, spaceOf(room.kind), room.roomID);
  }

  /** Tells the listeners what was committed. */
  publish(): void {
    const events = this.#uncommitted;
    this.#uncommitted = [];
    if (events.length > 0) for (const listener of this.#listeners) listener(events);
  }

  /** Forgets what was rolled back. */
  forget(): void {
    this.#uncommitted = [];
  }

  subscribe(listener: (events: readonly RoomEvent[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async readEvents(request: { readonly afterID: number; readonly limit: number }) {
    return this.#statements.eventsAfter.all(request.afterID, request.limit).map(eventOf);
  }

  pruneEvents(request: { readonly beforeMs: number; readonly limit: number }) {
    return this.#batch.write(
      () => this.#statements.eventsPrune.run(request.beforeMs, request.limit).changes,
    );
  }

  claimDeliveries(request: {
    readonly sink: string;
    readonly nowMs: number;
    readonly leaseMs: number;
    readonly limit: number;
  }) {
    const { sink, nowMs, leaseMs, limit } = request;
    return this.#batch.write(() =>
      this.#statements.outboxClaim.all(nowMs + leaseMs, sink, sink, nowMs, limit).map(deliveryOf),
    );
  }

  ackDelivery({ sink, epoch, toSeq }: Delivery, nowMs: number) {
    return this.#batch.write(() => {
      const { changes } = this.#statements.outboxDone.run(sink, epoch, toSeq);
      if (changes === 0) this.#statements.outboxAgain.run(toSeq, nowMs, sink, epoch);
    });
  }

  failDelivery({ sink, epoch }: Delivery, dueAtMs: number) {
    return this.#batch.write(() => {
      this.#statements.outboxFail.run(dueAtMs, sink, epoch);
    });
  }

  async readNextDueMs(sink: string) {
    return this.#statements.outboxNext.get(sink)?.due_at_ms ?? undefined;
  }

  #raise(sink: Sink, room: Room, bodies: readonly EventBody[], nowMs: number): void {
    const wanted = bodies.filter((body) => sink.wants(body, room));
    if (wanted.length === 0) return;
    const { kind, roomID, epoch, seq } = room;
    const closed = wanted.some(({ type }) => type === 'room_destroyed');
    const dueAtMs = closed ? nowMs : nowMs + sink.gatherMs;
    const range = [seq, seq + bodies.length];
    const place = [sink.name, epoch, kind, spaceOf(kind), roomID];
    this.#statements.outboxRaise.run(...place, ...range, closed ? 1 : 0, dueAtMs);
  }

  #groupSinks(): readonly string[] {
    return this.#sinks.filter(({ ownsGroup }) => ownsGroup).map(({ name }) => name);
  }
}

function statementsOn(db: BetterSqlite3.Database) {
  return {
    eventInsert: db.prepare(EVENT_INSERT),
    eventsAfter: db.prepare<[number, number], EventRow>(EVENTS_AFTER),
    eventsPrune: db.prepare(EVENTS_PRUNE),
    outboxRaise: db.prepare(OUTBOX_RAISE),
    outboxClaim: db.prepare<[number, string, string, number, number], DeliveryRow>(OUTBOX_CLAIM),
    outboxDone: db.prepare(OUTBOX_DONE),
    outboxAgain: db.prepare(OUTBOX_AGAIN),
    outboxFail: db.prepare(OUTBOX_FAIL),
    outboxRelease: db.prepare(OUTBOX_RELEASE),
    outboxNext: db.prepare<[string], { due_at_ms: number | null }>(OUTBOX_NEXT),
    closingSelect: db.prepare<[string, string, string], { claimed: number }>(CLOSING_SELECT),
    closingDrop: db.prepare(CLOSING_DROP),
  };
}

function eventOf(row: EventRow): RoomEvent {
  const body = {
    type: row.type,
    ...(row.reason === null ? {} : { reason: row.reason }),
    data: JSON.parse(row.data),
  } as EventBody;
  const { id, epoch, seq, kind, room_id: roomID, actor, at_ms: atMs } = row;
  return { ...body, id, kind, roomID, epoch, seq, atMs, actor };
}

function deliveryOf(row: DeliveryRow): Delivery {
  return {
    sink: row.sink,
    epoch: row.epoch,
    kind: row.kind,
    roomID: row.room_id,
    fromSeq: row.from_seq,
    toSeq: row.to_seq,
    closed: row.closed === 1,
    attempt: row.attempt,
  };
}
