import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Sent {
  readonly method: string;
  /** Path and query exactly as they go over the wire. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly tookMs: number;
}

/** A client that sends what it is told: unlike `fetch` it tidies up neither paths nor headers. */
export class WireHttp {
  readonly #origin: URL;
  readonly #agent = new http.Agent({ keepAlive: true });

  constructor(origin: URL) {
    this.#origin = origin;
  }

  async send({ method, target, headers, body }: Sent): Promise<Answered> {
    const { hostname, port } = this.#origin;
    const startedAtMs = performance.now();
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const request = http.request({
      agent: this.#agent,
      hostname,
      port,
      method,
      path: target,
      headers: { ...headers, ...length },
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const answer = await text(response);
    const tookMs = performance.now() - startedAtMs;
    return { status: response.statusCode ?? 0, headers: response.headers, text: answer, tookMs };
  }

  close(): void {
    this.#agent.destroy();
  }
}
