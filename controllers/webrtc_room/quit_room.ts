import * as z from 'zod';
import { Nothing } from '../_fields.ts';
import * as fields from '../_meeting_fields.ts';
import { meetingEndpoint } from './_webrtc_room.ts';

export default meetingEndpoint({
  summary: 'Leave a room; the last one out ends it. Succeeds for who was not in it too.',
  input: z.object({ userID: fields.MemberID, roomID: fields.MeetingRoomID }),
  output: Nothing,
  errors: ['parameter_invalid', 'room_not_found'],
  async handle({ kind, input }, { meetings }) {
    await meetings.quit({ kind, ...input });
    return {};
  },
});
