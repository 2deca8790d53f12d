import * as z from 'zod';
import { Nothing } from '../_fields.ts';
import * as fields from '../_meeting_fields.ts';
import { meetingEndpoint } from './_webrtc_room.ts';

export default meetingEndpoint({
  summary:
    'Say that you are alive. Who was removed for silence less than a minute ago comes back by it, if there is space.',
  input: z.object({ userID: fields.MemberID, roomID: fields.MeetingRoomID }),
  output: Nothing,
  errors: ['parameter_invalid', 'room_not_found', 'not_member'],
  async handle({ kind, input }, { meetings }) {
    await meetings.heartbeat({ kind, ...input });
    return {};
  },
});
