import { RawReply } from '../../routes/endpoint.ts';
import * as fields from '../_fields.ts';
import { utilsEndpoint } from './_utils.ts';

export default utilsEndpoint({
  summary: 'Try the configured IM and live accounts, and name every unsafe setting.',
  input: fields.Nothing,
  output: 'raw',
  errors: ['admin_required'],
  async handle(_call, { configCheck }) {
    const report = { code: 0, message: '请求成功', ...(await configCheck.run()) };
    return new RawReply({ type: 'application/json; charset=utf-8', body: JSON.stringify(report) });
  },
});
