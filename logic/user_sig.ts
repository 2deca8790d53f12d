import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  sign as signatureOf,
} from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Api } from 'tls-sig-api-v2';
import type { Clock } from './clock.ts';
import type { Secret } from './secret.ts';
import {
  type Claims,
  claimsOf,
  isGenuine,
  type JsonObject,
  pack,
  signedText,
  USERBUF,
  unpack,
  V1_SIGNED,
} from './user_sig_document.ts';

/** What the userSigs of one IM app are made and checked with; any of the keys may be empty. */
export interface UserSigKeys {
  readonly sdkAppID: number;
  /** '' when the app has none; otherwise a v1 signature that states one must state this one. */
  readonly accountType: string;
  readonly administrator: string;
  /** v2: the text the console shows, used as it stands. */
  readonly secretKey: Secret;
  /** v1: PEM, RSA or EC. */
  readonly privateKey: Secret;
  /** v1: PEM; derived from the private key when empty. */
  readonly publicKey: Secret | string;
}

export type SigRefusal =
  | 'malformed'
  | 'other_app'
  | 'other_user'
  | 'other_account_type'
  | 'expired'
  | 'not_yet_valid'
  | 'bad_signature'
  | 'life_too_long'
  | 'no_key';

export type SigVerdict =
  | {
      readonly ok: true;
      readonly expiresAtMs: number;
      /** It is a privateMapKey: genuine, but made for entering one room. */
      readonly isRoomTicket?: true;
    }
  | { readonly ok: false; readonly reason: SigRefusal };

/** The longest life a userSig may have: the 180 days of Tencent's own samples. */
export const USER_SIG_LIFE_MAX_MS = 180 * 86_400_000;

/** Every new app has an administrator of this name, also when another one is configured here. */
const FIRST_ADMINISTRATOR = 'administrator';
const FUTURE_SKEW_MAX_MS = 300_000;
const UINT32_MAX = 4_294_967_295;
const SIGNED_KEPT_MAX = 1_000;
/** A kept signature is handed out again only in the first tenth of its life. */
const REUSE_SHARE = 0.1;

/** Signs userSigs for one IM app, and tells the genuine ones of both generations from the rest. */
export class UserSigs {
  readonly #clock: Clock;
  readonly #sdkAppID: string;
  readonly #accountType: string;
  readonly #administrator: string;
  readonly #api: Api | undefined;
  readonly #secretKey: KeyObject | undefined;
  readonly #privateKey: KeyObject | undefined;
  readonly #publicKey: KeyObject | undefined;
  readonly #signed = new LRUCache<string, SignedSig>({ max: SIGNED_KEPT_MAX });

  /** Throws when a PEM cannot be used, naming its setting and never its text. */
  constructor({ keys, clock }: { keys: UserSigKeys; clock: Clock }) {
    this.#clock = clock;
    this.#sdkAppID = String(keys.sdkAppID);
    this.#accountType = keys.accountType;
    this.#administrator = keys.administrator;
    if (!keys.secretKey.isEmpty) {
      this.#api = new Api(keys.sdkAppID, keys.secretKey.reveal());
      this.#secretKey = createSecretKey(keys.secretKey.reveal(), 'utf8');
    }
    const { privateKey, publicKey } = keyPairOf(keys);
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
  }

  /** Whether this is an account that may do everything in the IM app, whose sig no client gets. */
  isAdministrator(userID: string): boolean {
    return userID === this.#administrator || userID === FIRST_ADMINISTRATOR;
  }

  /**
   * A userSig for anyone, the administrator too: v2 when there is a secret key, else v1. Whoever
   * asks again early in its life gets the same one. Throws on an id or a life that cannot be signed.
   */
  sign({ userID, expireMs }: { userID: string; expireMs: number }): string {
    assertSignable({ userID, expireMs });
    const lifeS = Math.ceil(expireMs / 1000);
    const nowMs = this.#clock.nowMs();
    const cacheKey = `${lifeS}:${userID}`;
    const known = this.#signed.get(cacheKey);
    if (known !== undefined && isYoung({ signedAtMs: known.signedAtMs, lifeS, nowMs })) {
      return known.userSig;
    }
    const userSig = this.#signNew({ userID, lifeS, nowMs });
    this.#signed.set(cacheKey, { userSig, signedAtMs: nowMs });
    return userSig;
  }

  /**
   * A privateMapKey: a userSig that also says which media room its user may enter, and how far.
   * `privileges` are Tencent's bits (1 create, 2 enter, 4 and 8 sound, 16 and 32 pictures, 64 and
   * 128 screens). v2 when there is a secret key, else v1, whose signed text then carries zeros
   * for the two fields about accounts.
   */
  signPrivateMapKey(ticket: {
    readonly userID: string;
    readonly roomNumber: number;
    readonly privileges: number;
    readonly expireMs: number;
  }): string {
    const { userID, roomNumber, privileges, expireMs } = ticket;
    assertSignable({ userID, expireMs });
    // The package cuts off what does not fit, and -1 would become every privilege there is.
    assertUint32('roomNumber', roomNumber);
    assertUint32('privileges', privileges);
    const lifeS = Math.ceil(expireMs / 1000);
    if (this.#api !== undefined)
      return this.#api.genPrivateMapKey(userID, lifeS, roomNumber, privileges);
    const issuedAtS = Math.floor(this.#clock.nowMs() / 1000);
    const expireAtS = issuedAtS + lifeS;
    const sdkAppID = Number(this.#sdkAppID);
    const userbuf = userbufOf({ userID, sdkAppID, roomNumber, expireAtS, privileges });
    return this.#signV1({ userID, lifeS, issuedAtS, appAtThird: '0', accountType: '0', userbuf });
  }

  /** Never throws, whatever it is given; `ok` only for a genuine, living sig of this user and app. */
  async verify({ userSig, userID }: { userSig: string; userID: string }): Promise<SigVerdict> {
    const document = await unpack(userSig);
    const claims = document === undefined ? undefined : claimsOf(document);
    if (claims === undefined) return { ok: false, reason: 'malformed' };
    const reason = this.#refusalOf(claims, userID);
    if (reason !== undefined) return { ok: false, reason };
    const { expiresAtMs } = claims;
    const isRoomTicket = document?.[USERBUF] !== undefined;
    return isRoomTicket ? { ok: true, expiresAtMs, isRoomTicket } : { ok: true, expiresAtMs };
  }

  #signNew({ userID, lifeS, nowMs }: { userID: string; lifeS: number; nowMs: number }): string {
    // The package takes the time from the wall clock, not from ours: where the two disagree, v2
    // signatures start and end by the wall. Verifying knows the injected clock alone.
    if (this.#api !== undefined) return this.#api.genUserSig(userID, lifeS);
    return this.#signV1({
      userID,
      lifeS,
      issuedAtS: Math.floor(nowMs / 1000),
      appAtThird: this.#sdkAppID,
      accountType: this.#accountType === '' ? '0' : this.#accountType,
    });
  }

  #signV1(claim: {
    readonly userID: string;
    readonly lifeS: number;
    readonly issuedAtS: number;
    readonly appAtThird: string;
    readonly accountType: string;
    /** Standard base64 of the room ticket. */
    readonly userbuf?: string;
  }): string {
    if (this.#privateKey === undefined)
      throw new Error('No userSig can be signed: neither im.secretKey nor im.privateKey is set.');
    const { userbuf } = claim;
    const fields: JsonObject = {
      'TLS.appid_at_3rd': claim.appAtThird,
      'TLS.account_type': claim.accountType,
      'TLS.identifier': claim.userID,
      'TLS.sdk_appid': this.#sdkAppID,
      'TLS.time': String(claim.issuedAtS),
      'TLS.expire_after': String(claim.lifeS),
      ...(userbuf === undefined ? {} : { [USERBUF]: userbuf }),
    };
    const text = Buffer.from(signedText(fields, V1_SIGNED));
    const signature = signatureOf('sha256', text, this.#privateKey).toString('base64');
    return pack({ ...fields, 'TLS.sig': signature });
  }

  #refusalOf(claims: Claims, userID: string): SigRefusal | undefined {
    if (claims.sdkAppID !== this.#sdkAppID) return 'other_app';
    if (claims.identifier !== userID) return 'other_user';
    if (this.#isOtherAccountType(claims.accountType)) return 'other_account_type';
    const nowMs = this.#clock.nowMs();
    if (nowMs >= claims.expiresAtMs) return 'expired';
    if (claims.issuedAtMs > nowMs + FUTURE_SKEW_MAX_MS) return 'not_yet_valid';
    const key = claims.version === 'v1' ? this.#publicKey : this.#secretKey;
    if (key === undefined) return 'no_key';
    if (!isGenuine(claims, key)) return 'bad_signature';
    const lifeMs = claims.expiresAtMs - claims.issuedAtMs;
    return lifeMs > USER_SIG_LIFE_MAX_MS ? 'life_too_long' : undefined;
  }

  /** Signers without account types, v2 and the Java servers among them, state '0'. */
  #isOtherAccountType(accountType: string): boolean {
    return accountType !== '0' && this.#accountType !== '' && accountType !== this.#accountType;
  }
}

interface SignedSig {
  readonly userSig: string;
  readonly signedAtMs: number;
}

/** Version 0, for numbered rooms; big-endian, as Tencent's libraries write it. */
function userbufOf(ticket: {
  readonly userID: string;
  readonly sdkAppID: number;
  readonly roomNumber: number;
  readonly expireAtS: number;
  readonly privileges: number;
}): string {
  const account = Buffer.from(ticket.userID, 'latin1');
  const head = Buffer.alloc(3);
  head.writeUInt16BE(account.length, 1);
  const tail = Buffer.alloc(20);
  const numbers = [ticket.sdkAppID, ticket.roomNumber, ticket.expireAtS, ticket.privileges, 0];
  numbers.forEach((number, index) => {
    tail.writeUInt32BE(number, index * 4);
  });
  return Buffer.concat([head, account, tail]).toString('base64');
}

function keyPairOf(keys: UserSigKeys): { privateKey?: KeyObject; publicKey?: KeyObject } {
  const privatePem = pemOf(keys.privateKey);
  const publicPem = pemOf(keys.publicKey);
  const privateKey = privatePem && readKey('im.privateKey', () => createPrivateKey(privatePem));
  const publicKey = publicPem && readKey('im.publicKey', () => createPublicKey(publicPem));
  if (!privateKey) return publicKey ? { publicKey } : {};
  const derived = createPublicKey(privateKey);
  if (publicKey && !publicKey.equals(derived)) {
    throw new Error('im.publicKey must belong to im.privateKey, but the two are not a pair.');
  }
  return { privateKey, publicKey: derived };
}

function readKey(setting: string, read: () => KeyObject): KeyObject {
  const key = keyOrError(read);
  if (key instanceof Error) {
    throw new Error(`${setting} must be a PEM key without a passphrase, but cannot be read.`, {
      cause: key,
    });
  }
  const kind = key.asymmetricKeyType;
  if (kind !== 'rsa' && kind !== 'ec') {
    throw new Error(`${setting} must be an RSA or EC key, got ${kind}.`);
  }
  return key;
}

function keyOrError(read: () => KeyObject): KeyObject | Error {
  try {
    return read();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Environment variables and Windows editors bend line ends; PEM itself knows no backslash. */
function pemOf(key: Secret | string): string {
  const text = typeof key === 'string' ? key : key.reveal();
  return text
    .replace(/\\r|\r/g, '')
    .replace(/\\n/g, '\n')
    .trim();
}

function assertSignable({ userID, expireMs }: { userID: string; expireMs: number }): void {
  // A line feed in an id would let its signed text be cut again into that of another id.
  if (!/^[\x20-\x7e]{1,64}$/.test(userID)) {
    const shown = JSON.stringify(userID.slice(0, 80));
    throw new Error(`userID must be 1 to 64 printable ASCII characters, got ${shown}.`);
  }
  if (!(expireMs > 0 && expireMs <= USER_SIG_LIFE_MAX_MS)) {
    throw new Error(`expireMs must be above 0, at most ${USER_SIG_LIFE_MAX_MS}, got ${expireMs}.`);
  }
}

function assertUint32(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= UINT32_MAX) return;
  throw new Error(`${name} must be a whole number 0 to ${UINT32_MAX}, got ${value}.`);
}

function isYoung(sig: { signedAtMs: number; lifeS: number; nowMs: number }): boolean {
  const ageMs = sig.nowMs - sig.signedAtMs;
  // Below zero the clock was set back, and the signature may lie in the future.
  return ageMs >= 0 && ageMs < sig.lifeS * 1000 * REUSE_SHARE;
}
