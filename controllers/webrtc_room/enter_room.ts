import * as z from 'zod';
import { WholeNumber } from '../_fields.ts';
import * as fields from '../_meeting_fields.ts';
import { meetingEndpoint } from './_webrtc_room.ts';

export default meetingEndpoint({
  summary: 'Enter a room, or enter again; a member keeps his seat when the room is full.',
  input: z.object({
    userID: fields.MeetingUserID,
    roomID: fields.MeetingRoomID,
    nickName: fields.NickName.nullish(),
    status: WholeNumber.nullish(),
  }),
  output: fields.AdmissionView,
  errors: ['parameter_invalid', 'user_id_refused', 'room_not_found', 'room_full'],
  async handle({ kind, input }, { meetings }) {
    const { userID, roomID, nickName, status } = input;
    const member = { kind, roomID, userID };
    const admission = await meetings.enter({
      member,
      nickName: nickName ?? undefined,
      status: kind === 'webexe_room' ? (status ?? undefined) : undefined,
    });
    return { userID, ...admission };
  },
});
