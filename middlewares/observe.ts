import type { Context, Middleware } from 'koa';
import type { Clock } from '../logic/clock.ts';
import type { AccessLog } from '../logic/log.ts';
import { beginFacts } from './facts.ts';

/** Gives each request its id, and the response log one line when it is answered. */
export function observe(parts: {
  readonly access: AccessLog;
  readonly clock: Clock;
  readonly newRequestID: () => string;
  readonly ipOf: (ctx: Context) => string;
}): Middleware {
  const { access, clock, newRequestID, ipOf } = parts;
  return async (ctx, next) => {
    const startedAtMs = clock.monotonicMs();
    const facts = beginFacts(ctx, newRequestID());
    // Asked now, because a connection that is cut meanwhile forgets who was at its other end.
    const ip = ipOf(ctx);
    ctx.set('x-request-id', facts.requestID);
    await next();
    access.write({
      atMs: clock.nowMs(),
      requestID: facts.requestID,
      method: ctx.method,
      path: ctx.path,
      ip,
      userID: facts.userID,
      roomID: facts.roomID,
      status: ctx.status,
      code: facts.code,
      durationMs: clock.monotonicMs() - startedAtMs,
    });
  };
}
