import type { Middleware } from 'koa';
import type { Readiness } from '../logic/readiness.ts';

/** While the service stops, asks every client to open its next connection elsewhere. */
export function drain(readiness: Readiness): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } finally {
      // Asked last, because stopping may begin while a request is under way.
      if (readiness.isDraining) ctx.set('connection', 'close');
    }
  };
}
