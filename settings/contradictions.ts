import type { Settings } from './schema.ts';
import { hasImKey } from './tencent_keys.ts';

/** Keys that are right by themselves, but not together. */
export interface Contradiction {
  /** The key to change comes first. */
  readonly between: readonly [string, ...string[]];
  readonly text: string;
}

/** Every contradiction in settings whose values are right one by one. */
export function contradictionsIn(settings: Settings): readonly Contradiction[] {
  const { https, live, im, node, process: processes, mysql, auth } = settings;
  const wantsTencent = im.driver === 'tencent';
  const ids = auth.services.map(({ id }) => id);
  const rules: readonly (Contradiction & { readonly broken: boolean })[] = [
    {
      broken: https.cert === '' && https.key !== '',
      between: ['https.cert', 'https.key'],
      text: 'expected the certificate that belongs to https.key, got nothing',
    },
    {
      broken: https.cert !== '' && https.key === '',
      between: ['https.key', 'https.cert'],
      text: 'expected the key that belongs to https.cert, got nothing',
    },
    {
      broken: live.bizid > 0 && live.pushSecretKey.isEmpty,
      between: ['live.pushSecretKey', 'live.bizid'],
      text: 'expected the key that belongs to live.bizid, got nothing',
    },
    {
      broken: wantsTencent && im.sdkAppID === 0,
      between: ['im.sdkAppID', 'im.driver'],
      text: 'expected an id, because im.driver is tencent, got 0',
    },
    {
      broken: wantsTencent && !hasImKey(settings),
      between: ['im.secretKey', 'im.privateKey', 'im.driver'],
      text: 'expected this or im.privateKey, because im.driver is tencent, got nothing',
    },
    {
      broken: node.warnLoad > node.maxLoad,
      between: ['node.warnLoad', 'node.maxLoad'],
      text: `expected at most node.maxLoad, which is ${node.maxLoad}, got ${node.warnLoad}`,
    },
    {
      broken: processes.workers > 1 && mysql.host === '',
      between: ['process.workers', 'mysql.host'],
      text: `expected 1, because several processes need mysql.host, got ${processes.workers}`,
    },
    {
      broken: new Set(ids).size < ids.length,
      between: ['auth.services'],
      text: `expected every id once, got ${ids.join(', ')}`,
    },
  ];
  return rules.filter(({ broken }) => broken);
}
