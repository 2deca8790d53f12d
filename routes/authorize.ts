import { createHash, timingSafeEqual } from 'node:crypto';
import type { ParsedUrlQuery } from 'node:querystring';
import type { Sessions } from '../logic/auth.ts';
import { ApiError, type Dialect } from '../logic/errors.ts';
import type { Secret } from '../logic/secret.ts';
import type { Route } from './auto_map.ts';

/** What decides who may call what. */
export interface Gate {
  readonly mode: 'open' | 'token';
  readonly admin: { readonly user: string; readonly password: Secret };
  readonly sessions: Sessions;
}

export interface Caller {
  readonly callerID: string;
  readonly token: string;
}

const NOBODY: Caller = { callerID: '', token: '' };

/**
 * The dialect of a request. On the typed paths two generations of clients share every URL, and
 * only the query tells them apart: the newer one brings its user and token there.
 */
export function dialectOf(route: Route, query: ParsedUrlQuery, mode: Gate['mode']): Dialect {
  if (route.endpoint.dialect) return route.endpoint.dialect;
  if (route.place.dialect !== 'by_query') return route.place.dialect;
  if (mode === 'token' || isGiven(query.token) || isGiven(query.userSig)) return 'B';
  return isGiven(query.userID) && route.action !== 'login' ? 'B' : 'A';
}

/** Who calls, if that may; otherwise an ApiError. */
export async function authorize(
  request: {
    readonly route: Route;
    readonly query: ParsedUrlQuery;
    readonly authorization: string | undefined;
  },
  gate: Gate,
): Promise<Caller> {
  const { endpoint } = request.route;
  const access = endpoint.access ?? endpoint.group.access;
  if (access === 'anyone') return NOBODY;
  if (access === 'client') return clientOf(request.query, gate);
  if (access === 'admin_unless_open' && gate.mode === 'open') return NOBODY;
  assertAdmin(request.authorization, gate.admin);
  return { callerID: 'admin', token: '' };
}

/** Refuses a body that names somebody else than the caller. */
export function assertSamePerson(caller: Caller, body: unknown): void {
  if (caller.callerID === '' || typeof body !== 'object' || body === null) return;
  const claimed = (body as { readonly userID?: unknown }).userID;
  if (typeof claimed !== 'string' && typeof claimed !== 'number') return;
  if (claimed !== '' && String(claimed) !== caller.callerID)
    throw new ApiError('token_mismatch', 'The userID of the body is not that of the caller.');
}

/** The scalar a client meant: the first where it wrote a parameter more than once. */
export function firstOf(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/** A token that is brought is checked in open mode too: a client with a stale one should know. */
async function clientOf(query: ParsedUrlQuery, gate: Gate): Promise<Caller> {
  const userID = firstOf(query.userID);
  const token = firstOf(query.token);
  if (gate.mode === 'open' && token === '') return { callerID: userID, token };
  if (userID === '' || token === '')
    throw new ApiError('token_missing', 'The query must carry userID and token.');
  await gate.sessions.check({ userID, token });
  return { callerID: userID, token };
}

/** HTTP Basic; compares digests, so that neither content nor length shows in the time it takes. */
function assertAdmin(authorization: string | undefined, admin: Gate['admin']): void {
  const given = Buffer.from(authorization?.match(/^Basic ([\w+/=-]+)$/i)?.[1] ?? '', 'base64');
  const wanted = Buffer.from(`${admin.user}:${admin.password.reveal()}`);
  if (!timingSafeEqual(digestOf(given), digestOf(wanted)))
    throw new ApiError('admin_required', 'HTTP Basic with the admin user and password.');
}

function digestOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function isGiven(value: string | string[] | undefined): boolean {
  return firstOf(value) !== '';
}
