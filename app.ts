import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Koa from 'koa';
import { type Config, readConfig, secretValuesOf } from './config.ts';
import { openLogs } from './log_config.ts';
import { Sessions } from './logic/auth.ts';
import { banner } from './logic/banner.ts';
import { type Clock, systemClock } from './logic/clock.ts';
import { ConfigCheck } from './logic/config_check.ts';
import { Heartbeats } from './logic/heartbeats.ts';
import { type ImGroups, localImGroups } from './logic/im_mgr.ts';
import { imNotices } from './logic/im_notices.ts';
import { openTencentIm } from './logic/im_tencent.ts';
import { openJanitor } from './logic/janitor.ts';
import { Lifecycle } from './logic/lifecycle.ts';
import { LiveUtil } from './logic/live_util.ts';
import { type AccessLog, type Log, silentAccessLog, silentLog } from './logic/log.ts';
import { listLogFiles, openLogFile } from './logic/log_files.ts';
import { Logins } from './logic/logins.ts';
import { MeetingMgr } from './logic/meeting_mgr.ts';
import { ROOM_NUMBER_MAX, ROOM_NUMBER_MIN, type RoomKind, spaceOf } from './logic/model.ts';
import { type DeliverySink, Outbox } from './logic/outbox.ts';
import { Readiness } from './logic/readiness.ts';
import { Readmissions } from './logic/readmissions.ts';
import { Reaper } from './logic/reaper.ts';
import { RoomMgr } from './logic/room_mgr.ts';
import { openSqliteStore } from './logic/store/sqlite.ts';
import type { Store } from './logic/store/store.ts';
import { UserSigs } from './logic/user_sig.ts';
import { openWechat, userIDOfOpenID } from './logic/wechat.ts';
import { body } from './middlewares/body.ts';
import { clientIP } from './middlewares/client_ip.ts';
import { drain } from './middlewares/drain.ts';
import { errors } from './middlewares/errors.ts';
import { observe } from './middlewares/observe.ts';
import { listen } from './middlewares/server.ts';
import { mapControllers } from './routes/auto_map.ts';
import type { LogFiles, Services } from './routes/endpoint.ts';
import { buildRouter } from './routes/index.ts';

const PARENT_CHECK_MS = 250;

/** What a program that embeds the service, or a test, brings itself. */
export interface Overrides {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly access?: AccessLog;
  /** Compares every answer with the schema of its endpoint. */
  readonly checksReplies?: boolean;
}

/** A running service. */
export interface App extends AsyncDisposable {
  readonly url: URL;
  /** Sends clients elsewhere, in their next answers; nobody new is let in. Comes before `close`. */
  drain(): Promise<void>;
  /** Finishes what was asked for, then closes everything; idempotent. */
  close(): Promise<void>;
}

/** The only place where parts meet. Everything below is handed what it needs and reaches for nothing. */
export async function startApp(config: Config, overrides: Overrides = {}): Promise<App> {
  const lifecycle = new Lifecycle();
  try {
    return await assemble(config, overrides, lifecycle);
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
}

async function assemble(config: Config, overrides: Overrides, lifecycle: Lifecycle): Promise<App> {
  const clock = overrides.clock ?? systemClock;
  const log = overrides.log ?? silentLog;
  const base: Base = { config, clock, log, lifecycle };

  const sigs = new UserSigs({ keys: config.im, clock });
  const im = openIm(base, sigs);
  const { store, heartbeats, notices } = await openState(base, im);
  const sessions = openSessions(base, store);
  openBackground(base, { store, heartbeats });

  const rooms = new RoomMgr({ ...base, store, heartbeats, im, ...roomSettings(config) });
  const readmissions = new Readmissions({ clock });
  store.subscribe((events) => readmissions.follow(events));
  const readiness = new Readiness({ store, clock });
  const address = { selfHost: config.selfHost ?? '' };
  const services: Services = {
    rooms,
    meetings: new MeetingMgr({ rooms, heartbeats, readmissions, sigs }),
    rules: config.rooms,
    live: new LiveUtil({ settings: config.live, clock, randomHex }),
    logins: openLogins(base, { sigs, sessions }),
    sessions,
    logFiles: logFilesOf(config.log.dir, address),
    configCheck: openConfigCheck(base, im),
    readiness,
  };
  const koa = await buildKoa(base, overrides, services);
  const { url, drain } = await serve(base, koa, readiness);
  address.selfHost ||= url.origin;
  // Whoever hears a notice asks at once what changed, so notices begin after and end before us.
  for (const sink of notices) openOutbox(base, store, sink);

  return {
    url,
    drain,
    close: () => lifecycle.close(),
    [Symbol.asyncDispose]: () => lifecycle.close(),
  };
}

/** What nearly every part needs. */
interface Base {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
}

function openIm({ config, clock, log, lifecycle }: Base, sigs: UserSigs): ImGroups {
  const { administrator, expireMs } = config.im;
  const im =
    config.im.driver === 'local'
      ? localImGroups()
      : openTencentIm({
          settings: config.im,
          adminSig: () => sigs.sign({ userID: administrator, expireMs }),
          log,
          clock,
          randomUint32: () => randomBytes(4).readUInt32BE(),
        });
  lifecycle.defer('im', () => im.close());
  return im;
}

/** The store, and the table of who is alive, which follows it. */
async function openState(
  { config, clock, log, lifecycle }: Base,
  im: ImGroups,
): Promise<{
  readonly store: Store;
  readonly heartbeats: Heartbeats;
  readonly notices: readonly DeliverySink[];
}> {
  if (config.mysql.host !== '')
    throw new Error('mysql.host is set, but this version keeps its data in SQLite only.');
  if (config.process.workers > 1)
    throw new Error(`process.workers is ${config.process.workers}, but SQLite takes 1 process.`);
  const notices = im.driver === 'tencent' ? [imNotices({ im, log })] : [];
  const store = openSqliteStore({ file: config.sqlite.file, sinks: notices });
  lifecycle.defer('store', () => store.close());
  const timeoutMsOf = (kind: RoomKind) => config.rooms[kind].heartBeatTimeoutMs;
  const heartbeats = new Heartbeats({ clock, timeoutMsOf });
  await heartbeats.load(store);
  store.subscribe((events) => heartbeats.follow(events));
  return { store, heartbeats, notices };
}

function openOutbox({ clock, log, lifecycle }: Base, store: Store, sink: DeliverySink): void {
  const outbox = new Outbox({
    store,
    sink,
    clock,
    log,
    random: () => randomInt(2 ** 32) / 2 ** 32,
  });
  lifecycle.defer(`outbox ${sink.name}`, () => outbox.close());
}

function openSessions({ config, clock, log, lifecycle }: Base, store: Store): Sessions {
  const sessions = new Sessions({
    store,
    clock,
    log,
    lifeMs: config.wxLoginExpiresMs,
    perUserMax: config.limits.tokensPerUser,
    newToken: () => randomBytes(32).toString('base64url'),
  });
  lifecycle.defer('sessions', () => sessions.close());
  return sessions;
}

function openBackground(
  { config, clock, log, lifecycle }: Base,
  { store, heartbeats }: { readonly store: Store; readonly heartbeats: Heartbeats },
): void {
  const { rooms: rules, sweepIntervalMs } = config;
  const reaper = new Reaper({ store, heartbeats, rules, sweepIntervalMs, clock, log });
  lifecycle.defer('reaper', () => reaper.close());
  const janitor = openJanitor({ store, eventDays: config.log.eventDays, clock, log });
  lifecycle.defer('janitor', () => janitor.close());
}

function roomSettings({ rooms, limits }: Config) {
  return { rules: rooms, limits, newRoomID };
}

function openLogins(
  { config, log, lifecycle }: Base,
  { sigs, sessions }: { readonly sigs: UserSigs; readonly sessions: Sessions },
): Logins {
  const { appId, appSecret, wxHost, im, auth } = config;
  const wechat =
    appId === '' ? undefined : openWechat({ settings: { appId, appSecret, host: wxHost }, log });
  if (wechat) lifecycle.defer('wechat', async () => wechat.close());
  const userIDOfCode = async (code: string) => {
    const openID = await wechat?.fetchOpenID(code);
    return openID && userIDOfOpenID({ openID, key: auth.masterKey.reveal() });
  };
  const { sdkAppID, accountType, expireMs: sigLifeMs } = im;
  return new Logins({
    settings: { sdkAppID, accountType, sigLifeMs, mode: auth.mode },
    sigs,
    sessions,
    userIDOfCode,
    newUserID: () => `user_${randomHex(4)}_${randomHex(2)}`,
  });
}

function openConfigCheck({ config, clock, log, lifecycle }: Base, im: ImGroups): ConfigCheck {
  const { live, warnings } = config;
  const check = new ConfigCheck({ im, imDriver: im.driver, live, warnings, clock, log, randomHex });
  lifecycle.defer('config check', async () => check.close());
  return check;
}

function logFilesOf(dir: string, address: { readonly selfHost: string }): LogFiles {
  return {
    get selfHost() {
      return address.selfHost;
    },
    list: () => listLogFiles(dir),
    open: (name) => openLogFile(dir, name),
  };
}

async function buildKoa(
  { config, clock, log }: Base,
  overrides: Overrides,
  services: Services,
): Promise<Koa> {
  const { auth, admin, rootPathname, limits } = config;
  const { sessions, readiness } = services;
  const routes = await mapControllers(new URL('./controllers/', import.meta.url));
  const router = buildRouter({
    routes,
    services,
    gate: { mode: auth.mode, admin, sessions },
    rootPathname,
    body: body({ limitBytes: limits.bodyBytes }),
    checksReplies: overrides.checksReplies ?? false,
  });
  const koa = new Koa();
  // A client that hangs up while it is answered is no failure of ours.
  koa.on('error', (error: unknown) => log.warn('response_cut_off', { error: String(error) }));
  const access = overrides.access ?? silentAccessLog;
  koa.use(observe({ access, clock, newRequestID, ipOf: clientIP(config.trustedProxies) }));
  koa.use(errors(log));
  koa.use(drain(readiness));
  koa.use(router.routes());
  return koa;
}

async function serve(
  { config, lifecycle }: Base,
  koa: Koa,
  readiness: Readiness,
): Promise<Pick<App, 'url' | 'drain'>> {
  const { https, host, port, process: settings } = config;
  const tls = https && {
    cert: readPem('https.cert', https.cert),
    key: readPem('https.key', https.key),
  };
  const server = await listen(koa.callback(), { host, port, tls });
  // The rest of the closing needs a little of the time too.
  const graceMs = settings.stopTimeoutMs * 0.8;
  lifecycle.defer('http', () => {
    readiness.drain();
    return server.close(graceMs);
  });
  const name = ['0.0.0.0', '::'].includes(host) ? 'localhost' : host;
  const authority = name.includes(':') ? `[${name}]` : name;
  const url = new URL(`${tls ? 'https' : 'http'}://${authority}:${server.port}`);
  const drain = () => {
    readiness.drain();
    return server.drain(settings.stopTimeoutMs * 0.1);
  };
  return { url, drain };
}

function readPem(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const got = `${file}, which gives ${(cause as NodeJS.ErrnoException).code}`;
    throw new Error(`${setting}: expected the path of a readable file, got ${got}.`, { cause });
  }
}

function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

/** Where no IM group carries the id, it is the number that a privateMapKey is signed for. */
function newRoomID(kind: RoomKind): string {
  if (spaceOf(kind) === 'im') return `room_${randomHex(4)}_${randomHex(2)}`;
  return String(randomInt(ROOM_NUMBER_MIN, ROOM_NUMBER_MAX + 1));
}

function newRequestID(): string {
  return randomUUID();
}

/** The program: reads the configuration, serves until it is told to stop. */
async function main(): Promise<void> {
  const root = packageRoot();
  const config = readConfig({ env: process.env, root });
  const { dir, level } = config.log;
  const logs = openLogs({ dir, level, secrets: secretValuesOf(config), clock: systemClock });
  try {
    const { log, access } = logs;
    const app = await startApp(config, { log, access });
    log.info('started', { url: app.url.href });
    for (const warning of config.warnings) log.warn('unsafe_setting', { warning });
    process.stdout.write(bannerOf(config, app.url));
    const signal = await Promise.race([stopSignal(), lossOfNpm()]);
    log.info('stopping', { signal });
    stopHard(config.process.stopTimeoutMs);
    await app.drain();
    await app.close();
    log.info('stopped');
  } finally {
    await logs.close();
  }
}

function bannerOf(config: Config, url: URL): string {
  const { developmentMode, dataDir, warnings, live, admin } = config;
  const adminPassword = admin.passwordIsGenerated ? admin.password.reveal() : undefined;
  const { pushHost } = live;
  const facts = { url, developmentMode, adminUser: admin.user, adminPassword, dataDir };
  return banner({ ...facts, pushHost, warnings });
}

/** The folder of package.json: the program runs from there or, compiled, from dist/ below it. */
function packageRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return here.endsWith('dist') ? join(here, '..') : here;
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
}

/**
 * `npm start` runs us below a shell that passes no signal on: npm and the shell end, we would stay.
 * Then the loss of the shell is the signal. Started any other way, this never resolves.
 */
async function lossOfNpm(): Promise<'SIGTERM'> {
  if (process.env.npm_lifecycle_event !== 'start') return new Promise(() => {});
  const shell = process.ppid;
  while (process.ppid === shell) await delay(PARENT_CHECK_MS, undefined, { ref: false });
  return 'SIGTERM';
}

/** From now on a second signal, or the end of the time to stop, ends the process with 1. */
function stopHard(afterMs: number): void {
  const exit = () => process.exit(1);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, exit);
  setTimeout(exit, afterMs).unref();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`roomkeep cannot go on:\n${text}\n`);
    process.exitCode = 1;
  }
}
