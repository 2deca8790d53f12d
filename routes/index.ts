import { type ParsedUrlQuery, parse as parseQuery } from 'node:querystring';
import type { Context, Middleware } from 'koa';
import Router from 'koa-router';
import * as z from 'zod';
import { ApiError, type ErrorName } from '../logic/errors.ts';
import { type Facts, factsOf } from '../middlewares/facts.ts';
import { assertSamePerson, authorize, dialectOf, firstOf, type Gate } from './authorize.ts';
import { type Route, routeTable } from './auto_map.ts';
import { RawReply, type Services } from './endpoint.ts';
import { plainPathOf } from './paths.ts';

/** More than any request has; what comes behind is not looked at. */
const QUERY_KEYS_MAX = 100;

export interface Routing {
  readonly routes: readonly Route[];
  readonly services: Services;
  readonly gate: Gate;
  readonly rootPathname: string;
  /** Reads the body of a request whose path is known. */
  readonly body: Middleware;
  /** Compares every answer with its schema; for tests. */
  readonly checksReplies: boolean;
}

/**
 * The way of every request: locate its endpoint in one table, admit the caller, read the body,
 * answer. The router is asked to match only once, whatever the number of endpoints.
 */
export function buildRouter(routing: Routing): Router {
  const router = new Router();
  const table = routeTable(routing.routes);
  const locate: Middleware = (ctx, next) => {
    const facts = factsOf(ctx);
    facts.route = locateRoute(ctx, table, routing);
    facts.note({});
    return next();
  };
  const admit: Middleware = async (ctx, next) => {
    const { route, query } = locatedFactsOf(ctx);
    const { authorization } = ctx.headers;
    factsOf(ctx).caller = await authorize({ route, query, authorization }, routing.gate);
    return next();
  };
  router.all(/.*/, locate, admit, routing.body, (ctx: Context) => answer(ctx, routing));
  return router;
}

function locateRoute(ctx: Context, table: ReadonlyMap<string, Route>, routing: Routing): Route {
  const route = table.get(ctx.path) ?? table.get(plainPathOf(ctx.path, routing.rootPathname));
  if (route === undefined) throw new ApiError('path_not_found', 'See docs/api.md for the paths.');
  const { method } = route.endpoint.group;
  const facts = factsOf(ctx);
  // Not by Koa, which for each of the parameters looks through all of them.
  facts.query = parseQuery(ctx.querystring, '&', '=', { maxKeys: QUERY_KEYS_MAX });
  facts.dialect = dialectOf(route, facts.query, routing.gate.mode);
  if (ctx.method === method) return route;
  ctx.set('allow', method);
  throw new ApiError('method_not_allowed', `${route.path} takes ${method}.`);
}

async function answer(ctx: Context, { services, checksReplies }: Routing): Promise<void> {
  const facts = locatedFactsOf(ctx);
  const { route, dialect, query, caller } = facts;
  const { endpoint, place } = route;
  const body: unknown = ctx.request.body;
  facts.note(body);
  assertSamePerson(caller, body);
  const isQuery =
    (endpoint.from ?? (endpoint.group.method === 'GET' ? 'query' : 'body')) === 'query';
  const input = parse(endpoint.input, isQuery ? scalarsOf(query) : body);
  const reply = await endpoint.handle(
    { ...caller, isProven: caller.token !== '', kind: place.kind, dialect, input },
    services,
  );
  if (reply instanceof RawReply) return send(ctx, reply);
  if (checksReplies && endpoint.output !== 'raw')
    z.strictObject(endpoint.output.shape).parse(reply);
  send(ctx, new RawReply({ type: JSON_TYPE, body: replyText(reply as object) }));
}

function locatedFactsOf(ctx: Context): Facts & { readonly route: Route } {
  const facts = factsOf(ctx);
  const { route } = facts;
  if (route === undefined) throw new Error('A request went on before its path was located.');
  return facts as Facts & { readonly route: Route };
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** Every success: code 0, a message, and what the endpoint answers. */
function replyText(reply: object): string {
  return JSON.stringify({ code: 0, message: '请求成功', ...reply });
}

function send(ctx: Context, { status, type, body }: RawReply): void {
  ctx.status = status;
  ctx.type = type;
  ctx.body = body;
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ApiError(failureOf(result.error), detailOf(result.error));
}

/** A field can name its own failure; a missing field comes before that. */
function failureOf({ issues }: z.ZodError): ErrorName {
  const [first] = issues;
  const isNamed = issues.every(({ code }) => code === 'custom');
  const name = isNamed && first?.code === 'custom' ? first.params?.failure : undefined;
  return name === undefined ? 'parameter_invalid' : (name as ErrorName);
}

/** Names the first few bad fields and what was expected, never what was sent. */
function detailOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`)
    .join('; ');
}

function scalarsOf(query: ParsedUrlQuery): Record<string, string> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, firstOf(value)]));
}
