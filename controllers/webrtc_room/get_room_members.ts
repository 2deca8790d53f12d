import * as z from 'zod';
import * as fields from '../_meeting_fields.ts';
import { meetingEndpoint } from './_webrtc_room.ts';

export default meetingEndpoint({
  summary: 'Who is in a room, in the order they came.',
  input: z.object({ roomID: fields.MeetingRoomID }),
  output: z.object({ members: z.array(fields.MemberView) }),
  errors: ['parameter_invalid', 'room_not_found'],
  async handle({ kind, input }, { meetings }) {
    const members = await meetings.members({ kind, roomID: input.roomID });
    return { members: members.map(({ userID, userName: nickName }) => ({ userID, nickName })) };
  },
});
