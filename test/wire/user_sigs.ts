import { createHmac } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';

/** What a v2 userSig states, and the key it is signed with. */
export interface SigClaims {
  readonly userID: string;
  readonly sdkAppID: number;
  readonly timeS: number;
  readonly expireS: number;
  readonly key: string;
}

/** A v2 userSig as the clients' own servers make it: another implementation than the service's. */
export function userSigOf(claims: SigClaims): string {
  const document = {
    'TLS.ver': '2.0',
    'TLS.identifier': claims.userID,
    'TLS.sdkappid': claims.sdkAppID,
    'TLS.time': claims.timeS,
    'TLS.expire': claims.expireS,
    'TLS.sig': signatureOf(claims),
  };
  return deflateSync(JSON.stringify(document))
    .toString('base64')
    .replaceAll('+', '*')
    .replaceAll('/', '-')
    .replaceAll('=', '_');
}

/** What a v2 userSig states, if it was signed with this key. */
export function claimsOfSig(userSig: string, key: string): SigClaims | undefined {
  const base64 = userSig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  const document = JSON.parse(inflateSync(Buffer.from(base64, 'base64')).toString('utf8'));
  const claims: SigClaims = {
    userID: document['TLS.identifier'],
    sdkAppID: document['TLS.sdkappid'],
    timeS: document['TLS.time'],
    expireS: document['TLS.expire'],
    key,
  };
  return document['TLS.sig'] === signatureOf(claims) ? claims : undefined;
}

function signatureOf({ userID, sdkAppID, timeS, expireS, key }: SigClaims): string {
  const text = [
    `TLS.identifier:${userID}`,
    `TLS.sdkappid:${sdkAppID}`,
    `TLS.time:${timeS}`,
    `TLS.expire:${expireS}`,
    '',
  ].join('\n');
  return createHmac('sha256', key).update(text).digest('base64');
}
