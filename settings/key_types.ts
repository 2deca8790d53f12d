import { createPrivateKey, createPublicKey } from 'node:crypto';
import * as z from 'zod';
import { Secret } from '../logic/secret.ts';
import type { KeyType } from './keys.ts';

/** A secret that nobody set. */
export const NO_SECRET = new Secret('');

/** Limits of durations. */
export const DAY_S = 86_400;
export const YEAR_S = 365 * DAY_S;

const ID_MAX = 4_294_967_295;
const SECRET_MAX = 4096;
const PEM_MAX = 16_384;
const LIST_MAX = 100;

/** A whole number, both ends included. */
export function whole(min: number, max: number): KeyType<number> {
  return {
    schema: z.number().int().min(min).max(max),
    expected: `a whole number ${min}..${max}`,
    parseText: numberOf,
  };
}

/** A duration, which may be fractional. */
export function seconds(min: number, max: number): KeyType<number> {
  return {
    schema: z.number().min(min).max(max),
    expected: `a number of seconds ${min}..${max}`,
    parseText: numberOf,
  };
}

/** A part of a whole. */
export function share(): KeyType<number> {
  return { schema: z.number().min(0).max(1), expected: 'a number 0..1', parseText: numberOf };
}

/** A yes or no. */
export function flag(): KeyType<boolean> {
  return { schema: z.boolean(), expected: 'true or false', parseText: booleanOf };
}

/** One of these names. */
export function choice<const T extends string>(...names: readonly [T, ...T[]]): KeyType<T> {
  return { schema: z.enum(names), expected: `one of ${names.join(', ')}` };
}

/** An id that Tencent calls a number; blank means none, as in a template nobody filled in. */
export function tencentNumber(): KeyType<number> {
  const number = z.number().int().min(0).max(ID_MAX);
  const digits = z
    .string()
    .regex(/^\d{0,10}$/)
    .transform(Number)
    .pipe(number);
  return {
    schema: z.union([number, digits]),
    expected: `a whole number 0..${ID_MAX}, or its digits`,
  };
}

/** An id that Tencent calls a string. */
export function tencentText(): KeyType<string> {
  const digits = z.number().int().min(0).max(ID_MAX).transform(String);
  return {
    schema: z.union([z.string().regex(/^[\w-]{0,64}$/), digits]),
    expected: 'at most 64 letters, digits, "_" or "-"',
  };
}

/** One line of text, with these many characters. */
export function text(min: number, max: number): KeyType<string> {
  return {
    schema: z.string().min(min).max(max).refine(isOneLine),
    expected: `one line of ${min}..${max} characters`,
  };
}

/** A name that needs no quotes anywhere. */
export function word(max: number): KeyType<string> {
  return {
    schema: z
      .string()
      .regex(/^[\w-]+$/)
      .max(max),
    expected: `1..${max} letters, digits, "_" or "-"`,
  };
}

/** A blank secret counts as none; one with blanks around it is a slip of copy and paste. */
export function secret(min = 0): KeyType<Secret> {
  const isSecret = (value: string) => isOneLine(value) && value === value.trim();
  return {
    schema: z.string().min(min).max(SECRET_MAX).refine(isSecret).transform(secretOf),
    expected: `one line of ${min}..${SECRET_MAX} characters without blanks around it`,
    secret: true,
  };
}

/** A key to sign with; blank means none. */
export function privatePem(): KeyType<Secret> {
  const pem = z.string().max(PEM_MAX).transform(unescapedPem).refine(isPrivatePem);
  return {
    schema: pem.transform(secretOf),
    expected: 'an RSA or EC private key in PEM',
    secret: true,
  };
}

/** A key to verify with; blank means none. */
export function publicPem(): KeyType<string> {
  return {
    schema: z.string().max(PEM_MAX).transform(unescapedPem).refine(isPublicPem),
    expected: 'an RSA or EC public key in PEM',
    fromFile: true,
  };
}

/** A path of the file system; relative ones are resolved by whoever uses them. */
export function path(min = 1): KeyType<string> {
  return { ...text(min, 4096), expected: 'a path' };
}

/** A list of up to a hundred of these; the environment gives it as JSON. */
export function list<T>(
  schema: z.ZodType<T>,
  what: string,
  { isSecret = false, lengthMin = 0 } = {},
): KeyType<T[]> {
  return {
    schema: z.array(schema).min(lengthMin).max(LIST_MAX),
    expected: `a list of ${lengthMin}..${LIST_MAX} ${what}`,
    parseText: jsonOf,
    secret: isSecret,
  };
}

/** A duration of the settings in the unit of the code. */
export function msOf(durationS: number): number {
  return Math.round(durationS * 1000);
}

function numberOf(value: string): unknown {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : value;
}

function booleanOf(value: string): unknown {
  if (/^(true|1)$/i.test(value)) return true;
  return /^(false|0)$/i.test(value) ? false : value;
}

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function secretOf(value: string): Secret {
  return new Secret(value);
}

function isOneLine(value: string): boolean {
  return !/\p{Cc}/u.test(value);
}

/** A PEM text survives an environment variable on one line, with `\n` written out. */
function unescapedPem(value: string): string {
  return value.replaceAll(/\\r\\n|\\n|\r\n/g, '\n').trim();
}

function isPrivatePem(value: string): boolean {
  return value === '' || isSigningKey(() => createPrivateKey(value));
}

/** `createPublicKey` would take a private key too, and that must not end up in the open. */
function isPublicPem(value: string): boolean {
  if (value === '') return true;
  return value.includes('PUBLIC KEY') && isSigningKey(() => createPublicKey(value));
}

function isSigningKey(parse: () => { readonly asymmetricKeyType?: string }): boolean {
  try {
    return ['rsa', 'ec'].includes(parse().asymmetricKeyType ?? '');
  } catch {
    return false;
  }
}
