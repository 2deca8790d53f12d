import type { ImErrorAbout, ImErrorKind } from './im_mgr.ts';

/**
 * What Tencent IM means by its ErrorCodes, as far as its pages on REST errors say
 * (cloud.tencent.com/document/product/269/1671).
 */
export const CODE = {
  argumentIsBad: 10004,
  groupIsUnknown: 10010,
  callbackRefused: 10016,
  groupIsTaken: 10021,
  groupIsOurs: 10025,
  planLacksIt: 60020,
} as const;

export interface CodeVerdict {
  readonly kind: ImErrorKind;
  readonly about: Exclude<ImErrorAbout, 'network'>;
}

/** A code nobody has written down is final: it is how a command that is not open to us would look. */
export function verdictOf(errorCode: number): CodeVerdict {
  if (isPassing(errorCode) || TOO_OFTEN_CODES.has(errorCode)) {
    return { kind: 'retry', about: 'request' };
  }
  if (GROUP_CODES.has(errorCode)) return { kind: 'final', about: 'group' };
  if (isCredentialCode(errorCode)) return { kind: 'final', about: 'credentials' };
  return { kind: 'final', about: 'request' };
}

/** Trouble inside the cloud that passes by itself; the call may have been carried out or not. */
export function isPassing(errorCode: number): boolean {
  return PASSING_CODES.has(errorCode);
}

/** One sentence for the operator on what to repair. */
export function hintOf(errorCode: number): string {
  return HINT_OF_CODE.get(errorCode) ?? GENERAL_HINT[verdictOf(errorCode).about];
}

const PASSING_CODES: ReadonlySet<number> = new Set([
  10002, 60008, 60014, 70169, 70202, 70500, 90992, 90994, 90995, 91000,
]);

/** Too many calls: repeating helps later, and at once makes it worse. */
const TOO_OFTEN_CODES: ReadonlySet<number> = new Set([10006, 10023, 60007, 60011, 60018, 60019]);

/** No such group, or an id that can be none. */
const GROUP_CODES: ReadonlySet<number> = new Set([CODE.groupIsUnknown, 10015]);

/** The app, its administrator, its key, its plan or the shape of every call: no group is better off. */
function isCredentialCode(code: number): boolean {
  return (
    (code >= 60002 && code <= 60006) ||
    code === 60010 ||
    (code >= 60012 && code <= 60021) ||
    (code >= 70000 && code < 70200)
  );
}

const WRONG_KEY =
  'The userSig does not fit: check im.sdkAppID and im.secretKey (or im.privateKey).';
const WRONG_PLACE =
  'This sdkAppID is not known here: check im.sdkAppID, and that im.host is of its data centre.';
const APP_DISABLED =
  'The app is disabled: look into the IM console for its state and unpaid bills.';
const NO_MORE_GROUPS =
  'The plan of this app allows no more groups: destroy unused ones in the IM console, or upgrade.';
const TOO_OFTEN = 'The app calls more often than its plan allows: try again later, or upgrade.';

const HINT_OF_CODE: ReadonlyMap<number, string> = new Map([
  [10007, 'The plan of this app does not include this call: look it up in the IM console.'],
  [10016, 'A callback that is set up in the IM console refused the call.'],
  [10036, NO_MORE_GROUPS],
  [10037, NO_MORE_GROUPS],
  [10038, NO_MORE_GROUPS],
  [10058, NO_MORE_GROUPS],
  [60006, APP_DISABLED],
  [60010, 'im.administrator is not an administrator of this app: add it in the IM console.'],
  [60016, APP_DISABLED],
  [60017, APP_DISABLED],
  [60020, 'The plan of this app has expired or does not include this call: renew it.'],
  [60021, 'The address of this host is not on the allow-list in the IM console: add it.'],
  [70001, 'The userSig has expired: check the clock of this host and im.expire.'],
  [70003, WRONG_KEY],
  [70005, WRONG_KEY],
  [70009, WRONG_KEY],
  [70013, 'The userSig is of another user: check im.administrator.'],
  [70014, 'The userSig is of another app: check im.sdkAppID.'],
  [70016, WRONG_PLACE],
  [70020, WRONG_PLACE],
  ...[...TOO_OFTEN_CODES].map((code) => [code, TOO_OFTEN] as const),
  ...[...PASSING_CODES].map((code) => [code, 'Tencent IM has trouble: try again later.'] as const),
]);

const GENERAL_HINT: Readonly<Record<CodeVerdict['about'], string>> = {
  group: 'Tencent IM does not know the group, or does not accept its id.',
  credentials: 'Tencent IM does not accept how we call: check im.*.',
  request: 'The code is listed in the IM documentation on REST errors.',
};
