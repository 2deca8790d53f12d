/**
 * The fields of the third and fourth dialect, which have rules of their own for users. Their
 * clients come from a language where null is how a field is left out.
 */
import * as z from 'zod';
import type { ErrorName } from '../logic/errors.ts';
import { ROOM_NUMBER_MAX } from '../logic/model.ts';
import { isFreeID, RoomInfo, text } from './_fields.ts';

const MEETING_USER_PATTERN = /^[a-zA-Z][a-zA-Z0-9_]{3,23}$/;

/** A malformed id has a code of its own, and a missing one comes before it. */
export const MeetingUserID = text(
  z
    .string()
    .min(1)
    .refine((id) => MEETING_USER_PATTERN.test(id) && isFreeID(id), {
      params: { failure: 'user_id_refused' satisfies ErrorName },
      error: 'A letter, then 3 to 23 letters, digits or "_".',
    }),
);

/** Names somebody who may or may not be in a room. */
export const MemberID = text(z.string().min(1).max(256));

export const MeetingRoomID = text(z.string().min(1).max(256));

/** A number a room may get; '' or absent: the service picks one. */
export const NewRoomNumber = text(
  z
    .string()
    .refine((id) => id === '' || (/^[1-9]\d{1,9}$/.test(id) && Number(id) <= ROOM_NUMBER_MAX)),
);

export const MeetingInfo = RoomInfo.pipe(z.string().min(1));

export const NickName = text(z.string().max(256));

export const RoomType = text(z.string().max(64));

/** Java clients send 0 and 1 as well. */
export const Flag = z.preprocess(
  (value) =>
    value === 0 || value === 1 || value === '0' || value === '1' ? Number(value) === 1 : value,
  z.boolean(),
);

export const AdmissionView = z.object({
  userID: z.string(),
  roomID: z.string(),
  privateMapKey: z.string(),
});

export const MemberView = z.object({ userID: z.string(), nickName: z.string() });

export const MeetingView = z.object({
  roomID: z.string(),
  roomCreator: z.string(),
  roomInfo: z.string(),
  status: z.number().optional(),
});

export const MintInput = z.object({
  userID: z.preprocess((id) => (id === '' ? undefined : id), MeetingUserID.nullish()),
  code: z.string().max(256).nullish(),
});
