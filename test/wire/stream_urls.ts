import { createHash } from 'node:crypto';
import { WIRE_CONFIG } from './wire_service.ts';

const { live } = WIRE_CONFIG;
/** How far in the past of the case a fresh signature may have been made. */
const FRESH_S = 300;

/** The stream a push URL names: behind its last `/`, before its `?`. */
export function streamIDOf(pushURL: string): string {
  const [bare = ''] = pushURL.split('?');
  return bare.slice(bare.lastIndexOf('/') + 1);
}

/** The play URL of the stream of a push URL, without a signature. */
export function playURLOf(
  pushURL: string,
  { scheme, extension }: { readonly scheme: string; readonly extension: string },
): string {
  const dot = extension === '' || extension.startsWith('.') ? '' : '.';
  return `${scheme}://${live.playHost}/live/${streamIDOf(pushURL)}${dot}${extension}`;
}

/** What is wrong with a URL that should play the stream of a push URL, freshly signed. */
export function faultOfAccelerateURL(
  url: unknown,
  { pushURL, nowMs }: { readonly pushURL: string; readonly nowMs: number },
): string | undefined {
  const streamID = streamIDOf(pushURL);
  const [, host, name, bizid, txSecret, txTime = ''] =
    /^rtmp:\/\/([^/]+)\/live\/([^/?]+)\?bizid=(\d+)&txSecret=([0-9a-f]{32})&txTime=([0-9A-F]{8})$/.exec(
      String(url),
    ) ?? [];
  if (host !== live.playHost || name !== streamID || bizid !== String(live.bizid))
    return `an accelerate URL of ${streamID} on ${live.playHost}`;
  const endS = Math.floor(nowMs / 1000) + live.validTime;
  const endsAtS = Number.parseInt(txTime, 16);
  if (endsAtS > endS || endsAtS < endS - FRESH_S) return `a signature that ends about ${endS}`;
  const signed = live.pushSecretKey + streamID + txTime;
  const wanted = createHash('md5').update(signed).digest('hex');
  return txSecret === wanted ? undefined : `txSecret=${wanted}`;
}
