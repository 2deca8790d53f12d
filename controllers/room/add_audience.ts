import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomNamedIn } from './_room.ts';

export default roomEndpoint({
  summary: 'Watch a room. Everybody is counted once, the first ones are listed.',
  input: z.object({ roomID: fields.RoomID, userID: fields.UserID, userInfo: fields.UserInfo }),
  output: fields.Nothing,
  errors: ['parameter_invalid', 'room_not_found'],
  async handle(call, { rooms }) {
    const { userID, userInfo } = call.input;
    await rooms.addAudience(roomNamedIn(call), { userID, userInfo });
    return {};
  },
});
