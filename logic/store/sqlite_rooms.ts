import type BetterSqlite3 from 'better-sqlite3';
import { type Room, type RoomKind, type RoomRef, type RoomWithPushers, spaceOf } from '../model.ts';
import type { Found, RoomChange } from '../room_rules.ts';
import { type LivingChange, type RoomCache, roomAfter } from './room_cache.ts';
import type { RoomRanking } from './room_ranking.ts';
import type { SqliteBatch } from './sqlite_batch.ts';
import type { EventMeta, SqliteEvents } from './sqlite_events.ts';
import { audienceOf, lifeOf, roomOf, roomWithPushersOf, statementsOn } from './sqlite_room_rows.ts';
import type { ChangeRoom, LiveRoom, ReserveOutcome, ReserveRoom, RoomStore } from './store.ts';

/** Rooms, pushers and audiences in SQLite. */
export class SqliteRooms implements RoomStore {
  readonly #batch: SqliteBatch;
  readonly #events: SqliteEvents;
  readonly #ranking: RoomRanking;
  readonly #cache: RoomCache;
  readonly #statements;

  constructor(parts: {
    readonly db: BetterSqlite3.Database;
    readonly batch: SqliteBatch;
    readonly events: SqliteEvents;
    readonly ranking: RoomRanking;
    readonly cache: RoomCache;
  }) {
    this.#batch = parts.batch;
    this.#events = parts.events;
    this.#ranking = parts.ranking;
    this.#cache = parts.cache;
    this.#statements = statementsOn(parts.db);
    for (const { kind, room_type: roomType, epochs } of this.#statements.roomsRanked.all())
      this.#ranking.load({ kind, roomType }, JSON.parse(epochs) as number[]);
  }

  reserveRoom(request: ReserveRoom): Promise<ReserveOutcome> {
    return this.#batch.write(() => this.#reserve(request));
  }

  dropReservation(request: {
    readonly epoch: number;
    readonly groupMayExist: boolean;
    readonly nowMs: number;
  }) {
    return this.#batch.write(() => {
      const row = this.#statements.roomByEpoch.get(request.epoch);
      if (row?.state !== 'reserved') return;
      const room = roomOf(row);
      this.#statements.roomDelete.run(request.epoch);
      this.#cache.note(room, undefined);
      if (request.groupMayExist) this.#events.closeGroup(room, request.nowMs);
    });
  }

  changeRoom<T>(request: ChangeRoom<T>): Promise<T> {
    return this.#batch.write(() => {
      const found = this.#find(request);
      const { result, change } = request.rule(found);
      const { room: before, pushers } = found;
      if (change !== undefined && before !== undefined)
        this.#apply({ room: before, pushers }, change, request);
      return result;
    });
  }

  async readRoom(ref: RoomRef): Promise<RoomWithPushers | undefined> {
    return this.#roomNamed(ref);
  }

  async readRooms(page: {
    readonly kind: RoomKind;
    readonly roomType: string;
    readonly offset: number;
    readonly limit: number;
  }): Promise<readonly RoomWithPushers[]> {
    const epochs = this.#ranking.page(page, page);
    const unknown = epochs.filter((epoch) => this.#cache.committed(epoch) === undefined);
    const read = this.#readRoomsOf(unknown);
    return epochs.flatMap((epoch) => read.get(epoch) ?? this.#cache.committed(epoch) ?? []);
  }

  async readAudiences(ref: RoomRef, limit: number) {
    const room = this.#roomNamed(ref)?.room;
    if (room === undefined) return { count: 0, audiences: [] };
    const audiences = this.#statements.audiencesFirst.all(room.epoch, limit).map(audienceOf);
    return { count: room.audienceCount, audiences };
  }

  async readIdleRooms(request: {
    readonly kind: RoomKind;
    readonly createdBeforeMs: number;
    readonly limit: number;
  }) {
    return this.#statements.roomsIdle
      .all(request.kind, request.createdBeforeMs, request.limit)
      .map(lifeOf);
  }

  async readExpiredRooms(request: { readonly createdBeforeMs: number; readonly limit: number }) {
    return this.#statements.roomsExpired.all(request.createdBeforeMs, request.limit).map(lifeOf);
  }

  async readStaleReservations(request: { readonly nowMs: number; readonly limit: number }) {
    return this.#statements.roomsStale.all(request.nowMs, request.limit).map(({ epoch }) => epoch);
  }

  async readLiveRooms(request: {
    readonly afterEpoch: number;
    readonly limit: number;
  }): Promise<readonly LiveRoom[]> {
    const rows = this.#statements.roomsLive.all(request.afterEpoch, request.limit);
    const userIDs = new Map<number, string[]>(rows.map(({ epoch }) => [epoch, []]));
    const [first, last] = [rows[0]?.epoch ?? 0, rows.at(-1)?.epoch ?? 0];
    for (const { epoch, user_id } of this.#statements.pusherIDs.all(first, last))
      userIDs.get(epoch)?.push(user_id);
    return rows.map((row) => {
      const { seq, needs_heartbeat } = row;
      const needsHeartbeat = needs_heartbeat === 1;
      return { ...lifeOf(row), seq, needsHeartbeat, userIDs: userIDs.get(row.epoch) ?? [] };
    });
  }

  async readCounts() {
    const row = this.#statements.counts.get();
    return { rooms: row?.rooms ?? 0, pushers: row?.pushers ?? 0 };
  }

  #reserve(request: ReserveRoom): ReserveOutcome {
    const { kind, roomID, creator, info, endsWithCreator, roomType, needsHeartbeat } = request;
    if (this.#statements.roomIDSelect.get(spaceOf(kind), roomID)) return { outcome: 'exists' };
    const closing = this.#events.closingOf(request);
    if (closing === 'out' || (closing === 'due' && !request.takeOverGroup))
      return { outcome: 'group_closing' };
    if (closing === 'due') this.#events.keepGroup(request);
    const names = [spaceOf(kind), kind, roomID, creator, info];
    const { lastInsertRowid } = this.#statements.roomReserve.run(
      ...names,
      endsWithCreator ? 1 : 0,
      roomType,
      needsHeartbeat ? 1 : 0,
      request.nowMs,
      request.reservedUntilMs,
    );
    const epoch = Number(lastInsertRowid);
    const row = this.#statements.roomByEpoch.get(epoch);
    if (row !== undefined) this.#cache.note(roomOf(row), { room: roomOf(row), pushers: [] });
    return { outcome: 'reserved', epoch };
  }

  #find<T>({ ref, epoch, audienceID }: ChangeRoom<T>): Found {
    const found = this.#roomNamed(ref);
    if (found === undefined || (epoch !== undefined && found.room.epoch !== epoch))
      return { room: undefined, pushers: [], audience: undefined };
    const audience =
      audienceID === undefined
        ? undefined
        : this.#statements.audienceSelect.get(found.room.epoch, audienceID);
    return { ...found, audience: audience && audienceOf(audience) };
  }

  #apply(found: RoomWithPushers, change: RoomChange, meta: EventMeta): void {
    const { room: before } = found;
    if (change.room === 'destroyed') this.#delete(before);
    else this.#update(found, { ...change, room: change.room });
    this.#ranking.note(before, change.room);
    this.#events.append(before, change.events, meta);
  }

  #delete(room: Room): void {
    const { epoch } = room;
    this.#statements.pushersDelete.run(epoch);
    if (room.audienceCount > 0) this.#statements.audiencesDelete.run(epoch);
    this.#statements.roomDelete.run(epoch);
    this.#cache.note(room, undefined);
  }

  #update(found: RoomWithPushers, change: LivingChange): void {
    const after = roomAfter(found, change);
    const { epoch, seq, state, status, pusherCount, audienceCount } = after.room;
    const { mixedStreamID, custom, createdAtMs } = after.room;
    const numbers = [status, seq, pusherCount, audienceCount];
    this.#statements.roomUpdate.run(state, ...numbers, mixedStreamID, custom, createdAtMs, epoch);
    this.#applyMembers(epoch, seq, change);
    this.#cache.note(found.room, after);
  }

  #applyMembers(epoch: number, seq: number, change: LivingChange): void {
    const { joined, updated, left = [], audienceJoined, audienceUpdated, audienceLeft } = change;
    const statements = this.#statements;
    if (joined) {
      const { userID, userName, userAvatar, pushURL, streamID, joinedAtMs, updatedAtMs } = joined;
      const shown = [userName, userAvatar, pushURL, streamID];
      statements.pusherInsert.run(epoch, userID, seq, ...shown, joinedAtMs, updatedAtMs);
    }
    if (updated) {
      const { userID, userName, userAvatar, pushURL, streamID, updatedAtMs } = updated;
      const shown = [userName, userAvatar, pushURL, streamID];
      statements.pusherUpdate.run(...shown, updatedAtMs, epoch, userID);
    }
    for (const userID of left) statements.pusherDelete.run(epoch, userID);
    if (audienceJoined)
      statements.audienceInsert.run(epoch, audienceJoined.userID, seq, audienceJoined.userInfo);
    if (audienceUpdated)
      statements.audienceUpdate.run(audienceUpdated.userInfo, epoch, audienceUpdated.userID);
    if (audienceLeft !== undefined) statements.audienceDelete.run(epoch, audienceLeft);
  }

  #roomNamed(ref: RoomRef): RoomWithPushers | undefined {
    const found = this.#cache.get(ref) ?? this.#readRoomNamed(ref);
    return found !== 'gone' && found?.room.kind === ref.kind ? found : undefined;
  }

  #readRoomsOf(epochs: readonly number[]): ReadonlyMap<number, RoomWithPushers> {
    if (epochs.length === 0) return new Map();
    const rows = this.#statements.roomsByEpoch.all(JSON.stringify(epochs));
    const rooms = rows.map(roomWithPushersOf);
    for (const found of rooms) this.#cache.fill(found);
    return new Map(rooms.map((found) => [found.room.epoch, found]));
  }

  #readRoomNamed({ kind, roomID }: RoomRef): RoomWithPushers | undefined {
    const row = this.#statements.roomByID.get(spaceOf(kind), roomID);
    if (row === undefined) return undefined;
    const found = roomWithPushersOf(row);
    this.#cache.fill(found);
    return found;
  }
}
