import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomView } from './_room.ts';

export default roomEndpoint({
  summary: 'A page of the rooms that have pushers, in the order they were made.',
  input: z.object({ index: fields.Offset, cnt: fields.WholeNumber }),
  output: z.object({ rooms: z.array(fields.RoomView) }),
  errors: ['parameter_invalid'],
  async handle({ kind, input }, { rooms, live }) {
    const page = await rooms.list({ kind, index: input.index, count: input.cnt });
    return { rooms: page.map((room) => roomView(room, live)) };
  },
});
