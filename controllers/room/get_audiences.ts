import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomNamedIn } from './_room.ts';

export default roomEndpoint({
  summary: 'How many watch a room, and the first of them.',
  input: z.object({ roomID: fields.RoomID }),
  output: z.object({ audienceCount: z.number(), audiences: z.array(fields.AudienceView) }),
  errors: ['parameter_invalid'],
  async handle(call, { rooms }) {
    const { count, audiences } = await rooms.readAudiences(roomNamedIn(call));
    return { audienceCount: count, audiences: [...audiences] };
  },
});
