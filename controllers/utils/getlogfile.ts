import * as z from 'zod';
import { ApiError } from '../../logic/errors.ts';
import { RawReply } from '../../routes/endpoint.ts';
import { utilsEndpoint } from './_utils.ts';

export default utilsEndpoint({
  summary: 'A log file, by a name from the list.',
  input: z.object({ file: z.string().max(256).optional() }),
  output: 'raw',
  errors: ['admin_required', 'bad_request', 'log_file_not_found'],
  async handle({ input }, { logFiles }) {
    if (!input.file) throw new ApiError('bad_request', 'no file');
    const opened = await logFiles.open(input.file);
    if (opened === undefined)
      throw new ApiError('log_file_not_found', 'Only names from logfilelist can be read.');
    return new RawReply({ type: 'text/plain; charset=utf-8', body: opened.stream });
  },
});
