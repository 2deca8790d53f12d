import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomNamedIn } from './_room.ts';

export default roomEndpoint({
  summary: 'The custom fields of a room, as JSON text.',
  input: z.object({ roomID: fields.RoomID }),
  output: z.object({ custom: z.string(), customInfo: z.string() }),
  errors: ['parameter_invalid', 'room_not_found'],
  async handle(call, { rooms }) {
    const custom = await rooms.readCustom(roomNamedIn(call));
    return { custom, customInfo: custom };
  },
});
