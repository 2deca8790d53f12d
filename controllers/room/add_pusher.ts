import * as z from 'zod';
import { ApiError } from '../../logic/errors.ts';
import * as fields from '../_fields.ts';
import { missing, pusherIn, roomEndpoint } from './_room.ts';

export default roomEndpoint({
  summary:
    'Take a seat in a room, or refresh the one you have. Second generation: a missing room is made.',
  input: z.object({
    roomID: fields.RoomID,
    userID: fields.UserID,
    userName: fields.UserName,
    userAvatar: fields.UserAvatar,
    pushURL: fields.PushURL,
    roomInfo: fields.RoomInfo.optional(),
  }),
  output: z.object({ roomID: z.string() }),
  errors: [
    'parameter_invalid',
    'room_info_too_long',
    'room_not_found',
    'room_full',
    'im_unavailable_joining',
  ],
  async handle({ kind, dialect, input }, { rooms, rules, live }) {
    const { roomID } = input;
    if (roomID === '') throw missing('roomID');
    const ref = { kind, roomID };
    const pusher = pusherIn(input, { dialect, live });
    if (dialect === 'A') {
      await rooms.addPusher({ ref, pusher });
      return { roomID };
    }
    if (!fields.NewRoomID.safeParse(roomID).success)
      throw new ApiError('parameter_invalid', 'roomID: no room can have this id.');
    const endsWithCreator = rules[kind].creatorCanDestroyRoom;
    const autoCreate = { info: input.roomInfo ?? '', endsWithCreator };
    await rooms.addPusher({ ref, pusher, autoCreate });
    return { roomID };
  },
});
