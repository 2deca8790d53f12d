import * as z from 'zod';
import * as fields from '../_fields.ts';
import { missing, roomEndpoint } from './_room.ts';

export default roomEndpoint({
  summary:
    'First generation: a user and the userSig to log in to IM with. Where tokens are needed, only for a WeChat code.',
  access: 'anyone',
  dialect: 'A',
  input: z.object({
    userIDPrefix: z.string().max(64).optional(),
    userID: fields.UserID.optional(),
    code: z.string().max(256).optional(),
  }),
  output: fields.LoginView,
  errors: ['parameter_invalid', 'login_refused', 'user_id_refused'],
  async handle({ input }, { logins }) {
    const { userIDPrefix = '', userID = '', code = '' } = input;
    if (userIDPrefix === '' && userID === '') throw missing('userIDPrefix');
    return logins.mint({ userID, code });
  },
});
