import type { ParsedUrlQuery } from 'node:querystring';
import type { Context } from 'koa';
import type { Dialect } from '../logic/errors.ts';
import type { Caller } from '../routes/authorize.ts';
import type { Route } from '../routes/auto_map.ts';

const NOTED_LENGTH_MAX = 256;

/** What is found out about a request on its way, for the answer and for the response log. */
export class Facts {
  readonly requestID: string;
  route: Route | undefined;
  query: ParsedUrlQuery = {};
  caller: Caller = { callerID: '', token: '' };
  /** Until the path is known, the newer dialect. */
  dialect: Dialect = 'B';
  userID = '';
  roomID = '';
  code = 0;

  constructor(requestID: string) {
    this.requestID = requestID;
  }

  /** Notes which user and room a request speaks of. */
  note(body: unknown): void {
    const fields = (typeof body === 'object' && body !== null ? body : {}) as {
      readonly userID?: unknown;
      readonly roomID?: unknown;
    };
    this.userID = shortOf(fields.userID) || shortOf(this.query.userID);
    this.roomID = shortOf(fields.roomID);
  }
}

const FACTS = Symbol('facts');

/** Begins the facts of a request. */
export function beginFacts(ctx: Context, requestID: string): Facts {
  const facts = new Facts(requestID);
  (ctx.state as { [FACTS]?: Facts })[FACTS] = facts;
  return facts;
}

/** The facts of a request that the first middleware began. */
export function factsOf(ctx: Context): Facts {
  const facts = (ctx.state as { readonly [FACTS]?: Facts })[FACTS];
  if (facts === undefined) throw new Error('The request has no facts: is observe() missing?');
  return facts;
}

function shortOf(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value.slice(0, NOTED_LENGTH_MAX) : '';
}
