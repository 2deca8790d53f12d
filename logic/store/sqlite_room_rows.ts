/** What the room steps ask of SQLite, and what its rows mean. */
import type BetterSqlite3 from 'better-sqlite3';
import type { Audience, Pusher, Room, RoomKind, RoomWithPushers } from '../model.ts';
import { creatorFirst } from './room_cache.ts';
import type { LifeRef } from './store.ts';

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

/** The statements, prepared once. */
export function statementsOn(db: BetterSqlite3.Database) {
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

/** Which life of which room a row is about. */
export function lifeOf({ kind, room_id: roomID, epoch }: LifeRow): LifeRef {
  return { kind, roomID, epoch };
}

/** A room without its pushers. */
export function roomOf(row: RoomRow): Room {
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

/** A room with its pushers, the creator first. */
export function roomWithPushersOf(row: RoomAndPushersRow): RoomWithPushers {
  const room = roomOf(row);
  const pushers = (JSON.parse(row.pushers) as readonly PusherRow[]).map(pusherOf);
  return { room, pushers: creatorFirst(room, pushers) };
}

function pusherOf(row: PusherRow): Pusher {
  const [userID, userName, userAvatar, pushURL, streamID, joinedAtMs, updatedAtMs] = row;
  return { userID, userName, userAvatar, pushURL, streamID, joinedAtMs, updatedAtMs };
}

/** One of the audience. */
export function audienceOf(row: AudienceRow): Audience {
  return { userID: row.user_id, userInfo: row.user_info };
}
