import * as z from 'zod';
import * as fields from '../_fields.ts';
import { utilsEndpoint } from './_utils.ts';

export default utilsEndpoint({
  summary: 'Where the test clock stream is played from, accelerated.',
  access: 'admin_unless_open',
  input: fields.Nothing,
  output: z.object({ url_rtmpacc: z.string() }),
  errors: ['admin_required'],
  async handle(_call, { live }) {
    return { url_rtmpacc: live.testAccelerateURL() };
  },
});
