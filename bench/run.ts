/**
 * Measures the service as ratios to a bare node:http server in the same run: interleaved rounds,
 * medians with their spread. `--quick` takes fewer rounds of shorter length.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Measured, postBytes, runLoad } from './load.ts';
import { fillDatabase, PUSHERS_PER_ROOM, tokenOf } from './prepare.ts';

const isQuick = process.argv.includes('--quick');
const ROUNDS = isQuick ? 3 : 7;
const ROUND_MS = isQuick ? 1_500 : 4_000;
const WARM_UP_MS = isQuick ? 1_000 : 2_000;
const ROOMS = isQuick ? 5_000 : 25_000;
const CONNECTIONS = 64;
const BIG_PAGE = 20;

interface Scenario {
  readonly name: string;
  readonly server: 'bare' | 'roomkeep';
  readonly next: (turn: number) => Buffer;
}

const here = dirname(fileURLToPath(import.meta.url));

const SCENARIOS: readonly Scenario[] = [
  { name: 'bare', server: 'bare', next: beat },
  { name: 'pusher_heartbeat', server: 'roomkeep', next: beat },
  { name: 'get_pushers', server: 'roomkeep', next: getPushers },
  { name: 'get_room_list, first page', server: 'roomkeep', next: () => listAt(0) },
  { name: 'get_room_list, last page', server: 'roomkeep', next: () => listAt(ROOMS - BIG_PAGE) },
  { name: 'add_pusher, update', server: 'roomkeep', next: addPusher },
  { name: 'add_pusher, new room each', server: 'roomkeep', next: newRoom },
];

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'roomkeep-bench-'));
  const children: ChildProcess[] = [];
  try {
    console.log(`Filling a database with ${ROOMS * PUSHERS_PER_ROOM} live pushers ...`);
    fillDatabase(join(folder, 'bench.db'), { rooms: ROOMS });
    const ports = {
      bare: await startServer(children, 'bench/bare.js', {}),
      roomkeep: await startServer(children, 'app.js', environment(folder)),
    };
    await report(await measureAll(ports));
  } finally {
    await Promise.all(children.map(stopServer));
    await rm(folder, { recursive: true, force: true });
  }
}

function environment(folder: string): Record<string, string> {
  return {
    ROOMKEEP_PORT: '0',
    ROOMKEEP_HOST: '127.0.0.1',
    ROOMKEEP_DATADIR: folder,
    ROOMKEEP_SQLITE__FILE: join(folder, 'bench.db'),
    ROOMKEEP_LOG__DIR: join(folder, 'logs'),
    ROOMKEEP_AUTH__MODE: 'token',
    ROOMKEEP_MULTI_ROOM__HEARTBEATTIMEOUT: '3600',
  };
}

async function startServer(
  children: ChildProcess[],
  program: string,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const command = [process.execPath, '--enable-source-maps', join(here, '..', program)];
  const pinned = cpus().length > 1 && existsSync('/usr/bin/taskset');
  const [file = '', ...rest] = pinned ? ['taskset', '-c', '0', ...command] : command;
  const child = spawn(file, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  for (let said = ''; ; ) {
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    said += chunk.toString();
    const port = said.match(/listening on \S+:(\d+)/)?.[1];
    if (port !== undefined) return Number(port);
  }
}

async function stopServer(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill();
  await exited;
}

async function measureAll(ports: Readonly<Record<Scenario['server'], number>>) {
  const samples = new Map<string, Measured[]>(SCENARIOS.map(({ name }) => [name, []]));
  const total = (ROUNDS + 1) * SCENARIOS.length;
  let turn = 0;
  let done = 0;
  for (let round = 0; round <= ROUNDS; round++)
    for (const { name, server, next } of SCENARIOS) {
      const durationMs = round === 0 ? WARM_UP_MS : ROUND_MS;
      const port = ports[server];
      const measured = await runLoad({
        port,
        connections: CONNECTIONS,
        durationMs,
        next: () => next(turn++),
      });
      if (round > 0) samples.get(name)?.push(measured);
      done += 1;
      const leftS = Math.ceil(((total - done) * ROUND_MS) / 1_000);
      process.stderr.write(`\r${done}/${total}, about ${leftS} s left   `);
    }
  process.stderr.write('\n');
  return samples;
}

async function report(samples: ReadonlyMap<string, readonly Measured[]>): Promise<void> {
  const rateOf = (name: string) => medianOf((samples.get(name) ?? []).map((m) => m.perSecond));
  const bare = rateOf('bare');
  console.log('\nratio  (spread)      per second   p50 ms   p99 ms  refused');
  for (const [name, rounds] of samples) {
    const rates = rounds.map(({ perSecond }) => perSecond / bare);
    const cells = [
      (rateOf(name) / bare).toFixed(3),
      `(${Math.min(...rates).toFixed(2)}-${Math.max(...rates).toFixed(2)})`.padEnd(12),
      rateOf(name).toFixed(0).padStart(10),
      medianOf(rounds.map(({ p50Ms }) => p50Ms))
        .toFixed(2)
        .padStart(8),
      medianOf(rounds.map(({ p99Ms }) => p99Ms))
        .toFixed(2)
        .padStart(8),
      String(rounds.reduce((sum, { refused }) => sum + refused, 0)).padStart(8),
    ];
    console.log(`${cells.join(' ')}  ${name}`);
  }
  const facts = {
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    rooms: ROOMS,
  };
  const results = join(process.cwd(), 'bench', 'results');
  await mkdir(results, { recursive: true });
  const file = join(results, 'latest.json');
  await writeFile(file, JSON.stringify({ facts, samples: Object.fromEntries(samples) }, null, 1));
  console.log(`\n${JSON.stringify(facts)}\nSamples: ${file}`);
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function somebody(turn: number): { readonly roomID: string; readonly userID: string } {
  const room = (turn * 7_919) % ROOMS;
  return { roomID: `r${room}`, userID: `u${room}x${turn % PUSHERS_PER_ROOM}` };
}

function pathOf(action: string, userID: string): string {
  return `/weapp/multi_room/${action}?userID=${userID}&token=${tokenOf(userID)}`;
}

function beat(turn: number): Buffer {
  const member = somebody(turn);
  return postBytes(pathOf('pusher_heartbeat', member.userID), member);
}

function getPushers(turn: number): Buffer {
  const { roomID, userID } = somebody(turn);
  return postBytes(pathOf('get_pushers', userID), { roomID });
}

function listAt(index: number): Buffer {
  return postBytes(pathOf('get_room_list', 'u0x0'), { index, cnt: BIG_PAGE });
}

function seatOf(userID: string) {
  const pushURL = `rtmp://8525.livepush.myqcloud.com/live/8525_${userID}_0a1b?bizid=8525&txSecret=557464dd0bc1afc35041aa14f2986bd5&txTime=655D2B80`;
  return { userID, userName: 'Somebody', userAvatar: 'https://example.com/1.png', pushURL };
}

function addPusher(turn: number): Buffer {
  const { roomID, userID } = somebody(turn);
  return postBytes(pathOf('add_pusher', userID), { roomID, ...seatOf(userID) });
}

function newRoom(turn: number): Buffer {
  const { userID } = somebody(turn);
  return postBytes(pathOf('add_pusher', userID), { roomID: `new${turn}`, ...seatOf(userID) });
}

await main();
