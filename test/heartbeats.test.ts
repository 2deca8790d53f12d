import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Clock } from '../logic/clock.ts';
import type { EventBody, RoomEvent } from '../logic/events.ts';
import { Heartbeats } from '../logic/heartbeats.ts';
import type { NewPusher, RoomKind, RoomRef } from '../logic/model.ts';
import { openRule } from '../logic/room_rules.ts';
import { openSqliteStore } from '../logic/store/sqlite.ts';

/** The same sequences every time. */
const SEED = 20_240_607;
const TIMEOUT_MS = 20_000;
const QUICK_TIMEOUT_MS = 5_000;
/** What a room is reserved with, where it does not matter. */
const PLAIN = { roomType: '', needsHeartbeat: true, takeOverGroup: false };

/** Stands still until it is moved; its calendar can jump without time passing. */
class StillClock implements Clock {
  timeMs = 1_000_000;
  calendarMs = 0;

  nowMs(): number {
    return this.timeMs + this.calendarMs;
  }

  monotonicMs(): number {
    return this.timeMs;
  }

  async sleep(): Promise<void> {
    throw new Error('Nobody sleeps by this clock.');
  }
}

const R1: RoomRef = { kind: 'room', roomID: 'r1' };
const R2: RoomRef = { kind: 'room', roomID: 'r2' };
const QUICK: RoomRef = { kind: 'live_room', roomID: 'quick' };

describe('heartbeats', () => {
  it('know nobody at first', () => {
    const { table } = newBench();
    assert.equal(table.size, 0);
    assert.deepEqual(table.silent(), []);
    assert.equal(table.beat({ ...R1, userID: 'ann' }), undefined);
    assert.equal(table.isSilent({ ...R1, epoch: 1, userID: 'ann' }), true);
  });

  it('answer a beat with the life of the room and its newest event', () => {
    const { table, log } = newBench();
    log.joined(R1, 'ann');
    const { seq } = log.joined(R1, 'bob');
    const heard = table.beat({ ...R1, userID: 'ann' });
    assert.deepEqual([heard?.epoch, heard?.seq], [1, seq]);
  });

  it('keep nobody whose last beat is longer ago than the time-out, and not a moment sooner', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    clock.timeMs += TIMEOUT_MS;
    assert.deepEqual(table.silent(), []);
    clock.timeMs += 1;
    assert.deepEqual(table.silent(), [{ ...R1, epoch: 1, userIDs: ['ann'] }]);
    assert.equal(table.isSilent({ ...R1, epoch: 1, userID: 'ann' }), true);
    table.beat({ ...R1, userID: 'ann' });
    assert.deepEqual(table.silent(), []);
    assert.equal(table.isSilent({ ...R1, epoch: 1, userID: 'ann' }), false);
  });

  it('name the silent by room, the longest unheard first', () => {
    const { table, clock, log } = newBench();
    for (const userID of ['ann', 'bob', 'cat']) {
      log.joined(R1, userID);
      log.joined(R2, userID);
      clock.timeMs += 1;
    }
    table.beat({ ...R1, userID: 'ann' });
    clock.timeMs += 1;
    table.beat({ ...R2, userID: 'bob' });
    clock.timeMs += TIMEOUT_MS + 1;
    assert.deepEqual(table.silent(), [
      { ...R2, epoch: 2, userIDs: ['ann', 'cat', 'bob'] },
      { ...R1, epoch: 1, userIDs: ['bob', 'cat', 'ann'] },
    ]);
  });

  it('measure each kind of room by its own time-out', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    log.joined(QUICK, 'ann');
    clock.timeMs += QUICK_TIMEOUT_MS + 1;
    assert.deepEqual(table.silent(), [{ ...QUICK, epoch: 2, userIDs: ['ann'] }]);
    clock.timeMs += TIMEOUT_MS - QUICK_TIMEOUT_MS;
    assert.equal(table.silent().length, 2);
  });

  it('do not look at the calendar', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    clock.calendarMs = 86_400_000;
    assert.deepEqual(table.silent(), []);
    clock.timeMs += TIMEOUT_MS + 1;
    clock.calendarMs = -86_400_000;
    assert.equal(table.silent().length, 1);
  });

  it('count a repeated join as a beat and take no second seat', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    clock.timeMs += TIMEOUT_MS;
    log.updated(R1, 'ann');
    clock.timeMs += TIMEOUT_MS;
    assert.deepEqual(table.silent(), []);
    assert.equal(table.size, 1);
  });

  it('count no news of the audience as a beat, but know the newest event', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    clock.timeMs += TIMEOUT_MS + 1;
    const { seq } = log.add(R1, { type: 'audience_left', data: { userID: 'vic' } });
    assert.equal(table.silent().length, 1);
    assert.equal(table.beat({ ...R1, userID: 'ann' })?.seq, seq);
  });
});

describe('forgiving', () => {
  it('gives everybody one full time-out, the silent too', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    clock.timeMs += 3 * TIMEOUT_MS;
    assert.equal(table.silent().length, 1);
    table.forgive();
    clock.timeMs += TIMEOUT_MS;
    assert.deepEqual(table.silent(), []);
    assert.equal(table.isSilent({ ...R1, epoch: 1, userID: 'ann' }), false);
    clock.timeMs += 1;
    assert.equal(table.silent().length, 1);
  });

  it('lasts as long as the time-out of each kind', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    log.joined(QUICK, 'ann');
    clock.timeMs += 3 * TIMEOUT_MS;
    table.forgive();
    clock.timeMs += QUICK_TIMEOUT_MS + 1;
    assert.deepEqual(table.silent(), [{ ...QUICK, epoch: 2, userIDs: ['ann'] }]);
  });

  it('is told apart from time that was watched', () => {
    const { table, clock } = newBench();
    clock.timeMs += 700;
    assert.equal(table.awakeForMs, 700);
    table.forgive();
    assert.equal(table.awakeForMs, 0);
  });
});

describe('following the room log', () => {
  it('forgets whoever left, in whatever place of the order he stood', () => {
    for (const leaver of ['ann', 'bob', 'cat']) {
      const { table, clock, log } = newBench();
      for (const userID of ['ann', 'bob', 'cat']) log.joined(R1, userID);
      log.left(R1, leaver);
      log.left(R1, leaver);
      assert.equal(table.size, 2);
      assert.equal(table.beat({ ...R1, userID: leaver }), undefined);
      log.joined(R1, 'dan');
      clock.timeMs += TIMEOUT_MS + 1;
      const staying = ['ann', 'bob', 'cat', 'dan'].filter((userID) => userID !== leaver);
      assert.deepEqual(table.silent(), [{ ...R1, epoch: 1, userIDs: staying }]);
    }
  });

  it('forgets the silent who leave, and a room that ends', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    log.joined(R1, 'bob');
    log.joined(R2, 'cat');
    clock.timeMs += TIMEOUT_MS + 1;
    assert.equal(table.silent().length, 2);
    log.left(R1, 'ann');
    assert.deepEqual(table.silent()[0]?.userIDs, ['bob']);
    log.destroyed(R2);
    assert.deepEqual(table.silent(), [{ ...R1, epoch: 1, userIDs: ['bob'] }]);
    assert.equal(table.beat({ ...R2, userID: 'cat' }), undefined);
    log.left(R1, 'bob');
    log.joined(R1, 'bob');
    assert.deepEqual(table.silent(), []);
    assert.equal(table.size, 1);
  });

  it('tells the lives of a roomID apart', () => {
    const { table, clock, log } = newBench();
    const first = log.joined(R1, 'ann');
    log.destroyed(R1);
    log.joined(R1, 'ann');
    clock.timeMs += 1;
    const place = { ...R1, epoch: first.epoch, seq: 9, id: 9, atMs: 0, actor: 'ann' };
    table.follow([{ ...place, ...leaving('ann') }]);
    assert.deepEqual(table.beat({ ...R1, userID: 'ann' })?.epoch, 2);
    assert.equal(table.isSilent({ ...R1, epoch: 1, userID: 'ann' }), true);
    assert.equal(table.isSilent({ ...R1, epoch: 2, userID: 'ann' }), false);
    table.forget({ ...R1, epoch: 1, userID: 'ann' });
    assert.equal(table.size, 1);
    table.forget({ ...R1, epoch: 2, userID: 'ann' });
    assert.equal(table.size, 0);
  });

  it('replaces a life whose end it was never told of', () => {
    const { table, clock, log } = newBench();
    log.joined(R1, 'ann');
    log.joined(R1, 'bob');
    log.startOver(R1);
    log.joined(R1, 'cat');
    clock.timeMs += TIMEOUT_MS + 1;
    assert.deepEqual(table.silent(), [{ ...R1, epoch: 2, userIDs: ['cat'] }]);
    assert.equal(table.size, 1);
  });

  it('knows one room per id among the kinds with IM groups, and one in each other kind', () => {
    const { table, log } = newBench();
    const kinds: readonly RoomKind[] = ['webrtc_room', 'webexe_room', 'room'];
    for (const kind of kinds) log.joined({ kind, roomID: 'r1' }, 'ann');
    assert.equal(table.size, 3);
    for (const kind of kinds) assert.ok(table.beat({ kind, roomID: 'r1', userID: 'ann' }));
    log.joined({ kind: 'multi_room', roomID: 'r1' }, 'bob');
    assert.equal(table.beat({ kind: 'room', roomID: 'r1', userID: 'ann' }), undefined);
    assert.equal(table.beat({ kind: 'room', roomID: 'r1', userID: 'bob' }), undefined);
    assert.ok(table.beat({ kind: 'multi_room', roomID: 'r1', userID: 'bob' }));
    assert.equal(table.size, 3);
  });

  it('expects nothing of the members of a room that needs no heartbeats', () => {
    const { table, clock, log } = newBench();
    log.created(R1, { needsHeartbeat: false });
    log.joined(R1, 'ann');
    clock.timeMs += 10 * TIMEOUT_MS;
    assert.deepEqual(table.silent(), []);
    assert.equal(table.size, 0);
    log.destroyed(R1);
    log.created(R1, { needsHeartbeat: true });
    log.joined(R1, 'ann');
    clock.timeMs += TIMEOUT_MS + 1;
    assert.deepEqual(table.silent(), [{ ...R1, epoch: 2, userIDs: ['ann'] }]);
  });

  it('is not confused by ids that are names of object internals', () => {
    const { table, log } = newBench();
    const ref: RoomRef = { kind: 'room', roomID: '__proto__' };
    assert.equal(table.beat({ ...ref, userID: 'constructor' }), undefined);
    log.joined(ref, 'constructor');
    assert.ok(table.beat({ ...ref, userID: 'constructor' }));
    assert.equal(table.size, 1);
  });
});

describe('loading the table', () => {
  it('takes every pusher of the store, page after page, as heard of just now', async () => {
    await using store = openSqliteStore({ file: ':memory:', sinks: [] });
    const rooms = 2_001;
    await Promise.all(
      Array.from({ length: rooms }, async (_, index) => {
        const ref: RoomRef = { kind: 'room', roomID: `r${index}` };
        const life = { creator: 'ann', info: '', endsWithCreator: false, ...PLAIN };
        await store.reserveRoom({ ...ref, ...life, nowMs: 1, reservedUntilMs: 2 });
        const rule = openRule({ firstPusher: pusher('ann'), nowMs: 1 });
        await store.changeRoom({ ref, actor: 'ann', nowMs: 1, rule });
      }),
    );
    const { table, clock } = newBench();
    clock.timeMs += 10 * TIMEOUT_MS;
    await table.load(store);
    assert.equal(table.size, rooms);
    clock.timeMs += TIMEOUT_MS;
    assert.deepEqual(table.silent(), []);
    const heard = table.beat({ kind: 'room', roomID: 'r2000', userID: 'ann' });
    assert.deepEqual([heard?.epoch, heard?.seq], [rooms, 3]);
    clock.timeMs += 1;
    assert.equal(table.silent().length, rooms - 1);
  });
});

describe('a large table', () => {
  it('finds the few silent among a hundred thousand members', () => {
    const { table, clock, log } = newBench();
    const rooms = Array.from({ length: 10_000 }, (_, index): RoomRef => {
      return { kind: 'room', roomID: `r${index}` };
    });
    const userIDs = Array.from({ length: 10 }, (_, index) => `u${index}`);
    for (const ref of rooms) for (const userID of userIDs) log.joined(ref, userID);
    assert.equal(table.size, 100_000);
    clock.timeMs += TIMEOUT_MS;
    const silent = new Set(['r7/u3', 'r5000/u0', 'r9999/u9']);
    for (const ref of rooms)
      for (const userID of userIDs)
        if (!silent.has(`${ref.roomID}/${userID}`)) table.beat({ ...ref, userID });
    clock.timeMs += 1;
    const found = table
      .silent()
      .flatMap(({ roomID, userIDs: ids }) => ids.map((userID) => `${roomID}/${userID}`));
    assert.deepEqual(new Set(found), silent);
    for (const ref of rooms) log.destroyed(ref);
    assert.equal(table.size, 0);
    assert.deepEqual(table.silent(), []);
  });
});

describe('the table and a naive one', () => {
  it('agree on who is silent after any sequence of joins, leaves, beats and gaps', () => {
    const step = fc.record({
      what: fc.constantFrom(...STEPS),
      ref: fc.constantFrom(R1, R2, QUICK, { kind: 'multi_room', roomID: 'r1' } as const),
      userID: fc.constantFrom('ann', 'bob', 'cat'),
      ms: fc.integer({ min: 0, max: 8_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bench = newBench();
        const naive = new NaiveTable(bench.clock);
        for (const { what, ref, userID, ms } of steps) {
          apply(what, { ...bench, naive, ref, userID, ms });
          assert.deepEqual(silentIn(bench.table), naive.silent());
          assert.equal(bench.table.size, naive.seats.length);
        }
      }),
      { numRuns: 300, seed: SEED },
    );
  });
});

const STEPS = ['join', 'join', 'beat', 'leave', 'destroy', 'pass', 'pass', 'forgive'] as const;

interface Seat extends RoomRef {
  readonly epoch: number;
  readonly userID: string;
  seenAtMs: number;
}

/** The same promises, kept in the plainest way: one list that is searched from end to end. */
class NaiveTable {
  seats: Seat[] = [];
  forgivenAtMs: number;
  readonly #clock: StillClock;

  constructor(clock: StillClock) {
    this.#clock = clock;
    this.forgivenAtMs = clock.timeMs;
  }

  join(seat: Omit<Seat, 'seenAtMs'>): void {
    this.beat(seat);
    const isSeated = this.seats.some((known) => isSame(known, seat));
    if (!isSeated) this.seats.push({ ...seat, seenAtMs: this.#clock.timeMs });
  }

  beat(member: RoomRef & { readonly userID: string }): void {
    for (const seat of this.seats) if (isSame(seat, member)) seat.seenAtMs = this.#clock.timeMs;
  }

  silent(): string[] {
    return this.seats
      .filter(({ kind, seenAtMs }) => {
        const heardAtMs = Math.max(seenAtMs, this.forgivenAtMs);
        return this.#clock.timeMs - heardAtMs > timeoutMsOf(kind);
      })
      .map(nameOf)
      .sort();
  }
}

function apply(
  what: (typeof STEPS)[number],
  on: Bench & {
    readonly naive: NaiveTable;
    readonly ref: RoomRef;
    readonly userID: string;
    readonly ms: number;
  },
): void {
  const { table, clock, log, naive, ref, userID } = on;
  const steps: Record<typeof what, () => void> = {
    join: () => {
      if (log.isOtherKindOpen(ref)) return;
      const known = naive.seats.some((seat) => isSame(seat, { ...ref, userID }));
      const { epoch } = known ? log.updated(ref, userID) : log.joined(ref, userID);
      naive.join({ ...ref, epoch, userID });
    },
    beat: () => {
      const heard = table.beat({ ...ref, userID });
      const isSeated = naive.seats.some((seat) => isSame(seat, { ...ref, userID }));
      assert.equal(heard !== undefined, isSeated);
      naive.beat({ ...ref, userID });
    },
    leave: () => {
      if (!log.isOpen(ref)) return;
      log.left(ref, userID);
      naive.seats = naive.seats.filter((seat) => !isSame(seat, { ...ref, userID }));
    },
    destroy: () => {
      if (!log.isOpen(ref)) return;
      log.destroyed(ref);
      naive.seats = naive.seats.filter(
        (seat) => seat.kind !== ref.kind || seat.roomID !== ref.roomID,
      );
    },
    pass: () => {
      clock.timeMs += on.ms;
    },
    forgive: () => {
      table.forgive();
      naive.forgivenAtMs = clock.timeMs;
    },
  };
  steps[what]();
}

function silentIn(table: Heartbeats): string[] {
  return table
    .silent()
    .flatMap(({ userIDs, ...life }) => userIDs.map((userID) => nameOf({ ...life, userID })))
    .sort();
}

function nameOf({ kind, roomID, epoch, userID }: Omit<Seat, 'seenAtMs'>): string {
  return `${kind}/${roomID}#${epoch}/${userID}`;
}

function isSame(a: RoomRef & { userID: string }, b: RoomRef & { userID: string }): boolean {
  return a.kind === b.kind && a.roomID === b.roomID && a.userID === b.userID;
}

interface Bench {
  readonly table: Heartbeats;
  readonly clock: StillClock;
  readonly log: RoomLog;
}

function newBench(): Bench {
  const clock = new StillClock();
  const table = new Heartbeats({ clock, timeoutMsOf });
  return { table, clock, log: new RoomLog(table) };
}

function timeoutMsOf(kind: RoomKind): number {
  return kind === 'live_room' ? QUICK_TIMEOUT_MS : TIMEOUT_MS;
}

/** Writes the events a store would, one commit each. */
class RoomLog {
  readonly #table: Heartbeats;
  readonly #lives = new Map<
    string,
    { readonly kind: RoomKind; readonly epoch: number; seq: number }
  >();
  #epochs = 0;
  #ids = 0;

  constructor(table: Heartbeats) {
    this.#table = table;
  }

  created(ref: RoomRef, traits: { readonly needsHeartbeat: boolean }): RoomEvent {
    const facts = { creator: 'ann', info: '', endsWithCreator: false, roomType: '' };
    return this.add(ref, { type: 'room_created', data: { ...facts, ...traits } });
  }

  joined(ref: RoomRef, userID: string): RoomEvent {
    return this.add(ref, { type: 'pusher_joined', data: pusher(userID) });
  }

  updated(ref: RoomRef, userID: string): RoomEvent {
    return this.add(ref, { type: 'pusher_updated', data: pusher(userID) });
  }

  left(ref: RoomRef, userID: string): RoomEvent {
    return this.add(ref, leaving(userID));
  }

  destroyed(ref: RoomRef): RoomEvent {
    const event = this.add(ref, { type: 'room_destroyed', reason: 'destroyed', data: {} });
    this.startOver(ref);
    return event;
  }

  /** The next event is of another life. */
  startOver({ kind, roomID }: RoomRef): void {
    this.#lives.delete(`${kind}/${roomID}`);
  }

  isOpen({ kind, roomID }: RoomRef): boolean {
    return this.#lives.has(`${kind}/${roomID}`);
  }

  isOtherKindOpen(ref: RoomRef): boolean {
    const kinds: readonly RoomKind[] = ['room', 'multi_room', 'live_room'];
    return kinds.some((kind) => kind !== ref.kind && this.isOpen({ kind, roomID: ref.roomID }));
  }

  add({ kind, roomID }: RoomRef, body: EventBody): RoomEvent {
    const key = `${kind}/${roomID}`;
    const life = this.#lives.get(key) ?? { kind, epoch: ++this.#epochs, seq: 0 };
    this.#lives.set(key, life);
    life.seq += 1;
    this.#ids += 1;
    const { epoch, seq } = life;
    const event: RoomEvent = {
      ...body,
      kind,
      roomID,
      epoch,
      seq,
      id: this.#ids,
      atMs: 0,
      actor: 'system',
    };
    this.#table.follow([event]);
    return event;
  }
}

function leaving(userID: string): EventBody {
  return { type: 'pusher_left', reason: 'quit', data: { userID, userName: '' } };
}

function pusher(userID: string): NewPusher {
  return { userID, userName: '', userAvatar: '', pushURL: 'rtmp://h/live/s', streamID: 's' };
}
