import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout as realSleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type BetterSqlite3 from 'better-sqlite3';
import LibSql from 'libsql';
import { type FakeCloud, startFakeCloud } from './fake_cloud.ts';

const Database = LibSql as unknown as typeof BetterSqlite3;
const PROGRAM = fileURLToPath(new URL('../app.js', import.meta.url));
const NOTICE = 'send_group_system_notification';
const SEATS = 6;

describe('a process that is killed in the middle of a burst of joins', () => {
  it('has lost nothing it acknowledged, and nobody who is alive, when it comes back', async () => {
    await using house = await openHouse({
      multi_room: { heartBeatTimeout: 3, sweepInterval: 0.2 },
    });
    await using alive = new Beaters();
    const joined: Member[] = [];
    for (let round = 0; round < 4; round++) {
      await using service = await house.start();
      await alive.turnTo(service);
      const roomIDs = await Promise.all(times(125, () => openRoom(service)));
      const wanted = roomIDs.flatMap((roomID) => {
        return times(SEATS - 1, (seat): Member => ({ roomID, userID: `u${seat}` }));
      });
      const acknowledged = await joinUntilKilled(service, { wanted, killAfter: 500 });
      assert.ok(acknowledged.length >= 500 && acknowledged.length < wanted.length);
      joined.push(...acknowledged);
    }
    await using service = await house.start();
    await alive.turnTo(service);
    await assertSeated(service, joined);
    await alive.outlive(service);
    await house.allHeard();
    await service.stop();
    const state = readState(house.file);
    assertConsistent(state);
    assertHeard(state, house.cloud);
  });
});

describe('a process that is told to stop', () => {
  it('answers what it was asked, loses nothing, and ends with 0', async () => {
    await using house = await openHouse();
    await using service = await house.start();
    const roomIDs = await Promise.all(times(60, () => openRoom(service)));
    house.cloud.imMode = 'slow';
    house.cloud.slowMs = 300;
    const created = times(5, (index) => createRoom(service, `late${index}`));
    await house.cloud.waitFor((cloud) => cloud.callsOf('late4').length === 1);
    const wanted = roomIDs.flatMap((roomID) => {
      return times(SEATS - 1, (seat): Member => ({ roomID, userID: `u${seat}` }));
    });
    const joining = joinWhileAnswered(service, wanted, (count) => {
      if (count === 100) service.process.kill('SIGTERM');
    });
    for (const answer of await Promise.all(created)) assert.equal(answer.code, 0);
    const { joined, failures } = await joining;
    // Whoever had a connection was answered on it; only new ones were refused.
    assert.deepEqual(
      failures.filter((trouble) => trouble !== 'connect'),
      [],
    );
    assert.equal(await service.exitCode, 0);
    house.cloud.imMode = 'ok';
    await using again = await house.start();
    await assertSeated(again, joined);
    for (const index of times(5, (number) => number))
      assert.equal((await createRoom(again, `late${index}`)).code, 2);
    await again.stop();
    assertConsistent(readState(house.file));
  });

  it('ends with 1 at once when it is told twice', async () => {
    await using house = await openHouse();
    await using service = await house.start();
    house.cloud.imMode = 'hang';
    const created = createRoom(service, 'late').catch(() => undefined);
    await house.cloud.waitFor((cloud) => cloud.callsOf('late').length === 1);
    service.process.kill('SIGTERM');
    await eventuallyRefused(service);
    service.process.kill('SIGTERM');
    assert.equal(await service.exitCode, 1);
    await created;
  });

  it('ends with 1 when stopping takes longer than it may', async () => {
    await using house = await openHouse({ process: { stopTimeout: 0.4 } });
    await using service = await house.start();
    const roomID = await openRoom(service);
    house.cloud.imMode = 'hang';
    const member = { ...PERSON, roomID, userID: 'bob' };
    assert.equal((await service.post('/add_pusher', member)).code, 0);
    await house.cloud.waitFor((cloud) => cloud.callsOf(roomID).includes(NOTICE));
    service.process.kill('SIGINT');
    assert.equal(await service.exitCode, 1);
  });
});

describe('a process that cannot start', { concurrency: true }, () => {
  it('because another one has the file says so, and can as soon as that one is killed', async () => {
    await using house = await openHouse();
    await using service = await house.start();
    const { code, stderr } = await house.run();
    assert.equal(code, 1);
    assert.match(stderr, /roomkeep\.db is in use by another process/);
    assert.equal((await createRoom(service, 'demo')).code, 0);
    await service.kill();
    await using again = await house.start();
    assert.equal((await createRoom(again, 'demo')).code, 2);
  });

  const refusals = [
    {
      says: 'a number that is none',
      env: { ROOMKEEP_ROOM__MAXMEMBERS: 'many' },
      key: 'room.maxMembers',
    },
    {
      says: 'a key nobody knows',
      env: { ROOMKEEP_ROOM__MAXMEMBER: '3' },
      key: 'ROOMKEEP_ROOM__MAXMEMBER',
    },
  ];
  for (const { says, env, key } of refusals)
    it(`for ${says} names the key, and nothing else happens`, async () => {
      await using house = await openHouse();
      const { code, stdout, stderr } = await house.run(env);
      assert.equal(code, 1);
      assert.ok(stderr.includes(key), stderr);
      assert.ok(!stderr.includes('    at '), 'no stack for a mistake of the operator');
      assert.equal(stdout, '');
    });
});

describe('a disk that is full', () => {
  const skip = canLimit() ? false : 'This system has no prlimit, by which a disk seems full.';

  it('refuses what would change something, keeps the rest, and needs no restart', {
    skip,
  }, async () => {
    await using house = await openHouse();
    await using service = await house.start();
    const roomIDs = await Promise.all(times(40, () => openRoom(service)));
    limitFiles(service, (await stat(`${house.file}-wal`)).size + 60_000);
    const joined: Member[] = [];
    const refused: Member[] = [];
    for (const roomID of roomIDs) {
      const member = { roomID, userID: 'bob' };
      const { code } = await service.post('/add_pusher', { ...PERSON, ...member });
      assert.ok(code === 0 || code === 6, String(code));
      (code === 0 ? joined : refused).push(member);
    }
    assert.ok(joined.length > 0 && refused.length > 0);
    assert.equal((await createRoom(service, 'late')).code, 6);
    assert.equal((await service.post('/get_pushers', { roomID: 'late' })).code, 3);
    await assertSeated(service, joined);
    for (const member of refused)
      assert.equal((await service.post('/pusher_heartbeat', member)).code, 5);
    limitFiles(service, 'unlimited');
    assert.equal((await createRoom(service, 'later')).code, 0);
    for (const member of refused)
      assert.equal((await service.post('/add_pusher', { ...PERSON, ...member })).code, 0);
    await service.kill();
    await using again = await house.start();
    await assertSeated(again, [...joined, ...refused]);
    await again.stop();
    assertConsistent(readState(house.file));
  });
});

function canLimit(): boolean {
  return spawnSync('prlimit', ['--version']).status === 0;
}

/** No file of the service can grow beyond this: writing more fails, as on a full disk. */
function limitFiles(service: Service, bytes: number | 'unlimited'): void {
  const pid = String(service.process.pid);
  const args = ['--pid', pid, `--fsize=${bytes}:unlimited`];
  assert.equal(spawnSync('prlimit', args).status, 0);
}

/** Pushers who say that they are alive whenever somebody listens, where silence is short. */
class Beaters implements AsyncDisposable {
  readonly #members = times(12, (index): Member => {
    return { roomID: `alive${index % 3}`, userID: `b${index}` };
  });
  readonly #stopped = new AbortController();
  readonly #beating: Promise<void>;
  #service: Service | undefined;

  constructor() {
    this.#beating = this.#beatOn();
  }

  /** Goes on with this run of the program; at the first one everybody joins. */
  async turnTo(service: Service): Promise<void> {
    if (this.#service === undefined)
      for (const member of this.#members) assert.equal((await join(service, member)).code, 0);
    this.#service = service;
    await this.#beatAll(service);
  }

  /** Lives on for longer than somebody who joins now and never beats. */
  async outlive(service: Service): Promise<void> {
    const silent: Member = { roomID: 'quiet', userID: 'silent' };
    assert.equal((await join(service, silent)).code, 0);
    const path = '/weapp/multi_room/get_pushers?userID=eve';
    const isThere = async () => (await service.post(path, silent)).code === 0;
    for (let attempt = 0; attempt < 100 && (await isThere()); attempt++) await realSleep(100);
    assert.equal(await isThere(), false);
    await this.#beatAll(service);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#beating;
  }

  async #beatOn(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const service = this.#service;
      // While the program is down nobody listens.
      if (service?.process.exitCode === null) await this.#beatAll(service).catch(() => undefined);
      await realSleep(250);
    }
  }

  async #beatAll(service: Service): Promise<void> {
    const path = '/weapp/multi_room/pusher_heartbeat?userID=';
    const answers = await Promise.all(
      this.#members.map((member) => service.post(path + member.userID, member)),
    );
    assert.deepEqual(
      answers.filter(({ code }) => code !== 0),
      [],
    );
  }
}

function join(service: Service, member: Member): Promise<Answer> {
  const path = `/weapp/multi_room/add_pusher?userID=${member.userID}`;
  return service.post(path, { ...PERSON, ...member });
}

interface Member {
  readonly roomID: string;
  readonly userID: string;
}

const PERSON = { userName: 'n', userAvatar: '', pushURL: 'rtmp://localhost:1935/live/x' };

async function openRoom(service: Service): Promise<string> {
  const room = { ...PERSON, userID: 'ann', roomName: 'r' };
  const { code, roomID } = await service.post('/create_room', room);
  assert.equal(code, 0);
  return String(roomID);
}

function createRoom(service: Service, roomID: string): Promise<Answer> {
  return service.post('/create_room', { roomID, userID: 'ann', roomInfo: 'r' });
}

/** Kills the process while many joins are under way; answers those it acknowledged. */
async function joinUntilKilled(
  service: Service,
  { wanted, killAfter }: { readonly wanted: readonly Member[]; readonly killAfter: number },
): Promise<Member[]> {
  const { joined } = await joinWhileAnswered(service, wanted, (count) => {
    if (count === killAfter) service.process.kill('SIGKILL');
  });
  await service.exitCode;
  return joined;
}

/** Joins, many at a time, until nobody answers any more: who was acknowledged, and how it ended. */
async function joinWhileAnswered(
  service: Service,
  wanted: readonly Member[],
  onJoined: (count: number) => void,
): Promise<{ readonly joined: Member[]; readonly failures: string[] }> {
  const joined: Member[] = [];
  const failures: string[] = [];
  const waiting = [...wanted];
  const work = async () => {
    for (let member = waiting.shift(); member !== undefined; member = waiting.shift()) {
      const answer = await service
        .post('/add_pusher', { ...PERSON, ...member })
        .catch((error: Error) => failures.push(troubleOf(error)));
      if (typeof answer === 'number') return;
      assert.equal(answer.code, 0);
      joined.push(member);
      onJoined(joined.length);
    }
  };
  await Promise.all(times(24, work));
  return { joined, failures };
}

/** `connect` when no connection could be made, else what broke the one there was. */
function troubleOf({ syscall, code, message }: NodeJS.ErrnoException): string {
  return syscall === 'connect' ? syscall : (code ?? message);
}

async function assertSeated(service: Service, members: readonly Member[]): Promise<void> {
  const roomIDs = [...new Set(members.map(({ roomID }) => roomID))];
  const seated = new Map<string, Set<string>>();
  await Promise.all(
    roomIDs.map(async (roomID) => {
      const { pushers } = await service.post('/get_pushers', { roomID });
      const userIDs = (pushers as readonly Member[]).map(({ userID }) => userID);
      assert.ok(userIDs.length <= SEATS, `${userIDs.length} in ${roomID}`);
      seated.set(roomID, new Set(userIDs));
    }),
  );
  const lost = members.filter(({ roomID, userID }) => !seated.get(roomID)?.has(userID));
  assert.deepEqual(lost, []);
  const beats = await Promise.all(
    members.slice(0, 300).map((member) => service.post('/pusher_heartbeat', member)),
  );
  assert.ok(beats.every(({ code }) => code === 0));
}

async function eventuallyRefused(service: Service): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isRefused = await fetch(service.url).then(
      () => false,
      () => true,
    );
    if (isRefused) return;
    await realSleep(10);
  }
  assert.fail('The service went on accepting connections.');
}

interface RoomRow {
  readonly epoch: number;
  readonly room_id: string;
  readonly state: string;
  readonly seq: number;
  readonly pusher_count: number;
}

interface EventRow {
  readonly epoch: number;
  readonly seq: number;
  readonly room_id: string;
  readonly type: string;
  readonly reason: string | null;
  readonly at_ms: number;
}

/** What is on the disk, read without our own code. */
function readState(file: string) {
  const db = new Database(file);
  try {
    const all = <Row>(sql: string) => db.prepare<[], Row>(sql).all();
    return {
      rooms: all<RoomRow>('select epoch, room_id, state, seq, pusher_count from rooms'),
      pushers: all<{ readonly epoch: number }>('select epoch from pushers'),
      events: all<EventRow>(
        'select epoch, seq, room_id, type, reason, at_ms from events order by epoch, seq',
      ),
      outbox: all<{ readonly room_id: string }>('select room_id from outbox'),
    };
  } finally {
    db.close();
  }
}

type State = ReturnType<typeof readState>;

function assertConsistent({ rooms, pushers, events }: State): void {
  const seated = countBy(pushers, ({ epoch }) => epoch);
  const logged = new Map<number, EventRow[]>();
  for (const event of events) logged.set(event.epoch, [...(logged.get(event.epoch) ?? []), event]);
  for (const [epoch, life] of logged)
    assert.deepEqual(
      life.map(({ seq }) => seq),
      times(life.length, (index) => index + 1),
      `life ${epoch} has no gap`,
    );
  for (const { epoch, room_id, state, seq, pusher_count } of rooms) {
    assert.notEqual(state, 'reserved');
    const life = logged.get(epoch) ?? [];
    assert.equal(seq, life.length, room_id);
    assert.equal(pusher_count, seated.get(epoch) ?? 0, room_id);
    assert.ok(pusher_count <= SEATS, room_id);
    const joins = life.filter(({ type }) => type === 'pusher_joined').length;
    const leaves = life.filter(({ type }) => type === 'pusher_left').length;
    assert.equal(pusher_count, joins - leaves, room_id);
  }
}

/** Every room heard something after the last change that is worth a notice. */
function assertHeard({ events, outbox }: State, cloud: FakeCloud): void {
  assert.deepEqual(outbox, []);
  const changedAtMs = new Map<string, number>();
  for (const { room_id, type, reason, at_ms } of events)
    if (type.startsWith('pusher_') && reason !== 'room_opened') changedAtMs.set(room_id, at_ms);
  assert.ok(changedAtMs.size > 300);
  const heardAtMs = new Map<string, number>();
  for (const { api, body, atMs } of cloud.calls)
    if (api === NOTICE) heardAtMs.set(String(body.GroupId), atMs);
  for (const [roomID, atMs] of changedAtMs)
    assert.ok((heardAtMs.get(roomID) ?? 0) >= atMs, `${roomID} heard of its last change`);
}

function countBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, number> {
  const counts = new Map<K, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

type Answer = Readonly<Record<string, unknown>> & { readonly code: number };

/** One run of the program. */
interface Service extends AsyncDisposable {
  readonly url: string;
  readonly process: ChildProcess;
  /** Resolves when it ended; -1 when a signal ended it. */
  readonly exitCode: Promise<number>;
  post(path: string, body: unknown): Promise<Answer>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** A folder with the data of a service and the cloud it talks to, both of which outlive its processes. */
interface House extends AsyncDisposable {
  readonly cloud: FakeCloud;
  readonly file: string;
  /** Starts the program and waits until it listens. */
  start(): Promise<Service>;
  /** Runs the program to its end. */
  run(env?: Readonly<Record<string, string>>): Promise<{
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
  }>;
  /** Waits until nothing is left to deliver. */
  allHeard(): Promise<void>;
}

async function openHouse(settings: Readonly<Record<string, unknown>> = {}): Promise<House> {
  const folder = await mkdtemp(joinPath(tmpdir(), 'roomkeep-crash-'));
  const cloud = await startFakeCloud();
  const config = joinPath(folder, 'roomkeep.json');
  const room = { maxMembers: SEATS, heartBeatTimeout: 600, maxIdleDuration: 600 };
  await writeFile(config, JSON.stringify({ room, ...settings }));
  const env = {
    PATH: process.env.PATH,
    ROOMKEEP_CONFIG: config,
    ROOMKEEP_PORT: '0',
    ROOMKEEP_HOST: '127.0.0.1',
    ROOMKEEP_DATADIR: folder,
    ROOMKEEP_LOG__DIR: joinPath(folder, 'logs'),
    ROOMKEEP_AUTH__MODE: 'open',
    ROOMKEEP_IM__SDKAPPID: '1400000001',
    ROOMKEEP_IM__SECRETKEY: 'the-key-of-a-test',
    ROOMKEEP_IM__HOST: cloud.url,
  };
  const file = joinPath(folder, 'roomkeep.db');
  return {
    cloud,
    file,
    start: () => startService(env),
    run: (more = {}) => runToEnd({ ...env, ...more }),
    async allHeard() {
      // The gathering time, and once more what is on its way.
      for (let heard = -1; heard < cloud.calls.length; await realSleep(400))
        heard = cloud.calls.length;
    },
    async [Symbol.asyncDispose]() {
      await cloud.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startService(env: NodeJS.ProcessEnv): Promise<Service> {
  const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exitCode = once(child, 'exit').then(([code]) => (code as number | null) ?? -1);
  const kill = async () => {
    child.kill('SIGKILL');
    await exitCode;
  };
  try {
    const url = await urlSaidBy(child);
    const agent = new Agent({ keepAlive: true });
    return {
      url,
      process: child,
      exitCode,
      post: (path, body) => post(agent, url + path, body),
      async stop() {
        child.kill('SIGTERM');
        assert.equal(await exitCode, 0);
      },
      kill,
      [Symbol.asyncDispose]: kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** Plainer than fetch, which costs these tests more than the service itself. */
async function post(agent: Agent, url: string, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const asked = request(url, { agent, method: 'POST', headers });
  asked.end(JSON.stringify(body));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return JSON.parse(await text(response)) as Answer;
}

async function urlSaidBy({ stdout, stderr }: ChildProcess): Promise<string> {
  assert.ok(stdout && stderr);
  let complaint = '';
  stderr.on('data', (chunk) => {
    complaint += String(chunk);
  });
  let said = '';
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    const url = said.match(/listening on (http:\/\/\S+)/)?.[1];
    if (url === undefined) continue;
    stdout.resume();
    return url.replace(/\/$/, '');
  }
  throw new Error(`The program ended instead of listening: ${complaint}`);
}

async function runToEnd(env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
