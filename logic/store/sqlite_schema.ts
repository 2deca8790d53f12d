/** One entry per version, never edited once released: `user_version` counts how many have run. */
export const MIGRATIONS: readonly string[] = [
  `
  create table rooms (
    epoch integer primary key autoincrement,
    space text not null,
    kind text not null,
    room_id text not null,
    state text not null,
    creator text not null,
    info text not null,
    ends_with_creator integer not null,
    room_type text not null,
    needs_heartbeat integer not null,
    status integer not null,
    seq integer not null,
    pusher_count integer not null,
    audience_count integer not null,
    mixed_stream_id text not null,
    custom text not null,
    created_at_ms integer not null,
    reserved_until_ms integer not null
  ) strict;
  create unique index rooms_by_id on rooms (space, room_id);
  create index rooms_active on rooms (kind, room_type, epoch) where state = 'active';
  create index rooms_live on rooms (epoch) where state = 'active';
  create index rooms_unheard on rooms (created_at_ms) where needs_heartbeat = 0;
  create index rooms_inactive on rooms (kind, created_at_ms) where state = 'inactive';
  create index rooms_reserved on rooms (reserved_until_ms) where state = 'reserved';

  create table pushers (
    epoch integer not null,
    user_id text not null,
    position integer not null,
    user_name text not null,
    user_avatar text not null,
    push_url text not null,
    stream_id text not null,
    joined_at_ms integer not null,
    updated_at_ms integer not null,
    primary key (epoch, user_id)
  ) strict, without rowid;

  create table audiences (
    epoch integer not null,
    user_id text not null,
    position integer not null,
    user_info text not null,
    primary key (epoch, user_id)
  ) strict, without rowid;
  create index audiences_by_position on audiences (epoch, position);

  create table events (
    id integer primary key autoincrement,
    epoch integer not null,
    seq integer not null,
    kind text not null,
    room_id text not null,
    type text not null,
    reason text,
    actor text not null,
    at_ms integer not null,
    data text not null
  ) strict;
  create unique index events_by_room on events (epoch, seq);
  create index events_by_time on events (at_ms);

  create table outbox (
    sink text not null,
    epoch integer not null,
    kind text not null,
    space text not null,
    room_id text not null,
    from_seq integer not null,
    to_seq integer not null,
    closed integer not null,
    attempt integer not null,
    claimed integer not null,
    due_at_ms integer not null,
    primary key (sink, epoch)
  ) strict, without rowid;
  create index outbox_due on outbox (sink, due_at_ms);
  create index outbox_closing on outbox (sink, space, room_id) where closed = 1;

  create table tokens (
    hash text primary key,
    user_id text not null,
    expires_at_ms integer not null
  ) strict, without rowid;
  create index tokens_by_user on tokens (user_id, expires_at_ms);
  create index tokens_by_end on tokens (expires_at_ms);
  `,
];
