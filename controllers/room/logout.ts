import * as fields from '../_fields.ts';
import { roomEndpoint } from './_room.ts';

export default roomEndpoint({
  summary: 'End the session of the token; other sessions of the user go on.',
  input: fields.Nothing,
  output: fields.Nothing,
  errors: ['token_missing', 'token_malformed', 'token_unknown', 'token_mismatch'],
  async handle({ token }, { sessions }) {
    if (token !== '') await sessions.revoke(token);
    return {};
  },
});
