import type { Settings } from './schema.ts';

/** Whether userSigs are signed with a key of the operator. */
export function hasImKey({ im }: Settings): boolean {
  return !im.secretKey.isEmpty || !im.privateKey.isEmpty;
}

/** Whether Tencent's IM can be used. */
export function hasTencentIm(settings: Settings): boolean {
  return settings.im.sdkAppID > 0 && hasImKey(settings);
}

/** Whether there are no real Tencent keys, so that nothing is at stake. */
export function isDevelopment(settings: Settings): boolean {
  return !hasTencentIm(settings) && !hasTencentLive(settings);
}

function hasTencentLive({ live }: Settings): boolean {
  return (live.bizid > 0 || live.pushHost !== '') && !live.pushSecretKey.isEmpty;
}
