import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint, roomNamedIn, roomView } from './_room.ts';

export default roomEndpoint({
  summary: 'A room and who pushes in it, the creator first.',
  input: z.object({ roomID: fields.RoomID }),
  output: fields.RoomView,
  errors: ['parameter_invalid', 'room_not_found'],
  async handle(call, { rooms, live }) {
    return roomView(await rooms.read(roomNamedIn(call)), live);
  },
});
