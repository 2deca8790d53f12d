import * as z from 'zod';
import * as fields from '../_meeting_fields.ts';
import { meetingEndpoint } from './_webrtc_room.ts';

export default meetingEndpoint({
  summary:
    'Make a numbered room and be its first member. webexe_room: a number that is taken is replaced by a free one.',
  input: z.object({
    userID: fields.MeetingUserID,
    roomInfo: fields.MeetingInfo,
    nickName: fields.NickName.nullish(),
    roomType: fields.RoomType.nullish(),
    roomID: fields.NewRoomNumber.nullish(),
    needHeartBeat: fields.Flag.nullish(),
  }),
  output: fields.AdmissionView.extend({ roomInfo: z.string() }),
  errors: ['parameter_invalid', 'user_id_refused', 'room_info_too_long'],
  async handle({ kind, input }, { meetings, rules }) {
    const { userID, roomInfo, nickName, roomType, roomID, needHeartBeat } = input;
    const isPC = kind === 'webexe_room';
    const admission = await meetings.create({
      kind,
      roomID: isPC ? (roomID ?? '') : '',
      roomInfo,
      roomType: roomType ?? '',
      needsHeartbeat: isPC ? (needHeartBeat ?? true) : true,
      endsWithCreator: rules[kind].creatorCanDestroyRoom,
      userID,
      nickName: nickName ?? '',
    });
    return { userID, roomInfo, ...admission };
  },
});
