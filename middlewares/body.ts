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
    extendTypes: { json: ['text/plain', 'text/xml', 'text/json', 'application/xml'] },
    jsonLimit: String(limitBytes),
    formLimit: String(limitBytes),
    onerror: (error) => {
      throw refusalOf(error);
    },
  });
  return async (ctx, next) => {
    if (ctx.method === 'GET') return next();
    if (isForParser(ctx)) return parser(ctx, () => afterParser(ctx, next));
    const bytes = await readBody(ctx.req, limitBytes);
    ctx.request.body = objectOf(textOf(bytes, ctx.get('content-type')));
    return next();
  };
}

function isForParser(ctx: Context): boolean {
  const encoding = ctx.get('content-encoding');
  if (encoding !== '' && encoding.toLowerCase() !== 'identity') return true;
  return ctx.get('content-type').toLowerCase().startsWith('application/x-www-form-urlencoded');
}

/** Some clients send JSON and let their library call it a form. */
function afterParser(ctx: Context, next: Next): Promise<unknown> {
  const raw = ctx.request.rawBody;
  if (raw?.trimStart().startsWith('{')) ctx.request.body = objectOf(raw);
  else ctx.request.body ??= {};
  return next();
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
    request.on('error', reject);
    request.on('close', () => {
      if (!request.complete) reject(new ApiError('bad_request', 'The request was cut off.'));
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

function tooLarge(limitBytes: number): ApiError {
  return new ApiError('body_too_large', `At most ${limitBytes} bytes.`);
}
