import * as z from 'zod';
import { ApiError } from '../../logic/errors.ts';
import { USER_ID_PATTERN } from '../../logic/model.ts';
import * as fields from '../_fields.ts';
import { missing, roomEndpoint } from './_room.ts';

/** Whatever it holds, a sig that is none is a refused login and not a missing parameter. */
const Text = z.string().optional();

export default roomEndpoint({
  summary:
    'Exchange a userSig for a token. In open mode a first-generation client gets both for its userID.',
  access: 'anyone',
  from: 'query',
  input: z.object({ sdkAppID: Text, accountType: Text, userID: Text, userSig: Text }),
  output: fields.LoginView.partial().extend({ token: z.string(), userID: z.string() }),
  errors: ['parameter_invalid', 'login_refused', 'user_id_refused'],
  async handle({ dialect, input }, { logins, sessions }) {
    const { sdkAppID, accountType, userID, userSig } = input;
    if (dialect === 'A' && logins.isOpen) {
      if (userID === undefined || !USER_ID_PATTERN.test(userID)) throw missing('userID');
      const info = logins.infoOf(userID);
      return { ...info, token: await sessions.open(userID) };
    }
    if (!sdkAppID || accountType === undefined || !userID || !userSig) throw incomplete();
    return { token: await logins.login({ sdkAppID, accountType, userID, userSig }), userID };
  },
});

function incomplete(): ApiError {
  const result = '请求参数不全，请检查sdkAppID，accountType，userID，userSig参数是否都存在';
  return new ApiError('login_refused', 'The query must carry all four.', { reply: { result } });
}
