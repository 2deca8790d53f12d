import type BetterSqlite3 from 'better-sqlite3';
import {
  type Audience,
  type Pusher,
  type Room,
  type RoomKind,
  type RoomRef,
  type RoomWithPushers,
  spaceOf,
} from '../model.ts';
import type { Found, RoomChange } from '../room_rules.ts';
import { creatorFirst, type LivingChange, type RoomCache, roomAfter } from './room_cache.ts';
import type { RoomRanking } from './room_ranking.ts';
import type { SqliteBatch } from './sqlite_batch.ts';
import type { EventMeta, SqliteEvents } from './sqlite_events.ts';
import type {
  ChangeRoom,
  LifeRef,
  LiveRoom,
  ReserveOutcome,
  ReserveRoom,
  RoomStore,
} from './store.ts';

const ROOM_COLUMNS = `
  epoch, kind, room_id, state, creator, info, ends_with_creator, room_type, needs_heartbeat,
  status, seq, pusher_count, audience_count, mixed_stream_id, custom, created_at_ms`;

// One text per room: fetching rows one by one costs the driver more than writing and reading JSON.
const PUSHERS_AS_JSON = `(
  select json_group_array(json_array(user_id, user_name, user_avatar, push_url, stream_id,
    joined_at_ms, updated_at_ms) order by position)
  from pushers where pushers.epoch = rooms.epoch) as pushers`;

const ROOM_RESERVE = `
  insert into rooms (space, kind, room_id, state, creator, info, ends_with_creator, room_type,
    needs_heartbeat, status, seq, pusher_count, audience_count, mixed_stream_id, custom,
    created_at_ms, reserved_until_ms)
  values (?, ?, ?, 'reserved', ?, ?, ?, ?, ?, 0, 0, 0, 0, '', '{}', ?, ?)
  on conflict (space, room_id) do nothing`;

const ROOM_ID_SELECT = 'select 1 from rooms where space = ? and room_id = ?';

const ROOM_BY_ID = `
  select ${ROOM_COLUMNS}, ${PUSHERS_AS_JSON} from rooms where space = ? and room_id = ?`;

const ROOM_BY_EPOCH = `select ${ROOM_COLUMNS} from rooms where epoch = ?`;

const ROOM_UPDATE = `
  update rooms set state = ?, status = ?, seq = ?, pusher_count = ?, audience_count = ?,
    mixed_stream_id = ?, custom = ?, created_at_ms = ?
  where epoch = ?`;

const ROOM_DELETE = 'delete from rooms where epoch = ?';

const ROOMS_BY_EPOCH = `
  select ${ROOM_COLUMNS}, ${PUSHERS_AS_JSON} from rooms
  where epoch in (select value from json_each(?)) order by epoch`;

const ROOMS_RANKED = `
  select kind, room_type, json_group_array(epoch order by epoch) as epochs from rooms
  where state = 'active' group by kind, room_type`;

const ROOMS_IDLE = `
  select kind, room_id, epoch from rooms
  where state = 'inactive' and kind = ? and created_at_ms < ? order by created_at_ms limit ?`;

const ROOMS_EXPIRED = `
  select kind, room_id, epoch from rooms
  where needs_heartbeat = 0 and state = 'active' and created_at_ms < ?
  order by created_at_ms limit ?`;

const ROOMS_STALE = `
  select epoch from rooms
  where state = 'reserved' and reserved_until_ms < ? order by reserved_until_ms limit ?`;

const ROOMS_LIVE = `
  select epoch, kind, room_id, seq, needs_heartbeat from rooms
  where state = 'active' and epoch > ? order by epoch limit ?`;

const COUNTS = `
  select (select count(*) from rooms) as rooms, (select count(*) from pushers) as pushers`;

const PUSHER_IDS_BETWEEN = `
  select epoch, user_id from pushers where epoch between ? and ? order by epoch`;

const PUSHER_INSERT = `
  insert into pushers (epoch, user_id, position, user_name, user_avatar, push_url, stream_id,
    joined_at_ms, updated_at_ms)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const PUSHER_UPDATE = `
  update pushers set user_name = ?, user_avatar = ?, push_url = ?, stream_id = ?, updated_at_ms = ?
  where epoch = ? and user_id = ?`;

const PUSHER_DELETE = 'delete from pushers where epoch = ? and user_id = ?';

const PUSHERS_DELETE = 'delete from pushers where epoch = ?';

const AUDIENCE_SELECT = 'select user_id, user_info from audiences where epoch = ? and user_id = ?';

const AUDIENCES_FIRST = `
  select user_id, user_info from audiences where epoch = ? order by position limit ?`;

const AUDIENCE_INSERT = `
  insert into audiences (epoch, user_id, position, user_info) values (?, ?, ?, ?)`;

const AUDIENCE_UPDATE = 'update audiences set user_info = ? where epoch = ? and user_id = ?';

const AUDIENCE_DELETE = 'delete from audiences where epoch = ? and user_id = ?';

const AUDIENCES_DELETE = 'delete from audiences where epoch = ?';

interface RoomRow {
  readonly epoch: number;
  readonly kind: RoomKind;
  readonly room_id: string;
  readonly state: Room['state'];
  readonly creator: string;
  readonly info: string;
  readonly ends_with_creator: number;
  readonly room_type: string;
  readonly needs_heartbeat: number;
  readonly status: number;
  readonly seq: number;
  readonly pusher_count: number;
  readonly audience_count: number;
  readonly mixed_stream_id: string;
  readonly custom: string;
  readonly created_at_ms: number;
}

interface RankedRow {
  readonly kind: RoomKind;
  readonly room_type: string;
  /** JSON: a list of numbers. */
  readonly epochs: string;
}

type LifeRow = Pick<RoomRow, 'kind' | 'room_id' | 'epoch'>;

interface RoomAndPushersRow extends RoomRow {
  /** JSON: a list of PusherRow. */
  readonly pushers: string;
}

type PusherRow = readonly [
  userID: string,
  userName: string,
  userAvatar: string,
  pushURL: string,
  streamID: string,
  joinedAtMs: number,
  updatedAtMs: number,
];

interface AudienceRow {
  readonly user_id: string;
  readonly user_info: string;
}

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

function statementsOn(db: BetterSqlite3.Database) {
  return {
    roomReserve: db.prepare(ROOM_RESERVE),
    roomIDSelect: db.prepare(ROOM_ID_SELECT),
    roomByID: db.prepare<[string, string], RoomAndPushersRow>(ROOM_BY_ID),
    roomByEpoch: db.prepare<[number], RoomRow>(ROOM_BY_EPOCH),
    roomUpdate: db.prepare(ROOM_UPDATE),
    roomDelete: db.prepare(ROOM_DELETE),
    roomsByEpoch: db.prepare<[string], RoomAndPushersRow>(ROOMS_BY_EPOCH),
    roomsRanked: db.prepare<[], RankedRow>(ROOMS_RANKED),
    roomsIdle: db.prepare<[string, number, number], LifeRow>(ROOMS_IDLE),
    roomsExpired: db.prepare<[number, number], LifeRow>(ROOMS_EXPIRED),
    roomsStale: db.prepare<[number, number], { epoch: number }>(ROOMS_STALE),
    roomsLive: db.prepare<[number, number], RoomRow>(ROOMS_LIVE),
    counts: db.prepare<[], { rooms: number; pushers: number }>(COUNTS),
    pusherIDs: db.prepare<[number, number], { epoch: number; user_id: string }>(PUSHER_IDS_BETWEEN),
    pusherInsert: db.prepare(PUSHER_INSERT),
    pusherUpdate: db.prepare(PUSHER_UPDATE),
    pusherDelete: db.prepare(PUSHER_DELETE),
    pushersDelete: db.prepare(PUSHERS_DELETE),
    audienceSelect: db.prepare<[number, string], AudienceRow>(AUDIENCE_SELECT),
    audiencesFirst: db.prepare<[number, number], AudienceRow>(AUDIENCES_FIRST),
    audienceInsert: db.prepare(AUDIENCE_INSERT),
    audienceUpdate: db.prepare(AUDIENCE_UPDATE),
    audienceDelete: db.prepare(AUDIENCE_DELETE),
    audiencesDelete: db.prepare(AUDIENCES_DELETE),
  };
}

function lifeOf({ kind, room_id: roomID, epoch }: LifeRow): LifeRef {
  return { kind, roomID, epoch };
}

function roomOf(row: RoomRow): Room {
  return {
    epoch: row.epoch,
    kind: row.kind,
    roomID: row.room_id,
    state: row.state,
    creator: row.creator,
    info: row.info,
    endsWithCreator: row.ends_with_creator === 1,
    roomType: row.room_type,
    needsHeartbeat: row.needs_heartbeat === 1,
    status: row.status,
    seq: row.seq,
    pusherCount: row.pusher_count,
    audienceCount: row.audience_count,
    mixedStreamID: row.mixed_stream_id,
    custom: row.custom,
    createdAtMs: row.created_at_ms,
  };
}

function roomWithPushersOf(row: RoomAndPushersRow): RoomWithPushers {
  const room = roomOf(row);
  const pushers = (JSON.parse(row.pushers) as readonly PusherRow[]).map(pusherOf);
  return { room, pushers: creatorFirst(room, pushers) };
}

function pusherOf(row: PusherRow): Pusher {
  const [userID, userName, userAvatar, pushURL, streamID, joinedAtMs, updatedAtMs] = row;
  return { userID, userName, userAvatar, pushURL, streamID, joinedAtMs, updatedAtMs };
}

function audienceOf(row: AudienceRow): Audience {
  return { userID: row.user_id, userInfo: row.user_info };
}
