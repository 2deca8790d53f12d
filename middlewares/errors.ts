import type { Context, Middleware } from 'koa';
import { ApiError, wireError } from '../logic/errors.ts';
import type { Log } from '../logic/log.ts';
import { factsOf } from './facts.ts';

/** The one place where a failure becomes an answer. What nobody foresaw is logged, not told. */
export function errors(log: Log): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      answer(ctx, apiErrorOf(error, ctx, log));
    }
  };
}

function apiErrorOf(error: unknown, ctx: Context, log: Log): ApiError {
  const { requestID } = factsOf(ctx);
  if (!(error instanceof ApiError)) {
    log.error('request_failed', error, { requestID, method: ctx.method, path: ctx.path });
    return new ApiError('internal', `See the error log for request ${requestID}.`);
  }
  if (error.cause !== undefined)
    log.error('request_refused', error, { requestID, method: ctx.method, path: ctx.path });
  return error;
}

function answer(ctx: Context, error: ApiError): void {
  const facts = factsOf(ctx);
  const { status, body } = wireError(error, facts.dialect);
  facts.code = Number(body.code);
  if (status === 401) ctx.set('www-authenticate', 'Basic realm="roomkeep", charset="UTF-8"');
  ctx.status = status;
  ctx.type = 'application/json; charset=utf-8';
  ctx.body = JSON.stringify(body);
}
