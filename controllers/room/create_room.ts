import * as z from 'zod';
import type { Call, Services } from '../../routes/endpoint.ts';
import * as fields from '../_fields.ts';
import { missing, pusherIn, roomEndpoint } from './_room.ts';

const Input = z.object({
  userID: fields.UserID,
  roomID: fields.NewRoomID.optional(),
  roomInfo: fields.RoomInfo.optional(),
  roomName: fields.RoomInfo.optional(),
  userName: fields.UserName.optional(),
  userAvatar: fields.UserAvatar.optional(),
  pushURL: fields.PushURL.optional(),
});

type Input = z.output<typeof Input>;

export default roomEndpoint({
  summary:
    'Make a room. With roomName (first generation) the caller pushes at once; with roomInfo the room waits for its first pusher.',
  input: Input,
  output: z.object({ roomID: z.string() }),
  errors: ['parameter_invalid', 'room_info_too_long', 'room_exists', 'im_unavailable'],
  handle(call, services) {
    const { dialect, input } = call;
    return dialect === 'A' && input.roomName !== undefined
      ? createActive(call, services)
      : createInactive(call, services);
  },
});

function createActive({ kind, dialect, input }: Call<Input>, { rooms, live }: Services) {
  const { userID, roomName, userName, userAvatar, pushURL } = input;
  if (!roomName) throw missing('roomName');
  if (userName === undefined) throw missing('userName');
  if (userAvatar === undefined) throw missing('userAvatar');
  if (pushURL === undefined) throw missing('pushURL');
  const firstPusher = pusherIn({ userID, userName, userAvatar, pushURL }, { dialect, live });
  const room = { kind, creator: userID, info: roomName, endsWithCreator: true, firstPusher };
  return rooms.create({ ...room, ...idOf(input) });
}

function createInactive({ kind, dialect, input }: Call<Input>, { rooms, rules }: Services) {
  const { userID, roomInfo } = input;
  if (roomInfo === undefined) throw missing('roomInfo');
  const endsWithCreator = dialect === 'A' || rules[kind].creatorCanDestroyRoom;
  return rooms.create({ kind, creator: userID, info: roomInfo, endsWithCreator, ...idOf(input) });
}

function idOf({ roomID }: Input) {
  return roomID ? { roomID } : {};
}
