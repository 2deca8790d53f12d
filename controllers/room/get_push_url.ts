import * as z from 'zod';
import * as fields from '../_fields.ts';
import { roomEndpoint } from './_room.ts';

export default roomEndpoint({
  summary: 'A signed URL to push a new stream to.',
  input: z.object({ userID: fields.UserID, roomID: fields.RoomID.optional() }),
  output: z.object({ pushURL: z.string() }),
  errors: ['parameter_invalid'],
  async handle({ input }, { live }) {
    return { pushURL: live.newPushURL({ userID: input.userID }) };
  },
});
