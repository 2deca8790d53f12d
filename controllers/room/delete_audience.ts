import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomNamedIn } from './_room.ts';

export default roomEndpoint({
  summary: 'Stop watching a room; succeeds for whoever did not watch it too.',
  input: z.object({ roomID: fields.RoomID, userID: fields.UserID }),
  output: fields.Nothing,
  errors: ['parameter_invalid'],
  async handle(call, { rooms }) {
    await rooms.removeAudience({ ...roomNamedIn(call), userID: call.input.userID });
    return {};
  },
});
