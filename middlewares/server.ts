import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';

const HEADER_BYTES_MAX = 16_384;
const IDLE_CHECK_MS = 50;
/** How long clients get to hear, in their next answer, that they should go elsewhere. */
const FAREWELL_MS = 300;
const FAREWELL_CHECK_MS = 10;

/** How long a client may take before its connection is cut, and how often that is looked at. */
export interface Patience {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly keepAliveMs: number;
  readonly lookEveryMs: number;
}

const PATIENCE: Patience = {
  headersMs: 10_000,
  requestMs: 20_000,
  /** Longer than the 7 s between two heartbeats, so that a client's connection lasts. */
  keepAliveMs: 65_000,
  lookEveryMs: 2_000,
};

export interface ListenSettings {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** For real clients, unless told. */
  readonly patience?: Patience;
}

/** A listening HTTP or HTTPS server. */
export interface HttpServer {
  readonly port: number;
  /** Accepts no new connection, and answers for a moment of at most `limitMs` on those there are. */
  drain(limitMs: number): Promise<void>;
  /** Accepts nothing more; requests under way get `graceMs`, then their connections are cut. */
  close(graceMs: number): Promise<void>;
}

/** Starts to accept requests; rejects when the address cannot be had. */
export async function listen(
  listener: RequestListener,
  settings: ListenSettings,
): Promise<HttpServer> {
  const serve = readable(listener);
  const server = newServer(serve, settings);
  const connections = connectionsOf(server);
  // What a client expects beyond 100-continue may be ignored; left to Node, the answer is empty.
  server.on('checkExpectation', serve);
  server.on('connect', (_request, socket) => answerRaw(socket, 400));
  server.on('clientError', answerUnreadable);
  const { host, port: wanted } = settings;
  server.listen({ port: wanted, host });
  await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
    const got = `${wanted} on ${host}, which gives ${cause.code}`;
    throw new Error(`port: expected one that can be listened on, got ${got}.`, { cause });
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    drain: (limitMs) => drainServer({ server, connections, limitMs }),
    close: (graceMs) => closeServer({ server, connections, graceMs }),
  };
}

function newServer(serve: RequestListener, { tls, patience = PATIENCE }: ListenSettings): Server {
  const options = {
    headersTimeout: patience.headersMs,
    requestTimeout: patience.requestMs,
    keepAliveTimeout: patience.keepAliveMs,
    connectionsCheckingInterval: patience.lookEveryMs,
    maxHeaderSize: HEADER_BYTES_MAX,
    // A request without Host is refused below, in the form of every other answer.
    requireHostHeader: false,
  };
  if (tls === undefined) return createServer(options, serve);
  assertPair(tls);
  const secure = { ...tls, handshakeTimeout: patience.headersMs, minVersion: 'TLSv1.2' } as const;
  return createSecureServer({ ...options, ...secure }, serve);
}

function assertPair(tls: { readonly cert: Buffer; readonly key: Buffer }): void {
  try {
    createSecureContext(tls);
  } catch (cause) {
    const text =
      'https.cert: expected a certificate in PEM that belongs to https.key, got another.';
    throw new Error(text, { cause });
  }
}

/** Every connection, the ones too on which nothing has been said or agreed upon yet. */
function connectionsOf(server: Server): ReadonlySet<Socket> {
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    // Asked for early, because it is kept then: one that was reset meanwhile could not tell it.
    if (socket.remoteAddress === undefined) socket.destroy();
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  return connections;
}

interface Closing {
  readonly server: Server;
  readonly connections: ReadonlySet<Socket>;
}

async function drainServer(parts: Closing & { readonly limitMs: number }): Promise<void> {
  const { server, connections, limitMs } = parts;
  // The server's own close() would also cut connections on which a request is on its way.
  NetServer.prototype.close.call(server);
  const untilMs = performance.now() + Math.min(FAREWELL_MS, limitMs);
  while (connections.size > 0 && performance.now() < untilMs) await delay(FAREWELL_CHECK_MS);
}

async function closeServer(parts: Closing & { readonly graceMs: number }): Promise<void> {
  const { server, connections, graceMs } = parts;
  const closed = once(server, 'close');
  server.close();
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  const cut = setTimeout(() => {
    for (const connection of connections) connection.destroy();
  }, graceMs);
  server.closeIdleConnections();
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}

/** Hands on what HTTP/1.1 allows, with the URL in the form in which every reader agrees on it. */
function readable(listener: RequestListener): RequestListener {
  return (request, response) => {
    if (request.headers.host === undefined && request.httpVersion === '1.1') {
      answerWithoutHost(response);
      return;
    }
    request.url = originFormOf(request);
    listener(request, response);
  };
}

/** Without scheme and authority: they mean nothing here, and odd ones break URL parsers. */
function originFormOf({ url = '/' }: IncomingMessage): string {
  if (url.startsWith('/')) return url;
  return `/${url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*\/?/i, '')}`;
}

function answerWithoutHost(response: ServerResponse): void {
  const { headers, body } = refusalOf(400);
  response.writeHead(400, headers).end(body);
}

const STATUS_OF: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else answerRaw(socket, STATUS_OF[error.code ?? ''] ?? 400);
}

/** What is not even HTTP gets an answer in the same form as everything else. */
function answerRaw(socket: Duplex, status: number): void {
  const { headers, body } = refusalOf(status);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}

function refusalOf(status: number) {
  const body = JSON.stringify({ code: status, message: `${STATUS_CODES[status]}.` });
  const headers = {
    'x-request-id': randomUUID(),
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  return { headers, body };
}
