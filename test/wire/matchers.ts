import { faultOfAccelerateURL, playURLOf } from './stream_urls.ts';
import { claimsOfSig } from './user_sigs.ts';
import type { JsonObject } from './wire_case.ts';
import { WIRE_CONFIG } from './wire_service.ts';

const IM = WIRE_CONFIG.im;
const DAY_S = 86_400;

/** Where an answer differs from what was expected. */
export interface Mismatch {
  readonly at: string;
  readonly expected: unknown;
  readonly got: unknown;
}

export interface Matching {
  readonly nowMs: number;
  /** Objects may have no other fields than the expected ones. */
  readonly isExact: boolean;
  /** Fills in what the expectation refers to, this very answer's captures too. */
  readonly fill: (template: unknown) => unknown;
  /** Keeps a value under the name that `$as` gives it. */
  readonly capture: (name: string, value: unknown) => void;
}

/** The first difference, depth first; undefined when everything is as expected. */
export function mismatchOf(
  expected: unknown,
  got: unknown,
  matching: Matching,
  at = 'body',
): Mismatch | undefined {
  if (isMatcher(expected)) return mismatchOfMatcher(expected, got, matching, at);
  if (Array.isArray(expected)) return mismatchOfArray(expected, got, matching, at);
  if (isObject(expected)) return mismatchOfObject(expected, got, matching, at);
  const wanted = matching.fill(expected);
  return Object.is(wanted, got) ? undefined : { at, expected: wanted, got };
}

function mismatchOfArray(
  expected: readonly unknown[],
  got: unknown,
  matching: Matching,
  at: string,
): Mismatch | undefined {
  if (!Array.isArray(got) || got.length !== expected.length) return { at, expected, got };
  return firstOf(expected, (item, index) =>
    mismatchOf(item, got[index], matching, `${at}[${index}]`),
  );
}

function mismatchOfObject(
  expected: JsonObject,
  got: unknown,
  matching: Matching,
  at: string,
): Mismatch | undefined {
  if (!isObject(got)) return { at, expected, got };
  const surplus = Object.keys(got).find((name) => !Object.hasOwn(expected, name));
  if (matching.isExact && surplus !== undefined)
    return { at: `${at}.${surplus}`, expected: 'nothing', got: got[surplus] };
  return firstOf(Object.entries(expected), ([name, inner]) => {
    const value = Object.hasOwn(got, name) ? got[name] : undefined;
    return mismatchOf(inner, value, matching, `${at}.${name}`);
  });
}

/** All that a matcher states must hold; then `$as` keeps the value. */
function mismatchOfMatcher(
  matcher: JsonObject,
  got: unknown,
  matching: Matching,
  at: string,
): Mismatch | undefined {
  const { $as: name, ...checks } = matching.fill(matcher) as JsonObject;
  for (const [check, operand] of Object.entries(checks)) {
    const holds = CHECKS[check];
    if (holds === undefined) throw new Error(`${at}: there is no matcher ${check}.`);
    if (!holds(operand, got, matching)) return { at, expected: checks, got };
  }
  if (typeof name === 'string') matching.capture(name, got);
  return undefined;
}

type Check = (operand: unknown, got: unknown, matching: Matching) => boolean;

const CHECKS: Readonly<Record<string, Check>> = {
  $re: (pattern, got) => typeof got === 'string' && new RegExp(String(pattern)).test(got),
  $notRe: (pattern, got) => typeof got === 'string' && !new RegExp(String(pattern)).test(got),
  $type: (type, got) => jsonTypeOf(got) === type,
  $len: (length, got) => Array.isArray(got) && got.length === length,
  $ne: (other, got) => got !== undefined && !Object.is(other, got),
  $in: (values, got) => Array.isArray(values) && values.includes(got),
  $any: () => true,
  $absent: (_, got) => got === undefined,
  /** A userSig of this user and our app, signed with the configured key, good for a day at most. */
  $sig: (userID, got) => {
    const claims = claimsOfSig(String(got), IM.secretKey);
    if (claims?.userID !== userID || claims?.sdkAppID !== IM.sdkAppID) return false;
    return claims.expireS > 0 && claims.expireS <= DAY_S;
  },
  /** JSON text that means this value, however it is written. */
  $json: (value, got, matching) => mismatchOf(value, parsed(got), matching) === undefined,
  $acc: (pushURL, got, { nowMs }) =>
    faultOfAccelerateURL(got, { pushURL: String(pushURL), nowMs }) === undefined,
  $mixed: (pushURL, got) =>
    got === playURLOf(String(pushURL), { scheme: 'https', extension: 'flv' }),
  $play: (play, got) => {
    const [pushURL, scheme, extension] = play as readonly [string, string, string];
    return got === playURLOf(pushURL, { scheme, extension });
  },
};

function parsed(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function isMatcher(value: unknown): value is JsonObject {
  return isObject(value) && Object.keys(value).some((name) => name.startsWith('$'));
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstOf<T>(
  items: readonly T[],
  find: (item: T, index: number) => Mismatch | undefined,
): Mismatch | undefined {
  for (const [index, item] of items.entries()) {
    const mismatch = find(item, index);
    if (mismatch !== undefined) return mismatch;
  }
  return undefined;
}
