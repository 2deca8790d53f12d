import * as z from 'zod';
import * as fields from '../_fields.ts';
import { utilsEndpoint } from './_utils.ts';

export default utilsEndpoint({
  summary:
    'A user and the userSig to log in to IM and here with. Where tokens are needed, only for a WeChat code.',
  access: 'anyone',
  input: z.object({
    userID: z.union([z.literal(''), fields.UserID]).optional(),
    userIDPrefix: z.string().max(64).optional(),
    code: z.string().max(256).optional(),
  }),
  output: fields.LoginView,
  errors: ['parameter_invalid', 'login_refused', 'user_id_refused'],
  async handle({ input }, { logins }) {
    return logins.mint({ userID: input.userID ?? '', code: input.code ?? '' });
  },
});
