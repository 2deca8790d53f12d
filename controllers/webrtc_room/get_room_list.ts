import * as z from 'zod';
import { Offset, WholeNumber } from '../_fields.ts';
import * as fields from '../_meeting_fields.ts';
import { meetingEndpoint } from './_webrtc_room.ts';

const COUNT = 10;

export default meetingEndpoint({
  summary: 'A page of the rooms of exactly this type, in the order they were made.',
  input: z.object({
    index: Offset.nullish(),
    count: WholeNumber.nullish(),
    roomType: fields.RoomType.nullish(),
  }),
  output: z.object({ rooms: z.array(fields.MeetingView) }),
  errors: ['parameter_invalid'],
  async handle({ kind, input }, { rooms }) {
    const page = await rooms.list({
      kind,
      roomType: input.roomType ?? '',
      index: input.index ?? 0,
      count: input.count ?? COUNT,
    });
    const isPC = kind === 'webexe_room';
    return {
      rooms: page.map(({ room: { roomID, creator: roomCreator, info: roomInfo, status } }) => {
        return { roomID, roomCreator, roomInfo, ...(isPC ? { status } : {}) };
      }),
    };
  },
});
