import {
  createHmac,
  type KeyObject,
  timingSafeEqual,
  verify as verifySignature,
} from 'node:crypto';
import { promisify } from 'node:util';
import { deflateSync, inflate } from 'node:zlib';

const SIG_LENGTH_MAX = 4_096;
const DOCUMENT_BYTES_MAX = 8_192;

/** What a userSig says, before anybody has checked that it is true. */
export interface Claims {
  readonly version: 'v1' | 'v2';
  readonly identifier: string;
  readonly sdkAppID: string;
  readonly accountType: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly signedText: string;
  readonly signature: Buffer;
}

/** A JSON object nobody has looked into yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The fields under the signature, in the order in which they are signed. */
export const V1_SIGNED = [
  'TLS.appid_at_3rd',
  'TLS.account_type',
  'TLS.identifier',
  'TLS.sdk_appid',
  'TLS.time',
  'TLS.expire_after',
] as const;
const V2_SIGNED = ['TLS.identifier', 'TLS.sdkappid', 'TLS.time', 'TLS.expire'] as const;
/** Signed last where present: the room ticket inside a privateMapKey. */
export const USERBUF = 'TLS.userbuf';

/** Deflate, base64, and the three characters that a URL would not carry replaced. */
export function pack(document: JsonObject): string {
  return deflateSync(JSON.stringify(document))
    .toString('base64')
    .replaceAll('+', '*')
    .replaceAll('/', '-')
    .replaceAll('=', '_');
}

const inflateAsync = promisify(inflate);

/** Whatever the sender wrote, no more than DOCUMENT_BYTES_MAX come out, and off this thread. */
export async function unpack(userSig: string): Promise<JsonObject | undefined> {
  if (userSig.length > SIG_LENGTH_MAX || !/^[A-Za-z0-9*-]+_{0,2}$/.test(userSig)) return undefined;
  const base64 = userSig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  const bytes = Buffer.from(base64, 'base64');
  try {
    const text = await inflateAsync(bytes, { maxOutputLength: DOCUMENT_BYTES_MAX });
    const document: unknown = JSON.parse(text.toString('utf8'));
    return isObject(document) ? document : undefined;
  } catch {
    // Not zlib, too long or not JSON: to the caller it is all one.
    return undefined;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}

/** What a document of either version claims; undefined when a field is missing or of the wrong form. */
export function claimsOf(document: JsonObject): Claims | undefined {
  const userbuf = document[USERBUF];
  if (userbuf !== undefined && plainText(userbuf) === undefined) return undefined;
  const version = document['TLS.ver'];
  if (version === undefined) return claimsOfV1(document);
  return version === '2.0' ? claimsOfV2(document) : undefined;
}

/** Every field of v1 is a string, the numbers too. */
function claimsOfV1(document: JsonObject): Claims | undefined {
  if (V1_SIGNED.some((name) => plainText(document[name]) === undefined)) return undefined;
  return newClaims({
    version: 'v1',
    identifier: document['TLS.identifier'],
    sdkAppID: document['TLS.sdk_appid'],
    accountType: document['TLS.account_type'],
    issuedAtS: secondsOf(document['TLS.time']),
    lifeS: secondsOf(document['TLS.expire_after']),
    signedText: signedText(document, V1_SIGNED),
    signature: document['TLS.sig'],
  });
}

/** In v2 the numbers are numbers, and there is no account type. */
function claimsOfV2(document: JsonObject): Claims | undefined {
  const { 'TLS.sdkappid': sdkAppID, 'TLS.time': time, 'TLS.expire': expire } = document;
  const identifier = plainText(document['TLS.identifier']);
  if (identifier === undefined) return undefined;
  if (![sdkAppID, time, expire].every((value) => Number.isSafeInteger(value))) return undefined;
  return newClaims({
    version: 'v2',
    identifier,
    sdkAppID: String(sdkAppID),
    accountType: '0',
    issuedAtS: secondsOf(String(time)),
    lifeS: secondsOf(String(expire)),
    signedText: signedText(document, V2_SIGNED),
    signature: document['TLS.sig'],
  });
}

interface RawClaims {
  readonly version: 'v1' | 'v2';
  readonly identifier: unknown;
  readonly sdkAppID: unknown;
  readonly accountType: unknown;
  readonly issuedAtS: number | undefined;
  readonly lifeS: number | undefined;
  readonly signedText: string;
  readonly signature: unknown;
}

function newClaims(raw: RawClaims): Claims | undefined {
  const identifier = plainText(raw.identifier);
  const sdkAppID = plainText(raw.sdkAppID);
  const accountType = plainText(raw.accountType);
  const signature = base64Bytes(raw.signature);
  if (identifier === undefined || identifier === '') return undefined;
  if (sdkAppID === undefined || accountType === undefined) return undefined;
  if (raw.issuedAtS === undefined || !raw.lifeS || signature === undefined) return undefined;
  const { version, signedText, issuedAtS, lifeS } = raw;
  return {
    version,
    identifier,
    sdkAppID,
    accountType,
    issuedAtMs: issuedAtS * 1000,
    expiresAtMs: (issuedAtS + lifeS) * 1000,
    signedText,
    signature,
  };
}

/**
 * The lines a signature covers. Values free of control characters keep it injective; it is built
 * from the sig's own fields, because signers differ in what they write into some of them.
 */
export function signedText(document: JsonObject, names: readonly string[]): string {
  const signed = document[USERBUF] === undefined ? names : [...names, USERBUF];
  return signed.map((name) => `${name}:${document[name]}\n`).join('');
}

/** Lone surrogates are refused with the control characters: as UTF-8 they would all look alike. */
function plainText(value: unknown): string | undefined {
  return typeof value === 'string' && !/[\p{Cc}\p{Cs}]/u.test(value) ? value : undefined;
}

/** Twelve digits last for 30,000 years and keep every sum of milliseconds exact. */
function secondsOf(value: unknown): number | undefined {
  return typeof value === 'string' && /^[0-9]{1,12}$/.test(value) ? Number(value) : undefined;
}

function base64Bytes(value: unknown): Buffer | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return undefined;
  return Buffer.from(value, 'base64');
}

/** Whether the signature is that of this key over what is claimed. */
export function isGenuine({ version, signedText, signature }: Claims, key: KeyObject): boolean {
  if (version === 'v1') return verifySignature('sha256', Buffer.from(signedText), key, signature);
  const expected = createHmac('sha256', key).update(signedText).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}
