import { LIVE_VECTORS, USER_SIG_VECTORS } from '../vectors.ts';
import { streamIDOf } from './stream_urls.ts';
import { userSigOf } from './user_sigs.ts';
import { WIRE_CONFIG } from './wire_service.ts';

/** What the placeholders of a case may refer to. */
export interface Known {
  /** What was captured so far; `base` and the counters of `repeat` too. */
  readonly names: ReadonlyMap<string, unknown>;
  readonly nowMs: number;
}

/**
 * A copy in which each `${…}` is filled in: a captured name, or `usersig:alice` (with other claims
 * as a query: `usersig:alice?timeS=1&key=x`), `vector:userSig.v1.ok`, `streamid:push1`,
 * `times:x:1025` and `basic:user:password`.
 */
export function filled(template: unknown, known: Known): unknown {
  if (typeof template === 'string') return filledText(template, known);
  if (Array.isArray(template)) return template.map((item) => filled(item, known));
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([name, inner]) => [name, filled(inner, known)]),
  );
}

/** The same for one text. */
export function filledText(template: string, known: Known): string {
  return template.replace(/\$\{([^}]+)\}/g, (_, placeholder: string) => {
    const [, maker, argument = ''] = /^(\w+):(.*)$/s.exec(placeholder) ?? [];
    const make = maker === undefined ? undefined : MAKERS[maker];
    return make === undefined ? named(placeholder, known) : make(argument, known);
  });
}

const MAKERS: Readonly<Record<string, (argument: string, known: Known) => string>> = {
  usersig: signed,
  vector,
  streamid: (name, known) => streamIDOf(named(name, known)),
  times: (argument) => {
    const [, text = '', count] = /^(.*):(\d+)$/s.exec(argument) ?? [];
    return text.repeat(Number(count));
  },
  basic: (credentials) => `Basic ${Buffer.from(credentials).toString('base64')}`,
};

function named(name: string, { names }: Known): string {
  if (!names.has(name)) throw new Error(`\${${name}} is not known: no earlier case captured it.`);
  return String(names.get(name));
}

function signed(argument: string, { nowMs }: Known): string {
  const [userID = '', query] = argument.split('?');
  const claims = new URLSearchParams(query);
  const { im } = WIRE_CONFIG;
  return userSigOf({
    userID: decodeURIComponent(userID),
    sdkAppID: Number(claims.get('sdkAppID') ?? im.sdkAppID),
    timeS: Number(claims.get('timeS') ?? Math.floor(nowMs / 1000)),
    expireS: Number(claims.get('expireS') ?? 86_400),
    key: claims.get('key') ?? im.secretKey,
  });
}

function vector(path: string): string {
  const vectors: unknown = { userSig: USER_SIG_VECTORS, live: LIVE_VECTORS };
  const value = path
    .split('.')
    .reduce((inner, name) => (inner as Readonly<Record<string, unknown>>)[name], vectors);
  if (typeof value !== 'string') throw new Error(`There is no vector ${path}.`);
  return value;
}
