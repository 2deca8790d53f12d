import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomNamedIn } from './_room.ts';

export default roomEndpoint({
  summary: 'Leave a room. First generation: the room ends when its creator leaves.',
  input: z.object({ roomID: fields.RoomID, userID: fields.UserID }),
  output: fields.Nothing,
  errors: ['parameter_invalid', 'not_member_leaving'],
  async handle(call, { rooms }) {
    const member = { ...roomNamedIn(call), userID: call.input.userID };
    await rooms.removePusher({ member, endsWithCreator: call.dialect === 'A' });
    return {};
  },
});
