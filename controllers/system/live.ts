import * as z from 'zod';
import * as fields from '../_fields.ts';
import { systemEndpoint } from './_system.ts';

export default systemEndpoint({
  summary:
    'Whether the process answers at all. It asks nothing else, so an outage elsewhere never restarts it.',
  input: fields.Nothing,
  output: z.object({ status: z.literal('live') }),
  errors: [],
  async handle() {
    return { status: 'live' as const };
  },
});
