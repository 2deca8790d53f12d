import { LoginView } from '../_fields.ts';
import * as fields from '../_meeting_fields.ts';
import { webexePage } from '../webrtc_room/_webrtc_room.ts';

const SIG_LIFE_MS = 86_400_000;

export default webexePage({
  summary:
    'A user and the userSig to log in with. Where tokens are needed, only for a WeChat code.',
  access: 'anyone',
  input: fields.MintInput,
  output: LoginView,
  errors: ['parameter_invalid', 'user_id_refused', 'login_refused'],
  async handle({ input }, { logins }) {
    const { userID, code } = input;
    return logins.mint({ userID: userID ?? '', code: code ?? '', lifeMaxMs: SIG_LIFE_MS });
  },
});
