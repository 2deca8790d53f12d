import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Whoever waits longer will get no answer any more. */
const LATE_MS = 10_000;

/** One answer, as it came over the wire. */
export interface WireAnswer {
  readonly method: string;
  readonly status: number;
  readonly contentType: string;
  readonly requestID: string;
  readonly raw: string;
  /** {} when the answer has no body. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The service answered, rather than the reader of HTTP before it. */
  readonly isLogged: boolean;
}

/** A kept connection on which requests are pipelined byte by byte as they are given. */
export class Wire {
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** The answers to requests of these methods, in their order; fewer if the connection ends. */
  send(bytes: Buffer, methods: readonly string[]): Promise<WireAnswer[]> {
    const socket = this.#connected();
    const received: Buffer[] = [];
    return new Promise<WireAnswer[]>((resolve, reject) => {
      const read = ({ isEnd = false } = {}) => {
        const answers = answersIn(Buffer.concat(received), methods);
        if (isEnd || answers.length >= methods.length) resolve(answers);
      };
      const orReject = (step: () => void) => () => {
        try {
          step();
        } catch (error) {
          reject(error);
        }
      };
      socket.removeAllListeners('data').removeAllListeners('close');
      socket.on('data', (data: Buffer) => orReject(() => received.push(data) && read())());
      socket.on(
        'close',
        orReject(() => read({ isEnd: true })),
      );
      socket.write(bytes);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #connected(): Socket {
    if (this.#socket === undefined || this.#socket.destroyed) {
      this.#socket = connect(this.#port, '127.0.0.1');
      this.#socket.on('error', () => {});
      this.#socket.setTimeout(LATE_MS, () => this.#socket?.destroy());
    }
    return this.#socket;
  }
}

/** One connection: sends, waits a little for an answer, hangs up, and gives all that came. */
export async function exchange(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const received: Buffer[] = [];
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (data: Buffer) => {
      received.push(data);
      resolve();
    });
  });
  socket.write(bytes);
  await Promise.race([answered, closed, delay(60)]);
  socket.end();
  await Promise.race([closed, delay(5_000).then(() => assert.fail(`Not closed: ${shown(bytes)}`))]);
  return Buffer.concat(received);
}

/** Every whole answer; anything between them that is none is a failure. */
export function answersIn(bytes: Buffer, methods: readonly string[]): WireAnswer[] {
  const answers: WireAnswer[] = [];
  let rest = bytes.toString('latin1');
  for (;;) {
    const [head] = /^HTTP\/1\.1 [\s\S]*?\r\n\r\n/.exec(rest) ?? [];
    if (head === undefined) break;
    const status = Number(head.slice(9, 12));
    const isInterim = status < 200;
    const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0);
    const method = methods[answers.length] ?? '';
    const bodyLength = method === 'HEAD' || isInterim ? 0 : length;
    if (rest.length < head.length + bodyLength) break;
    const raw = rest.slice(head.length, head.length + bodyLength);
    rest = rest.slice(head.length + bodyLength);
    if (!isInterim) answers.push(answerOf({ head, raw, method, status }));
  }
  assert.ok(rest === '' || 'HTTP/1.1 '.startsWith(rest.slice(0, 9)), `No answer: ${rest}`);
  return answers;
}

function answerOf(parts: {
  head: string;
  raw: string;
  method: string;
  status: number;
}): WireAnswer {
  const { head, method, status } = parts;
  const headerOf = (name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1] ?? '';
  const raw = Buffer.from(parts.raw, 'latin1').toString('utf8');
  const body = method === 'HEAD' ? {} : (JSON.parse(raw) as Record<string, unknown>);
  return {
    method,
    status,
    contentType: headerOf('content-type'),
    requestID: headerOf('x-request-id'),
    raw,
    body,
    isLogged: method === 'HEAD' || body.code === 0 || 'error' in body,
  };
}

/** A plain request, whole. */
export function jsonRequest(path: string, body: unknown): Buffer {
  const bytes = Buffer.from(JSON.stringify(body));
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** As much of what was sent as helps to find out why it was answered so. */
export function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1').slice(0, 1500));
}
