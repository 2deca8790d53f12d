import type { NewPusher, RoomRef } from './model.ts';

/** Why somebody left or a room ended; `kicked` and others join as their features arrive. */
export type Reason =
  | 'room_opened'
  | 'quit'
  | 'heartbeat_timeout'
  | 'creator_left'
  | 'last_pusher_left'
  | 'room_idle'
  | 'room_expired'
  | 'destroyed';

/** Somebody the log can name: a userID, or `system` for what nobody asked for. */
export type Actor = string;

export const SYSTEM: Actor = 'system';

/** What one event says beyond who, when and where. A reader can rebuild the room from these alone. */
export type EventBody =
  | {
      readonly type: 'room_created';
      readonly data: {
        readonly creator: string;
        readonly info: string;
        readonly endsWithCreator: boolean;
        readonly roomType: string;
        readonly needsHeartbeat: boolean;
      };
    }
  | { readonly type: 'room_activated'; readonly data: Readonly<Record<string, never>> }
  | {
      readonly type: 'pusher_joined';
      readonly reason?: 'room_opened';
      readonly data: NewPusher;
    }
  | { readonly type: 'pusher_updated'; readonly data: NewPusher }
  | {
      readonly type: 'pusher_left';
      readonly reason: Reason;
      readonly data: { readonly userID: string; readonly userName: string };
    }
  | { readonly type: 'status_changed'; readonly data: { readonly status: number } }
  | {
      readonly type: 'audience_joined' | 'audience_updated';
      readonly data: { readonly userID: string; readonly userInfo: string };
    }
  | { readonly type: 'audience_left'; readonly data: { readonly userID: string } }
  | {
      readonly type: 'custom_changed';
      readonly data: { readonly fieldName: string; readonly custom: string };
    }
  | {
      readonly type: 'room_destroyed';
      readonly reason: Reason;
      readonly data: Readonly<Record<string, never>>;
    };

/** An event as it stands in the log: numbered without gaps within one life of a room. */
export type RoomEvent = EventBody &
  RoomRef & {
    /** Place in the whole log; grows, may have gaps. */
    readonly id: number;
    readonly epoch: number;
    readonly seq: number;
    readonly atMs: number;
    readonly actor: Actor;
  };
