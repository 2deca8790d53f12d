/** The definition of the store port: every adapter passes this suite, and nothing else is promised. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RoomEvent } from '../../logic/events.ts';
import type { NewPusher, RoomRef } from '../../logic/model.ts';
import * as rules from '../../logic/room_rules.ts';
import type { Sink, Store } from '../../logic/store/store.ts';

const REF: RoomRef = { kind: 'multi_room', roomID: 'r1' };
const OTHER: RoomRef = { kind: 'multi_room', roomID: 'r2' };
const FAR_MS = 1_000_000;

const IM_SINK: Sink = {
  name: 'im',
  gatherMs: 200,
  ownsGroup: true,
  wants: (event) => event.type.startsWith('pusher_') || event.type === 'room_destroyed',
};

export type OpenStore = (settings: { readonly sinks: readonly Sink[] }) => Promise<Store>;

export function storeContract(name: string, openStore: OpenStore): void {
  const open = () => openStore({ sinks: [IM_SINK] });
  describe(`store contract on ${name}`, () => {
    roomContract(open);
    raceContract(open);
    listContract(open);
    eventContract(open);
    outboxContract(open);
    tokenContract(open);
  });
}

function roomContract(open: () => Promise<Store>): void {
  it('hides nothing of a reserved room but its seats', async () => {
    await using store = await open();
    const epoch = await reserve(store, REF);
    const found = await store.readRoom(REF);
    assert.equal(found?.room.state, 'reserved');
    assert.equal(found.room.epoch, epoch);
    assert.deepEqual(found.pushers, []);
    assert.equal(await join(store, REF, 'ann'), 'opening');
  });

  it('gives an id to one room of a space, and to another space independently', async () => {
    await using store = await open();
    await reserve(store, REF);
    assert.deepEqual(await tryReserve(store, REF), { outcome: 'exists' });
    assert.deepEqual(await tryReserve(store, { ...REF, kind: 'double_room' }), {
      outcome: 'exists',
    });
    assert.equal((await tryReserve(store, { ...REF, kind: 'webrtc_room' })).outcome, 'reserved');
    assert.equal((await tryReserve(store, { ...REF, kind: 'webexe_room' })).outcome, 'reserved');
  });

  it('tells ids apart by case and by trailing space', async () => {
    await using store = await open();
    await openRoom(store, REF);
    assert.equal((await tryReserve(store, { ...REF, roomID: 'R1' })).outcome, 'reserved');
    assert.equal(await store.readRoom({ ...REF, roomID: 'r1 ' }), undefined);
  });

  it('does not find a room under another kind', async () => {
    await using store = await open();
    await openRoom(store, REF);
    assert.equal(await store.readRoom({ ...REF, kind: 'double_room' }), undefined);
    assert.equal(await join(store, { ...REF, kind: 'double_room' }, 'ann'), 'no_room');
  });

  it('keeps text of every script as it came', async () => {
    await using store = await open();
    const info = '房间 😀 \' " \\ \n %';
    const reserved = await tryReserve(store, REF, { info });
    assert.equal(reserved.outcome, 'reserved');
    assert.equal((await store.readRoom(REF))?.room.info, info);
  });

  it('gives every life a higher epoch, also after the room is gone', async () => {
    await using store = await open();
    const first = await openRoom(store, REF);
    await destroy(store, REF);
    await takeGroupOver(store);
    const second = await openRoom(store, REF);
    assert.ok(second > first);
  });

  it('counts a change of another life as a change of no room', async () => {
    await using store = await open();
    const epoch = await openRoom(store, REF);
    const rule = rules.joinRule({ pusher: pusher('ann'), maxMembers: 2, nowMs: 1 });
    const request = { ref: REF, actor: 'ann', nowMs: 1, rule };
    assert.equal(await store.changeRoom({ ...request, epoch: epoch + 1 }), 'no_room');
    assert.equal(await store.changeRoom({ ...request, epoch }), 'joined');
  });

  it('returns a dropped id, and has its group destroyed only if it may exist', async () => {
    await using store = await open();
    const nowMs = 5;
    const first = await reserve(store, REF);
    await store.dropReservation({ epoch: first, groupMayExist: false, nowMs });
    assert.equal(await store.readRoom(REF), undefined);
    assert.deepEqual(await claim(store, FAR_MS), []);
    const second = await reserve(store, REF);
    await store.dropReservation({ epoch: second, groupMayExist: true, nowMs });
    const [delivery] = await claim(store, FAR_MS);
    assert.deepEqual([delivery?.roomID, delivery?.closed], ['r1', true]);
  });

  it('does not drop a room that was opened meanwhile', async () => {
    await using store = await open();
    const epoch = await openRoom(store, REF);
    await store.dropReservation({ epoch, groupMayExist: true, nowMs: 5 });
    assert.equal((await store.readRoom(REF))?.room.state, 'inactive');
  });

  it('reads pushers with the creator first, then in the order they joined', async () => {
    await using store = await open();
    await openRoom(store, REF, { creator: 'cat' });
    for (const userID of ['bob', 'ann', 'cat', 'dan']) await join(store, REF, userID);
    assert.deepEqual(await userIDsIn(store, REF), ['cat', 'bob', 'ann', 'dan']);
    await join(store, REF, 'bob');
    assert.deepEqual(await userIDsIn(store, REF), ['cat', 'bob', 'ann', 'dan']);
  });

  it('replaces what a pusher brought when he joins again, and keeps when he came', async () => {
    await using store = await open();
    await openRoom(store, REF);
    await join(store, REF, 'ann', { nowMs: 10 });
    const rule = rules.joinRule({
      pusher: { ...pusher('ann'), userName: 'Anna', streamID: 's2' },
      maxMembers: 6,
      nowMs: 20,
    });
    await store.changeRoom({ ref: REF, actor: 'ann', nowMs: 20, rule });
    const [ann] = (await store.readRoom(REF))?.pushers ?? [];
    assert.deepEqual(ann, {
      ...pusher('ann'),
      userName: 'Anna',
      streamID: 's2',
      joinedAtMs: 10,
      updatedAtMs: 20,
    });
  });

  it('takes pushers and audience of a destroyed room along', async () => {
    await using store = await open();
    await openRoom(store, REF);
    await join(store, REF, 'ann');
    await watch(store, REF, 'vic');
    await destroy(store, REF);
    await takeGroupOver(store);
    await openRoom(store, REF);
    assert.deepEqual(await userIDsIn(store, REF), []);
    assert.deepEqual(await store.readAudiences(REF, 10), { count: 0, audiences: [] });
    assert.deepEqual(await store.readCounts(), { rooms: 1, pushers: 0 });
  });
}

function raceContract(open: () => Promise<Store>): void {
  it('lets one of many parallel reservations of an id win', async () => {
    await using store = await open();
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => tryReserve(store, REF)));
    const reserved = outcomes.filter(({ outcome }) => outcome === 'reserved');
    assert.equal(reserved.length, 1);
  });

  it('fills every seat and not one more under parallel joins', async () => {
    await using store = await open();
    await openRoom(store, REF);
    const joins = Array.from({ length: 60 }, (_, index) => join(store, REF, `user${index}`));
    const outcomes = await Promise.all(joins);
    assert.equal(outcomes.filter((outcome) => outcome === 'joined').length, 6);
    assert.equal(outcomes.filter((outcome) => outcome === 'full').length, 54);
    assert.equal((await userIDsIn(store, REF)).length, 6);
    assert.equal((await store.readRoom(REF))?.room.pusherCount, 6);
  });

  it('seats a user once when he joins many times at once', async () => {
    await using store = await open();
    await openRoom(store, REF);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => join(store, REF, 'ann')));
    assert.equal(outcomes.filter((outcome) => outcome === 'joined').length, 1);
    assert.equal((await store.readRoom(REF))?.room.pusherCount, 1);
  });

  it('adds up parallel counting', async () => {
    await using store = await open();
    await openRoom(store, REF);
    const limits = { fieldsMax: 4, bytesMax: 1_000 };
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => {
        const operation = index % 4 === 0 ? ('dec' as const) : ('inc' as const);
        const rule = rules.customRule({ fieldName: 'likes', operation }, limits);
        return store.changeRoom({ ref: REF, actor: 'ann', nowMs: 1, rule });
      }),
    );
    assert.equal((await store.readRoom(REF))?.room.custom, '{"likes":20}');
  });

  it('ends a room once when all its pushers leave at once', async () => {
    await using store = await open();
    await openRoom(store, REF, { creator: 'zoe' });
    const userIDs = ['ann', 'bob', 'cat'];
    for (const userID of userIDs) await join(store, REF, userID);
    const outcomes = await Promise.all(userIDs.map((userID) => leave(store, REF, userID)));
    assert.deepEqual([...outcomes].sort(), ['dissolved', 'left', 'left']);
    assert.equal(await store.readRoom(REF), undefined);
  });

  it('changes nothing when a rule throws, and nothing of what others ask for', async () => {
    await using store = await open();
    await openRoom(store, REF);
    const broken = store.changeRoom({
      ref: REF,
      actor: 'ann',
      nowMs: 1,
      rule: () => {
        throw new Error('broken rule');
      },
    });
    const [refused, joined] = await Promise.allSettled([broken, join(store, REF, 'ann')]);
    assert.equal(refused.status, 'rejected');
    assert.deepEqual(joined, { status: 'fulfilled', value: 'joined' });
  });
}

function listContract(open: () => Promise<Store>): void {
  it('lists active rooms in the order they were made, page by page', async () => {
    await using store = await open();
    for (const roomID of ['r9', 'r10', '8', 'idle', 'r7'])
      await openRoom(store, { ...REF, roomID });
    for (const roomID of ['r7', 'r9', '8', 'r10']) await join(store, { ...REF, roomID }, 'ann');
    await openRoom(store, { kind: 'live_room', roomID: 'elsewhere' });
    const page = async (offset: number, limit: number) =>
      (await store.readRooms({ kind: 'multi_room', roomType: '', offset, limit })).map(
        ({ room }) => room.roomID,
      );
    assert.deepEqual(await page(0, 10), ['r9', 'r10', '8', 'r7']);
    assert.deepEqual(await page(1, 2), ['r10', '8']);
    assert.deepEqual(await page(4, 2), []);
    const [first] = await store.readRooms({
      kind: 'multi_room',
      roomType: '',
      offset: 0,
      limit: 1,
    });
    assert.deepEqual(
      first?.pushers.map(({ userID }) => userID),
      ['ann'],
    );
  });

  it('lists rooms of one type, and names those without heartbeats by their age', async () => {
    await using store = await open();
    const lone = { roomType: 'web', needsHeartbeat: false };
    await openRoom(store, REF, { ...lone, nowMs: 100 });
    await openRoom(store, OTHER, { roomType: 'web2', nowMs: 100 });
    for (const ref of [REF, OTHER]) await join(store, ref, 'ann');
    const idsOf = async (roomType: string) =>
      (await store.readRooms({ kind: 'multi_room', roomType, offset: 0, limit: 9 })).map(
        ({ room }) => room.roomID,
      );
    assert.deepEqual([await idsOf('web'), await idsOf('')], [['r1'], []]);
    const expired = (createdBeforeMs: number) =>
      store.readExpiredRooms({ createdBeforeMs, limit: 9 });
    assert.deepEqual(await expired(100), []);
    assert.deepEqual(
      (await expired(101)).map(({ roomID }) => roomID),
      ['r1'],
    );
    const live = await store.readLiveRooms({ afterEpoch: 0, limit: 9 });
    assert.deepEqual(
      live.map(({ needsHeartbeat }) => needsHeartbeat),
      [false, true],
    );
  });

  it('counts every viewer once and lists the first', async () => {
    await using store = await open();
    await openRoom(store, REF);
    for (const userID of ['vic', 'wil', 'vic', 'xen']) await watch(store, REF, userID, userID);
    await watch(store, REF, 'wil', 'renamed');
    assert.deepEqual(await store.readAudiences(REF, 2), {
      count: 3,
      audiences: [
        { userID: 'vic', userInfo: 'vic' },
        { userID: 'wil', userInfo: 'renamed' },
      ],
    });
    assert.equal(await unwatch(store, REF, 'vic'), true);
    assert.equal(await unwatch(store, REF, 'vic'), false);
    assert.equal((await store.readAudiences(REF, 2)).count, 2);
    assert.deepEqual(await store.readAudiences(OTHER, 2), { count: 0, audiences: [] });
  });

  it('finds rooms nobody entered and ids whose maker is gone', async () => {
    await using store = await open();
    await openRoom(store, REF, { nowMs: 100 });
    await openRoom(store, OTHER, { nowMs: 200 });
    const idle = (createdBeforeMs: number) =>
      store.readIdleRooms({ kind: 'multi_room', createdBeforeMs, limit: 10 });
    assert.deepEqual(
      (await idle(150)).map(({ roomID }) => roomID),
      ['r1'],
    );
    await join(store, REF, 'ann');
    assert.deepEqual(
      (await idle(300)).map(({ roomID }) => roomID),
      ['r2'],
    );
    const epoch = await reserve(store, { ...REF, roomID: 'r3' });
    const stale = (nowMs: number) => store.readStaleReservations({ nowMs, limit: 10 });
    assert.deepEqual(await stale(1), []);
    assert.deepEqual(await stale(FAR_MS), [epoch]);
  });

  it('walks all live rooms with their pushers', async () => {
    await using store = await open();
    for (const roomID of ['a', 'b', 'c']) {
      await openRoom(store, { ...REF, roomID });
      await join(store, { ...REF, roomID }, `${roomID}1`);
      await join(store, { ...REF, roomID }, `${roomID}2`);
    }
    await openRoom(store, { ...REF, roomID: 'idle' });
    const first = await store.readLiveRooms({ afterEpoch: 0, limit: 2 });
    const rest = await store.readLiveRooms({ afterEpoch: first.at(-1)?.epoch ?? 0, limit: 2 });
    assert.deepEqual(
      [...first, ...rest].map(({ roomID, userIDs }) => [roomID, [...userIDs].sort()]),
      [
        ['a', ['a1', 'a2']],
        ['b', ['b1', 'b2']],
        ['c', ['c1', 'c2']],
      ],
    );
    assert.deepEqual(await store.readLiveRooms({ afterEpoch: FAR_MS, limit: 2 }), []);
  });
}

function eventContract(open: () => Promise<Store>): void {
  it('logs every change with who, when, why and a number without gaps', async () => {
    await using store = await open();
    await openRoom(store, REF, { creator: 'ann', nowMs: 1 });
    await join(store, REF, 'ann', { nowMs: 2 });
    await leave(store, REF, 'ann', { nowMs: 3 });
    const events = await store.readEvents({ afterID: 0, limit: 100 });
    assert.deepEqual(
      events.map(({ seq, type, actor, atMs }) => [seq, type, actor, atMs]),
      [
        [1, 'room_created', 'ann', 1],
        [2, 'room_activated', 'ann', 2],
        [3, 'pusher_joined', 'ann', 2],
        [4, 'pusher_left', 'ann', 3],
        [5, 'room_destroyed', 'ann', 3],
      ],
    );
    assert.deepEqual(
      events.map((event) => ('reason' in event ? event.reason : undefined)),
      [undefined, undefined, undefined, 'quit', 'last_pusher_left'],
    );
    assert.deepEqual(events[2]?.data, pusher('ann'));
  });

  it('logs nothing for what was refused', async () => {
    await using store = await open();
    await openRoom(store, REF);
    const before = (await store.readEvents({ afterID: 0, limit: 100 })).length;
    await leave(store, REF, 'stranger');
    await join(store, OTHER, 'ann');
    await unwatch(store, REF, 'stranger');
    assert.equal((await store.readEvents({ afterID: 0, limit: 100 })).length, before);
  });

  it('tells subscribers of each commit, in order, and no longer when they have left', async () => {
    await using store = await open();
    const heard: RoomEvent[] = [];
    const unsubscribe = store.subscribe((events) => heard.push(...events));
    await openRoom(store, REF);
    await Promise.all([join(store, REF, 'ann'), join(store, REF, 'bob'), leave(store, REF, 'ann')]);
    assert.deepEqual(heard, await store.readEvents({ afterID: 0, limit: 100 }));
    unsubscribe();
    await join(store, REF, 'cat');
    assert.equal(heard.at(-1)?.type, 'pusher_left');
  });

  it('reads on from where a reader stopped', async () => {
    await using store = await open();
    await openRoom(store, REF);
    await join(store, REF, 'ann');
    const [first] = await store.readEvents({ afterID: 0, limit: 1 });
    const rest = await store.readEvents({ afterID: first?.id ?? 0, limit: 100 });
    assert.deepEqual([first?.seq, ...rest.map(({ seq }) => seq)], [1, 2, 3]);
  });

  it('forgets old events a few at a time', async () => {
    await using store = await open();
    await openRoom(store, REF, { nowMs: 1 });
    await join(store, REF, 'ann', { nowMs: 2 });
    await join(store, REF, 'bob', { nowMs: 30 });
    assert.equal(await store.pruneEvents({ beforeMs: 10, limit: 2 }), 2);
    assert.equal(await store.pruneEvents({ beforeMs: 10, limit: 2 }), 1);
    assert.equal(await store.pruneEvents({ beforeMs: 10, limit: 2 }), 0);
    const left = await store.readEvents({ afterID: 0, limit: 100 });
    assert.deepEqual(
      left.map(({ seq }) => seq),
      [4],
    );
  });
}

function outboxContract(open: () => Promise<Store>): void {
  it('gathers the changes of a room into one delivery, due after the gathering time', async () => {
    await using store = await open();
    await openRoom(store, REF, { nowMs: 1_000 });
    await join(store, REF, 'ann', { nowMs: 1_000 });
    await join(store, REF, 'bob', { nowMs: 1_100 });
    assert.equal(await store.readNextDueMs('im'), 1_200);
    assert.deepEqual(await claim(store, 1_199), []);
    const deliveries = await claim(store, 1_200);
    assert.deepEqual(
      deliveries.map(({ roomID, fromSeq, toSeq, closed, attempt }) => {
        return { roomID, fromSeq, toSeq, closed, attempt };
      }),
      [{ roomID: 'r1', fromSeq: 1, toSeq: 4, closed: false, attempt: 0 }],
    );
  });

  it('hands a delivery out once until its lease ends', async () => {
    await using store = await open();
    await openRoom(store, REF, { nowMs: 0 });
    await join(store, REF, 'ann', { nowMs: 0 });
    assert.equal((await claim(store, 1_000)).length, 1);
    assert.equal((await claim(store, 1_000)).length, 0);
    assert.equal((await claim(store, 31_000)).length, 1);
  });

  it('delivers what came while a delivery was out as the next one', async () => {
    await using store = await open();
    await openRoom(store, REF, { nowMs: 0 });
    await join(store, REF, 'ann', { nowMs: 0 });
    const [first] = await claim(store, 1_000);
    assert.ok(first);
    await join(store, REF, 'bob', { nowMs: 1_000 });
    await store.ackDelivery(first, 1_001);
    const [second] = await claim(store, 1_001);
    assert.ok(second);
    assert.deepEqual([second.fromSeq, second.toSeq], [3, 4]);
    await store.ackDelivery(second, 1_002);
    assert.equal(await store.readNextDueMs('im'), undefined);
  });

  it('counts failures and waits as told, whatever happens meanwhile', async () => {
    await using store = await open();
    await openRoom(store, REF, { nowMs: 0 });
    await join(store, REF, 'ann', { nowMs: 0 });
    const [first] = await claim(store, 1_000);
    assert.ok(first);
    await store.failDelivery(first, 5_000);
    await join(store, REF, 'bob', { nowMs: 1_500 });
    assert.deepEqual(await claim(store, 4_999), []);
    const [again] = await claim(store, 5_000);
    assert.deepEqual([again?.attempt, again?.toSeq], [1, 4]);
  });

  it('makes the end of a room due at once', async () => {
    await using store = await open();
    await openRoom(store, REF, { nowMs: 0 });
    await join(store, REF, 'ann', { nowMs: 1_000 });
    await destroy(store, REF, { nowMs: 1_050 });
    const deliveries = await claim(store, 1_050);
    assert.deepEqual(
      deliveries.map(({ closed }) => closed),
      [true],
    );
  });

  it('does not let an id live again while its former group is to be destroyed', async () => {
    await using store = await open();
    await openRoom(store, REF);
    await destroy(store, REF);
    assert.deepEqual(await tryReserve(store, REF), { outcome: 'group_closing' });
    const [destruction] = await claim(store, FAR_MS);
    assert.ok(destruction);
    const takeOver = { takeOverGroup: true };
    assert.deepEqual(await tryReserve(store, REF, takeOver), { outcome: 'group_closing' });
    await store.ackDelivery(destruction, FAR_MS);
    assert.equal((await tryReserve(store, REF)).outcome, 'reserved');
  });

  it('lets a new life keep the former group when that is not being destroyed yet', async () => {
    await using store = await open();
    await openRoom(store, REF);
    await destroy(store, REF);
    assert.equal((await tryReserve(store, REF, { takeOverGroup: true })).outcome, 'reserved');
    assert.deepEqual(await claim(store, FAR_MS), []);
  });

  it('keeps the deliveries of two rooms apart', async () => {
    await using store = await open();
    for (const ref of [REF, OTHER]) {
      await openRoom(store, ref, { nowMs: 0 });
      await join(store, ref, 'ann', { nowMs: 0 });
    }
    const deliveries = await claim(store, 1_000);
    assert.deepEqual(deliveries.map(({ roomID }) => roomID).sort(), ['r1', 'r2']);
  });
}

function tokenContract(open: () => Promise<Store>): void {
  const token = (hash: string, expiresAtMs: number) => {
    return { hash, userID: 'ann', expiresAtMs, perUserMax: 2 };
  };

  it('knows a token by its hash until it is deleted', async () => {
    await using store = await open();
    await store.insertToken(token('h1', 100));
    assert.deepEqual(await store.readToken('h1'), { userID: 'ann', expiresAtMs: 100 });
    assert.equal(await store.readToken('H1'), undefined);
    await store.deleteToken('h1');
    await store.deleteToken('h1');
    assert.equal(await store.readToken('h1'), undefined);
  });

  it('drops the tokens of a user that end first when there are too many', async () => {
    await using store = await open();
    await store.insertToken(token('early', 100));
    await store.insertToken(token('late', 300));
    await store.insertToken({ ...token('bobs', 50), userID: 'bob' });
    await store.insertToken(token('new', 200));
    const known = ['early', 'late', 'new', 'bobs'].map((hash) => store.readToken(hash));
    const found = (await Promise.all(known)).map((found) => found?.expiresAtMs);
    assert.deepEqual(found, [undefined, 300, 200, 50]);
  });

  it('moves the end of a token forward only, and of a deleted one not at all', async () => {
    await using store = await open();
    await store.insertToken(token('h1', 100));
    await store.extendTokens([
      { hash: 'h1', expiresAtMs: 500 },
      { hash: 'gone', expiresAtMs: 500 },
    ]);
    await store.extendTokens([{ hash: 'h1', expiresAtMs: 400 }]);
    assert.equal((await store.readToken('h1'))?.expiresAtMs, 500);
    assert.equal(await store.readToken('gone'), undefined);
  });

  it('forgets ended tokens a few at a time', async () => {
    await using store = await open();
    for (const [index, hash] of ['a', 'b', 'c', 'd'].entries())
      await store.insertToken({ ...token(hash, index), userID: hash });
    assert.equal(await store.pruneTokens({ beforeMs: 3, limit: 2 }), 2);
    assert.equal(await store.pruneTokens({ beforeMs: 3, limit: 2 }), 1);
    assert.equal((await store.readToken('d'))?.expiresAtMs, 3);
  });
}

function pusher(userID: string): NewPusher {
  const pushURL = `rtmp://push.example/live/${userID}`;
  return { userID, userName: userID, userAvatar: '1', pushURL, streamID: userID };
}

interface Traits {
  readonly creator?: string;
  readonly roomType?: string;
  readonly needsHeartbeat?: boolean;
}

interface Times {
  readonly nowMs?: number;
}

function tryReserve(
  store: Store,
  ref: RoomRef,
  over: Times & Traits & { info?: string; takeOverGroup?: boolean } = {},
) {
  const nowMs = over.nowMs ?? 1;
  return store.reserveRoom({
    ...ref,
    creator: over.creator ?? 'ann',
    info: over.info ?? 'hi',
    endsWithCreator: false,
    roomType: over.roomType ?? '',
    needsHeartbeat: over.needsHeartbeat ?? true,
    nowMs,
    reservedUntilMs: nowMs + 1_000,
    takeOverGroup: over.takeOverGroup ?? false,
  });
}

async function reserve(store: Store, ref: RoomRef, over: Times & Traits = {}): Promise<number> {
  const reserved = await tryReserve(store, ref, over);
  assert.equal(reserved.outcome, 'reserved');
  return reserved.epoch;
}

async function openRoom(store: Store, ref: RoomRef, over: Times & Traits = {}): Promise<number> {
  const epoch = await reserve(store, ref, over);
  const nowMs = over.nowMs ?? 1;
  const rule = rules.openRule({ firstPusher: undefined, nowMs });
  const actor = over.creator ?? 'ann';
  assert.equal(await store.changeRoom({ ref, epoch, actor, nowMs, rule }), 'opened');
  return epoch;
}

function join(store: Store, ref: RoomRef, userID: string, { nowMs = 1 }: Times = {}) {
  const rule = rules.joinRule({ pusher: pusher(userID), maxMembers: 6, nowMs });
  return store.changeRoom({ ref, actor: userID, nowMs, rule });
}

function leave(store: Store, ref: RoomRef, userID: string, { nowMs = 1 }: Times = {}) {
  const rule = rules.leaveRule({ userID, endsWithCreator: false });
  return store.changeRoom({ ref, actor: userID, nowMs, rule });
}

async function destroy(store: Store, ref: RoomRef, { nowMs = 1 }: Times = {}): Promise<void> {
  const rule = rules.destroyRule({ userID: 'ann' });
  assert.equal(await store.changeRoom({ ref, actor: 'ann', nowMs, rule }), 'destroyed');
}

function watch(store: Store, ref: RoomRef, userID: string, userInfo = '') {
  const rule = rules.watchRule({ userID, userInfo });
  return store.changeRoom({ ref, audienceID: userID, actor: userID, nowMs: 1, rule });
}

function unwatch(store: Store, ref: RoomRef, userID: string) {
  const rule = rules.unwatchRule;
  return store.changeRoom({ ref, audienceID: userID, actor: userID, nowMs: 1, rule });
}

function claim(store: Store, nowMs: number) {
  return store.claimDeliveries({ sink: 'im', nowMs, leaseMs: 30_000, limit: 10 });
}

/** Does what the outbox would: the group of the former life is gone. */
async function takeGroupOver(store: Store): Promise<void> {
  for (const delivery of await claim(store, FAR_MS)) await store.ackDelivery(delivery, FAR_MS);
}

async function userIDsIn(store: Store, ref: RoomRef): Promise<readonly string[]> {
  return (await store.readRoom(ref))?.pushers.map(({ userID }) => userID) ?? [];
}
