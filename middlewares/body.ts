import type { IncomingMessage } from 'node:http';
import type { Context, Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { ApiError } from '../logic/errors.ts';

type Next = () => Promise<unknown>;

/**
 * Reads the body. Nearly every request brings plain JSON, whatever it calls it, and is read here
 * in one go; forms and compressed bodies are koa-bodyparser's. An empty body is `{}`.
 */
export function body(settings: { readonly limitBytes: number }): Middleware {
  const { limitBytes } = settings;
  const parser = bodyParser({
    enableTypes: ['json', 'form'],
    detectJSON: (ctx) => !isForm(ctx),
    jsonLimit: String(limitBytes),
    formLimit: String(limitBytes),
    onerror: (error) => {
      throw refusalOf(error);
    },
  });
  return async (ctx, next) => {
    if (ctx.method === 'GET') return next();
    // Whoever hung up while it was found out who he is will never send the rest.
    if (ctx.req.destroyed) throw cutOff();
    if (isForm(ctx) || isCompressed(ctx)) {
      await unlessCutOff(ctx.req, parser(ctx, nothing));
      ctx.request.body = objectAfterParser(ctx);
      return next();
    }
    const bytes = await readBody(ctx.req, limitBytes);
    ctx.request.body = objectOf(textOf(bytes, ctx.get('content-type')));
    return next();
  };
}

const nothing: Next = async () => {};

function isForm(ctx: Context): boolean {
  return ctx.get('content-type').toLowerCase().startsWith('application/x-www-form-urlencoded');
}

/** The parser takes the name of a coding literally, but case does not matter in it. */
function isCompressed({ req }: Context): boolean {
  const encoding = (req.headers['content-encoding'] ?? '').toLowerCase();
  if (encoding === '' || encoding === 'identity') return false;
  req.headers['content-encoding'] = encoding;
  return true;
}

/** Some clients send JSON and let their library call it a form. */
function objectAfterParser({ request }: Context): unknown {
  return request.rawBody?.trimStart().startsWith('{') ? objectOf(request.rawBody) : request.body;
}

/**
 * The parser hears nothing of a client that hangs up, and stops reading when it fails: what is
 * still to come has to flow off, or the next request of the connection would never be read.
 */
async function unlessCutOff(request: IncomingMessage, parsed: Promise<unknown>): Promise<void> {
  const cut = new Promise<never>((_, reject) => {
    request.on('close', () => {
      if (!request.complete) reject(cutOff());
    });
  });
  try {
    await Promise.race([parsed, cut]);
  } catch (error) {
    request.unpipe();
    request.resume();
    throw error;
  }
}

/** Gathers the bytes; stops listening, without closing the connection, when there are too many. */
function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes)
    return Promise.reject(tooLarge(limitBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limitBytes) chunks.push(chunk);
      else reject(tooLarge(limitBytes));
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    // That a client hangs up is no failure of ours.
    request.on('error', () => reject(cutOff()));
    request.on('close', () => {
      if (!request.complete) reject(cutOff());
    });
  });
}

/** UTF-8 unless the client names another charset that this platform knows. */
function textOf(bytes: Buffer, contentType: string): string {
  const charset = contentType.match(/charset\s*=\s*"?([\w-]+)/i)?.[1]?.toLowerCase() ?? 'utf-8';
  if (charset === 'utf-8' || charset === 'utf8') return bytes.toString('utf8');
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return bytes.toString('utf8');
  }
}

function objectOf(text: string): object {
  const json = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (json.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Answered like a body that holds something else than an object.
  }
  throw new ApiError('parameter_invalid', 'The body must be a JSON object.');
}

function refusalOf(error: Error): ApiError {
  const { status } = error as { readonly status?: number };
  if (status === 413) return new ApiError('body_too_large', error.message);
  if (status === 415) return new ApiError('body_unreadable', error.message);
  return new ApiError('parameter_invalid', 'The body cannot be parsed.');
}

function cutOff(): ApiError {
  return new ApiError('bad_request', 'The request was cut off.');
}

function tooLarge(limitBytes: number): ApiError {
  return new ApiError('body_too_large', `At most ${limitBytes} bytes.`);
}
