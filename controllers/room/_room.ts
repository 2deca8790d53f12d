import type * as z from 'zod';
import { ApiError, type Dialect } from '../../logic/errors.ts';
import type { NewPusher, RoomWithPushers } from '../../logic/model.ts';
import { type Call, endpointsUnder, type Place, type Services } from '../../routes/endpoint.ts';
import type { PusherView, RoomView } from '../_fields.ts';

const TYPED_KINDS = ['double_room', 'multi_room', 'live_room'] as const;

/** The first generation has one class of room on flat paths; both generations share the typed ones. */
const PLACES: readonly Place[] = [
  { prefix: '/weapp', kind: 'room', dialect: 'A' },
  { prefix: '', kind: 'room', dialect: 'A' },
  ...TYPED_KINDS.map((kind) => ({
    prefix: `/weapp/${kind}`,
    kind,
    dialect: 'by_query' as const,
  })),
];

export const roomEndpoint = endpointsUnder({ places: PLACES, access: 'client', method: 'POST' });

/** The room a call names. The first generation counts '' as missing, the second as unknown. */
export function roomNamedIn({ kind, dialect, input }: Call<{ readonly roomID: string }>) {
  const { roomID } = input;
  if (dialect === 'A' && roomID === '') throw missing('roomID');
  return { kind, roomID };
}

/** The pusher a call describes; its push URL must be one that a stream can be pushed to. */
export function pusherIn(
  fields: {
    readonly userID: string;
    readonly userName: string;
    readonly userAvatar: string;
    readonly pushURL: string;
  },
  { dialect, live }: { readonly dialect: Dialect; readonly live: Services['live'] },
): NewPusher {
  const { userID, userAvatar } = fields;
  const stream = live.readPushURL(fields.pushURL);
  if (stream === undefined)
    throw new ApiError('parameter_invalid', 'pushURL: expected an RTMP push URL.');
  const userName = dialect === 'A' ? fields.userName || userID : fields.userName;
  const streamID = stream.isOurs ? stream.streamID : '';
  return { userID, userName, userAvatar, pushURL: stream.bareURL, streamID };
}

/** A room as lists and members see it. Nobody sees another's push URL. */
export function roomView(
  { room, pushers }: RoomWithPushers,
  live: Services['live'],
): z.input<typeof RoomView> {
  return {
    roomID: room.roomID,
    roomName: room.info,
    roomInfo: room.info,
    roomCreator: room.creator,
    mixedPlayURL: live.mixedPlayURL(room.mixedStreamID),
    custom: room.custom,
    ...(room.kind === 'live_room' ? { audienceCount: room.audienceCount } : {}),
    pushers: pushers.map(
      ({ userID, userName, userAvatar, streamID, updatedAtMs }): z.input<typeof PusherView> => {
        const accelerateURL = live.accelerateURL({ streamID, signedAtMs: updatedAtMs });
        return { userID, userName, userAvatar, accelerateURL };
      },
    ),
  };
}

export function missing(field: string): ApiError {
  return new ApiError('parameter_invalid', `${field}: expected a value.`);
}
