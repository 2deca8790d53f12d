import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Lifecycle } from '../../logic/lifecycle.ts';
import { type FakeCloud, startFakeCloud } from '../fake_cloud.ts';
import { startTestApp, type TestApp, TravelClock } from '../support.ts';
import type { JsonObject } from './wire_case.ts';

/** Unix seconds at which every example of the contract stands. */
export const WIRE_CLOCK_S = 1_700_000_000;

/** What the cases presuppose; the keys are no secrets. */
export const WIRE_CONFIG = {
  selfHost: 'https://room.example.com',
  appId: 'wx-of-the-cases',
  appSecret: 'EXAMPLE_APP_SECRET',
  live: {
    appID: 1_250_000_000,
    bizid: 8525,
    pushSecretKey: 'EXAMPLE_PUSH_KEY',
    APIKey: 'EXAMPLE_API_KEY',
    validTime: 604_800,
    pushHost: '8525.livepush.myqcloud.com',
    playHost: '8525.liveplay.myqcloud.com',
    playScheme: 'https',
  },
  im: {
    sdkAppID: 1_400_000_000,
    accountType: '12345',
    administrator: 'admin',
    secretKey: 'EXAMPLE_SECRET_KEY',
  },
  room: { maxMembers: 6, heartBeatTimeout: 20, maxIdleDuration: 30 },
  multi_room: { maxMembers: 4, creatorCanDestroyRoom: false },
  double_room: { maxMembers: 2, creatorCanDestroyRoom: false },
  live_room: { maxMembers: 4, maxAudiencesLen: 30, creatorCanDestroyRoom: true },
  admin: { user: 'admin', password: 'EXAMPLE_ADMIN_PASSWORD' },
  limits: { rate: 'off' },
} as const;

/** The service under test and the clouds it talks to. */
export interface WireService extends AsyncDisposable {
  readonly app: TestApp;
  readonly clock: TravelClock;
  readonly cloud: FakeCloud;
  close(): Promise<void>;
}

/** Starts the real service with the Tencent driver, and clouds that obey the test. */
export async function startWireService(settings: {
  readonly config: JsonObject;
  /** `undefined`: the calendar shows today. */
  readonly startAtMs: number | undefined;
  readonly logFiles: Readonly<Record<string, string>>;
}): Promise<WireService> {
  const lifecycle = new Lifecycle();
  const close = () => lifecycle.close();
  try {
    const cloud = await startFakeCloud();
    lifecycle.defer('clouds', () => cloud.close());
    const logDir = await mkdtemp(join(tmpdir(), 'roomkeep-wire-'));
    lifecycle.defer('logs', () => rm(logDir, { recursive: true }));
    await writeAll(logDir, settings.logFiles);
    const clock = new TravelClock(settings.startAtMs);
    const config = laidOver(laidOver(WIRE_CONFIG, edgesOf(cloud, logDir)), settings.config);
    const app = await startTestApp(config, { clock });
    lifecycle.defer('service', () => app.app.close());
    return { app, clock, cloud, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function edgesOf(cloud: FakeCloud, logDir: string): JsonObject {
  return {
    wxHost: cloud.url,
    im: { host: cloud.url },
    live: { apiHost: cloud.url },
    log: { dir: logDir },
  };
}

async function writeAll(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
}

/** Groups are merged key by key, everything else is replaced. */
function laidOver(below: JsonObject, above: JsonObject): JsonObject {
  const merged = Object.entries(above).map(([name, value]) => {
    const known = below[name];
    return [name, isGroup(value) && isGroup(known) ? { ...known, ...value } : value];
  });
  return { ...below, ...Object.fromEntries(merged) };
}

function isGroup(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
