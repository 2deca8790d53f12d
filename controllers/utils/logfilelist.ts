import { RawReply } from '../../routes/endpoint.ts';
import * as fields from '../_fields.ts';
import { utilsEndpoint } from './_utils.ts';

export default utilsEndpoint({
  summary: 'A page with a link to every log file.',
  input: fields.Nothing,
  output: 'raw',
  errors: ['admin_required'],
  async handle(_call, { logFiles }) {
    const lines = (await logFiles.list()).map(({ name, bytes }) => {
      const href = `${logFiles.selfHost}/weapp/utils/getlogfile?file=${encodeURIComponent(name)}`;
      return `<a href="${escapeHTML(href)}">${escapeHTML(name)} ( ${Math.ceil(bytes / 1024)}KB )</a><br>`;
    });
    return new RawReply({ type: 'text/html; charset=utf-8', body: lines.join('\n') });
  },
});

function escapeHTML(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
