import * as z from 'zod';
import { Nothing } from '../_fields.ts';
import * as fields from '../_meeting_fields.ts';
import { webexeEndpoint } from '../webrtc_room/_webrtc_room.ts';

export default webexeEndpoint({
  summary:
    'End a room; one that is gone has ended already. Where tokens are needed, only its members may.',
  input: z.object({ roomID: fields.MeetingRoomID }),
  output: Nothing,
  errors: ['parameter_invalid', 'not_creator'],
  async handle({ kind, callerID, isProven, input }, { meetings }) {
    await meetings.end({ ref: { kind, roomID: input.roomID }, callerID, isProven });
    return {};
  },
});
