import type { Middleware } from 'koa';
import type { Readiness } from '../logic/readiness.ts';

/** While the service stops, asks every client to open its next connection elsewhere. */
export function drain(readiness: Readiness): Middleware {
  return (ctx, next) => {
    if (readiness.isDraining) ctx.set('connection', 'close');
    return next();
  };
}
