import * as z from 'zod';
import { ApiError } from '../../logic/errors.ts';
import * as fields from '../_fields.ts';
import { systemEndpoint } from './_system.ts';

export default systemEndpoint({
  summary:
    'Whether requests should be sent here: not while the service stops or its database is away.',
  input: fields.Nothing,
  output: z.object({ status: z.literal('ready') }),
  errors: ['draining', 'store_unavailable'],
  async handle(_call, { readiness }) {
    const status = await readiness.check();
    if (status !== 'ready') throw new ApiError(status, 'Not ready.');
    return { status };
  },
});
