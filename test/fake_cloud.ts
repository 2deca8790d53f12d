import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** One call a cloud received, whether or not it was answered. */
export interface CloudCall {
  /** The last part of the path: `create_group`, `jscode2session`, `common_access`. */
  readonly api: string;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly text: string;
  /** The body as a JSON object, {} when it is none. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

/** How a cloud behaves: as it should, or as clouds do on bad days. */
export type CloudBehaviour =
  | 'ok'
  | 'slow'
  | 'hang'
  | 'reset'
  | 'http500'
  | 'html'
  | 'huge'
  | 'redirect'
  | { readonly errorCode: number }
  | { readonly status: number; readonly body: string };

export type CloudMode = CloudBehaviour | ((call: CloudCall) => CloudBehaviour);

/** Starts one HTTP server on 127.0.0.1 that plays Tencent IM, WeChat and the live API. */
export async function startFakeCloud(): Promise<FakeCloud> {
  const server = http.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new FakeCloud(server);
}

/** The foreign clouds of a test: set how they behave, then look at what they were asked. */
export class FakeCloud implements AsyncDisposable {
  readonly url: string;
  readonly calls: CloudCall[] = [];
  /** Groups that our app owns; create_group adds to them, destroy_group removes. */
  readonly groups = new Set<string>();
  /** Groups of somebody else. */
  readonly foreignGroups = new Set<string>();
  /** WeChat login codes and the openid behind each; a code works once. */
  readonly codes = new Map<string, string>();
  imMode: CloudMode = 'ok';
  wechatMode: CloudMode = 'ok';
  /** What the live API says about any stream; `ok` is a live one. */
  liveMode: CloudMode = 'ok';
  slowMs = 100;
  /** Connections accepted so far. */
  connectionCount = 0;

  readonly #server: http.Server;
  readonly #closing = new AbortController();
  readonly #usedCodes = new Set<string>();

  constructor(server: http.Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
    server.on('connection', () => {
      this.connectionCount += 1;
    });
    server.on('request', (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  /** The IM commands this group was the subject of, oldest first. */
  callsOf(groupID: string): string[] {
    return this.calls.filter((call) => call.body.GroupId === groupID).map((call) => call.api);
  }

  /** Resolves as soon as the predicate holds; fails after `limitMs`, naming the calls so far. */
  async waitFor(predicate: (cloud: FakeCloud) => boolean, limitMs = 2000): Promise<void> {
    const endsAtMs = performance.now() + limitMs;
    while (!predicate(this)) {
      if (performance.now() > endsAtMs) {
        const seen = this.calls.map(({ api, body }) => `${api} ${body.GroupId ?? ''}`).join(', ');
        throw new Error(`Not seen within ${limitMs} ms. The calls: ${seen || 'none'}.`);
      }
      await delay(5);
    }
  }

  /** Forgets the calls so far; groups and codes stay. */
  forgetCalls(): void {
    this.calls.length = 0;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await readCall(request);
    this.calls.push(call);
    const service = this.#serviceOf(call);
    if (service === undefined) {
      sendJson(response, { status: 404, body: { code: 404, message: 'There is no such path.' } });
      return;
    }
    const behaviour = typeof service.mode === 'function' ? service.mode(call) : service.mode;
    if (behaviour === 'slow') await delay(this.slowMs, undefined, { signal: this.#closing.signal });
    if (behaviour === 'ok' || behaviour === 'slow') {
      sendJson(response, { status: 200, body: service.answer(call) });
    } else if (typeof behaviour === 'string') {
      misbehave(response, behaviour);
    } else if ('errorCode' in behaviour) {
      sendJson(response, { status: 200, body: service.refuse(behaviour.errorCode) });
    } else {
      response.writeHead(behaviour.status, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(behaviour.body);
    }
  }

  #serviceOf(call: CloudCall): Service | undefined {
    if (call.path.startsWith('/v4/')) {
      return { mode: this.imMode, answer: (asked) => this.#answerAsIm(asked), refuse: imReply };
    }
    if (call.path === '/sns/jscode2session') {
      const answer = (asked: CloudCall) => this.#answerAsWechat(asked);
      return { mode: this.wechatMode, answer, refuse: wechatReply };
    }
    if (call.path === '/common_access' && call.method === 'GET') {
      return { mode: this.liveMode, answer: liveStream, refuse: (ret) => ({ ret }) };
    }
    return undefined;
  }

  #answerAsIm(call: CloudCall): JsonObject {
    const formError = imFormErrorOf(call);
    if (formError !== 0) return imReply(formError);
    switch (call.path) {
      case '/v4/group_open_http_svc/create_group':
        return this.#createGroup(call);
      case '/v4/group_open_http_svc/destroy_group':
        return imReply(this.groups.delete(groupIDOf(call)) ? 0 : 10010);
      case '/v4/group_open_http_svc/send_group_system_notification':
        return imReply(this.#errorOfSending(call, isText(call.body.Content)));
      case '/v4/group_open_http_svc/send_group_msg':
        return imReply(this.#errorOfSending(call, isGroupMessage(call.body)));
      default:
        return imReply(60008);
    }
  }

  #createGroup(call: CloudCall): JsonObject {
    const groupID = groupIDOf(call);
    const { Type, Name } = call.body;
    if (!isText(Type) || !isText(Name) || Buffer.byteLength(Name) > 30) return imReply(10004);
    if (!/^[\x20-\x7e]{1,48}$/.test(groupID) || groupID.startsWith('@TGS#')) return imReply(10015);
    if (this.foreignGroups.has(groupID)) return imReply(10021);
    if (this.groups.has(groupID)) return imReply(10025);
    this.groups.add(groupID);
    return { ...imReply(0), GroupId: groupID };
  }

  #errorOfSending(call: CloudCall, isWellFormed: boolean): number {
    if (!isWellFormed) return 10004;
    return this.groups.has(groupIDOf(call)) ? 0 : 10010;
  }

  #answerAsWechat({ query }: CloudCall): JsonObject {
    const { appid, secret, js_code: code, grant_type: grantType } = query;
    if (!appid) return wechatReply(41002);
    if (!secret) return wechatReply(41004);
    if (!code) return wechatReply(41008);
    if (grantType !== 'authorization_code') return wechatReply(40002);
    const openid = this.codes.get(code);
    if (openid === undefined) return wechatReply(40029);
    if (this.#usedCodes.has(code)) return wechatReply(40163);
    this.#usedCodes.add(code);
    return { openid, session_key: 'session-key-of-the-test' };
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

interface Service {
  readonly mode: CloudMode;
  readonly answer: (call: CloudCall) => JsonObject;
  readonly refuse: (errorCode: number) => JsonObject;
}

async function readCall(request: IncomingMessage): Promise<CloudCall> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const body = await text(request);
  return {
    api: url.pathname.slice(url.pathname.lastIndexOf('/') + 1),
    method: request.method ?? '',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    contentType: request.headers['content-type'] ?? '',
    text: body,
    body: jsonObjectOf(body) ?? {},
    atMs: Date.now(),
  };
}

function jsonObjectOf(json: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function sendJson(
  response: ServerResponse,
  { status, body }: { status: number; body: JsonObject },
): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

type Misbehaviour = Exclude<Extract<CloudBehaviour, string>, 'ok' | 'slow'>;

function misbehave(response: ServerResponse, behaviour: Misbehaviour): void {
  const misdeeds: Record<Misbehaviour, () => void> = {
    hang: () => {},
    reset: () => response.socket?.resetAndDestroy(),
    http500: () => sendJson(response, { status: 500, body: imReply(0) }),
    html: () => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html><body>It works!</body></html>');
    },
    // A good answer but for its size, so that only a size limit can tell.
    huge: () =>
      sendJson(response, { status: 200, body: { ...imReply(0), padding: 'x'.repeat(2 ** 20) } }),
    redirect: () => {
      response.writeHead(307, { location: '/redirected' });
      response.end();
    },
  };
  misdeeds[behaviour]();
}

function imReply(errorCode: number): JsonObject {
  const isOk = errorCode === 0;
  return {
    ActionStatus: isOk ? 'OK' : 'FAIL',
    ErrorCode: errorCode,
    ErrorInfo: isOk ? '' : `refused with ${errorCode}`,
  };
}

function wechatReply(errcode: number): JsonObject {
  return { errcode, errmsg: `refused with ${errcode}, rid: 1` };
}

function liveStream(): JsonObject {
  return { ret: 0, output: [{ status: 1 }] };
}

/** What the gateway of IM says about a call that does not have its form; 0 when it has. */
function imFormErrorOf({ method, query, contentType, text: json }: CloudCall): number {
  if (method !== 'POST') return 60009;
  if (!/^application\/json\b/.test(contentType) || !jsonObjectOf(json)) return 60003;
  if (query.contenttype !== 'json') return 60003;
  if (!/^[1-9]\d*$/.test(query.sdkappid ?? '')) return 60012;
  if (!query.identifier || !query.usersig) return 60004;
  return isUint32(Number(query.random || Number.NaN)) ? 0 : 60003;
}

function groupIDOf({ body }: CloudCall): string {
  return isText(body.GroupId) ? body.GroupId : '';
}

function isGroupMessage({ Random, MsgBody }: JsonObject): boolean {
  if (!isUint32(Random) || !Array.isArray(MsgBody) || MsgBody.length !== 1) return false;
  const { MsgType, MsgContent } = MsgBody[0] ?? {};
  return MsgType === 'TIMCustomElem' && isText(MsgContent?.Data);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isUint32(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32;
}
