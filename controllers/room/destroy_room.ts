import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomNamedIn } from './_room.ts';

export default roomEndpoint({
  summary: 'End a room; only its creator may.',
  input: z.object({ roomID: fields.RoomID, userID: fields.UserID }),
  output: fields.Nothing,
  errors: ['parameter_invalid', 'not_creator'],
  async handle(call, { rooms }) {
    await rooms.destroy({ ...roomNamedIn(call), userID: call.input.userID });
    return {};
  },
});
