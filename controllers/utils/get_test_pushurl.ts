import * as z from 'zod';
import * as fields from '../_fields.ts';
import { utilsEndpoint } from './_utils.ts';

export default utilsEndpoint({
  summary: 'A stream to try things out with: where to push it and the ways to play it.',
  access: 'admin_unless_open',
  input: fields.Nothing,
  output: z.object({
    url_push: z.string(),
    url_play_flv: z.string(),
    url_play_rtmp: z.string(),
    url_play_hls: z.string(),
    url_play_acc: z.string(),
  }),
  errors: ['admin_required'],
  async handle(_call, { live }) {
    return { ...live.testURLs() };
  },
});
