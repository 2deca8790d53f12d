import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomNamedIn } from './_room.ts';

export default roomEndpoint({
  summary:
    'Say that you are alive. The answer names the newest event of the room: a client that knows an older one should call get_pushers.',
  input: z.object({ roomID: fields.RoomID, userID: fields.UserID }),
  output: z.object({ seq: z.number(), epoch: z.number() }),
  errors: ['parameter_invalid', 'not_member'],
  async handle(call, { rooms }) {
    const { seq, epoch } = await rooms.heartbeat({
      ...roomNamedIn(call),
      userID: call.input.userID,
    });
    return { seq, epoch };
  },
});
