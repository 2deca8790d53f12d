/** A load generator that costs little itself: raw sockets, prepared requests, counted answers. */
import { connect, type Socket } from 'node:net';

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  /** The next request to send, as bytes. */
  readonly next: () => Buffer;
}

export interface Measured {
  readonly perSecond: number;
  /** Answers that were not code 0. */
  readonly refused: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Keeps one request outstanding on every connection until the time is up. */
export async function runLoad(load: Load): Promise<Measured> {
  const latenciesMs: number[] = [];
  let refused = 0;
  const startedAtMs = performance.now();
  const untilMs = startedAtMs + load.durationMs;
  await Promise.all(
    Array.from({ length: load.connections }, () =>
      useConnection(load, untilMs, (tookMs, isOk) => {
        latenciesMs.push(tookMs);
        if (!isOk) refused += 1;
      }),
    ),
  );
  const tookS = (performance.now() - startedAtMs) / 1_000;
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0;
  return { perSecond: latenciesMs.length / tookS, refused, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function useConnection(
  load: Load,
  untilMs: number,
  count: (tookMs: number, isOk: boolean) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(load.port, '127.0.0.1');
    let sentAtMs = 0;
    let pending = '';
    const send = () => {
      sentAtMs = performance.now();
      socket.write(load.next());
    };
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (text: string) => {
      pending += text;
      if (!isWhole(pending)) return;
      const nowMs = performance.now();
      count(nowMs - sentAtMs, pending.includes('"code":0'));
      pending = '';
      if (nowMs < untilMs) return send();
      socket.destroy();
      resolve();
    });
  });
}

function isWhole(answer: string): boolean {
  const headEnd = answer.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const at = answer.toLowerCase().indexOf('content-length: ');
  const length = Number.parseInt(answer.slice(at + 16, at + 26), 10);
  return answer.length >= headEnd + 4 + length;
}

/** The bytes of a JSON POST. */
export function postBytes(path: string, body: object): Buffer {
  const text = JSON.stringify(body);
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
