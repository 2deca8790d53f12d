/** The fields of requests and replies, once for all endpoints. */
import * as z from 'zod';
import type { ErrorName } from '../logic/errors.ts';
import { FORBIDDEN_IDS, ROOM_ID_PATTERN, USER_ID_PATTERN } from '../logic/model.ts';

const ROOM_INFO_BYTES_MAX = 1_024;
const ROOM_ID_LENGTH_MAX = 256;

/** Clients send ids and numbers in either form. No database keeps a NUL as text in good faith. */
export function text(check: z.ZodString) {
  const asText = (value: unknown) => (isExact(value) ? String(value) : value);
  return z.preprocess(
    asText,
    check.refine((value) => !value.includes('\0')),
  );
}

/** Digits beyond these were lost on the way: such a number would name somebody else. */
function isExact(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

const boundedText = (lengthMax: number) => text(z.string().max(lengthMax));

/** Not one of the names that objects have by themselves. */
export const isFreeID = (id: string) => !FORBIDDEN_IDS.has(id);

export const UserID = text(
  z.string().regex(USER_ID_PATTERN).refine(isFreeID).meta({ description: 'Id of a user.' }),
);

/** Names a room that may or may not exist; '' names none. */
export const RoomID = boundedText(ROOM_ID_LENGTH_MAX);

/** An id that a room may get; '' or absent: the service makes one. */
export const NewRoomID = text(
  z.string().refine((id) => id === '' || (ROOM_ID_PATTERN.test(id) && isFreeID(id))),
);

export const RoomInfo = text(
  z.string().refine((info) => Buffer.byteLength(info) <= ROOM_INFO_BYTES_MAX, {
    params: { failure: 'room_info_too_long' satisfies ErrorName },
    error: `At most ${ROOM_INFO_BYTES_MAX} bytes of UTF-8.`,
  }),
);

export const UserName = boundedText(256);
export const UserAvatar = boundedText(1_024);
export const UserInfo = boundedText(4_096);
export const PushURL = text(z.string().min(1).max(1_024));

/** A count or an offset, as a number or as digits. */
export const WholeNumber = z.preprocess(
  (value) => (typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value),
  z.number().int(),
);

export const Offset = WholeNumber.pipe(z.number().min(0));

export const FieldName = text(
  z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .refine(isFreeID),
);

export const FieldValue = z.union([z.string().max(1_024), z.number(), z.boolean()]);

export const PusherView = z.object({
  userID: z.string(),
  userName: z.string(),
  userAvatar: z.string(),
  accelerateURL: z.string(),
});

export const RoomView = z.object({
  roomID: z.string(),
  roomName: z.string(),
  roomInfo: z.string(),
  roomCreator: z.string(),
  mixedPlayURL: z.string(),
  custom: z.string(),
  audienceCount: z.number().optional(),
  pushers: z.array(PusherView),
});

export const AudienceView = z.object({ userID: z.string(), userInfo: z.string() });

export const LoginView = z.object({
  userID: z.string(),
  sdkAppID: z.number(),
  accType: z.string(),
  accountType: z.string(),
  userSig: z.string(),
});

export const Nothing = z.object({});
