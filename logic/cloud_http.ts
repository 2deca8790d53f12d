import http from 'node:http';
import https from 'node:https';
import axios, { type AxiosInstance } from 'axios';

/** From looking up the host to the last byte of the answer. */
const CALL_LIMIT_MS = 3000;
/** Answers are some hundred bytes; more is not from a cloud we know. */
const ANSWER_BYTES_MAX = 64 * 1024;
const SOCKETS_MAX = 64;
/** Firewalls forget quiet connections without a word; the next call on one would hang. */
const SOCKET_IDLE_MS = 30_000;

export type JsonObject = Readonly<Record<string, unknown>>;

/** One question to a cloud. */
export interface CloudRequest {
  /** Where the cloud is: scheme and host, perhaps a port and a path. */
  readonly host: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Present: it is posted, as JSON. */
  readonly body?: JsonObject;
  /** Ends the wait for an answer; made by `newLimit`. */
  readonly signal: AbortSignal;
}

/** Why a cloud gave no usable answer, in words that hold nothing of the request. */
export class CloudHttpError extends Error {
  override readonly name = 'CloudHttpError';
}

/** The connections to one foreign cloud, which answers in JSON. */
export class CloudHttp {
  readonly #callLimitMs: number;
  readonly #agents = newAgents();
  readonly #axios: AxiosInstance;
  #isClosed = false;

  constructor({ callLimitMs = CALL_LIMIT_MS }: { readonly callLimitMs?: number | undefined } = {}) {
    this.#callLimitMs = callLimitMs;
    this.#axios = newAxios(this.#agents);
  }

  /** The time one call may take, 3 s unless told, or several calls that belong together. */
  newLimit(): AbortSignal {
    // The library's own `timeout` starts only when the connection stands.
    return AbortSignal.timeout(this.#callLimitMs);
  }

  /** The JSON object a cloud answers with HTTP status 200; all else is a `CloudHttpError`. */
  async fetchJson(request: CloudRequest): Promise<JsonObject> {
    const { status, data } = await this.#fetchText(request);
    if (status !== 200) throw new CloudHttpError(`HTTP status ${status}`);
    const json = jsonObjectOf(data);
    if (json === undefined) throw new CloudHttpError('the answer is not a JSON object');
    return json;
  }

  /** Gives up connections; calls under way and later ones fail. */
  close(): void {
    this.#isClosed = true;
    this.#agents.httpAgent.destroy();
    this.#agents.httpsAgent.destroy();
  }

  async #fetchText(request: CloudRequest): Promise<{ status: number; data: unknown }> {
    if (this.#isClosed) throw new CloudHttpError('its connections are closed');
    const { body: data, signal } = request;
    const method = data === undefined ? 'GET' : 'POST';
    try {
      return await this.#axios.request<unknown>({ method, url: urlOf(request), data, signal });
    } catch (error) {
      this.#dropIdleSockets();
      // The library's error holds the URL, and with it keys and signatures: it ends here.
      throw new CloudHttpError(signal.aborted ? 'no answer in time' : troubleOf(error));
    }
  }

  /** What broke one connection has often broken the quiet ones too; each would cost a call to find out. */
  #dropIdleSockets(): void {
    const pools = [this.#agents.httpAgent.freeSockets, this.#agents.httpsAgent.freeSockets];
    const sockets = pools.flatMap((pool) => Object.values(pool)).flatMap((idle) => idle ?? []);
    for (const socket of sockets) socket.destroy();
  }
}

type Agents = ReturnType<typeof newAgents>;

function newAgents(): { readonly httpAgent: http.Agent; readonly httpsAgent: https.Agent } {
  const options = { keepAlive: true, maxSockets: SOCKETS_MAX, timeout: SOCKET_IDLE_MS };
  return { httpAgent: new http.Agent(options), httpsAgent: new https.Agent(options) };
}

function newAxios(agents: Agents): AxiosInstance {
  return axios.create({
    ...agents,
    adapter: 'http',
    maxContentLength: ANSWER_BYTES_MAX,
    maxRedirects: 0,
    proxy: false,
    responseType: 'text',
    validateStatus: () => true,
  });
}

function urlOf({ host, path, query }: CloudRequest): string {
  return `${host.replace(/\/+$/, '')}${path}?${new URLSearchParams(query)}`;
}

function troubleOf(error: unknown): string {
  return (axios.isAxiosError(error) && error.code) || 'the connection failed';
}

function jsonObjectOf(text: unknown): JsonObject | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
