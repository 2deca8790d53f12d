import { join, resolve } from 'node:path';
import { ROOM_KINDS } from './logic/model.ts';
import { Secret } from './logic/secret.ts';
import type { GeneratedSecrets } from './logic/secrets_file.ts';
import { settingsOf } from './settings/check.ts';
import type {
  AdminConfig,
  AuthConfig,
  Config,
  HttpsConfig,
  ImConfig,
  LiveConfig,
  NodeConfig,
  WebhookConfig,
} from './settings/config_types.ts';
import { readGeneratedSecrets } from './settings/generated_keys.ts';
import { msOf } from './settings/key_types.ts';
import { knownKeys } from './settings/known_keys.ts';
import { roomsOf, sweepIntervalMsOf } from './settings/room_settings.ts';
import { DEVELOPMENT_APP_ID, type Settings } from './settings/schema.ts';
import { type ConfigSources, givenBy } from './settings/sources.ts';
import { hasImKey, hasTencentIm, isDevelopment } from './settings/tencent_keys.ts';
import { warningsAbout } from './settings/warnings.ts';

export type * from './settings/config_types.ts';
export { ConfigError } from './settings/problems.ts';
export type { ConfigSources } from './settings/sources.ts';

/** Reads the JSON file, then the environment over it; touches the secrets file only when needed. */
export function readConfig(sources: ConfigSources): Config {
  const { root } = sources;
  const settings = settingsOf(givenBy(sources));
  return configOf({ settings, secrets: readGeneratedSecrets(settings, root), root });
}

/** The same checks for an object shaped like the JSON file; reads nothing from the disk. */
export function parseConfig(raw: unknown, secrets: GeneratedSecrets, root: string): Config {
  const settings = settingsOf({ raw, origins: new Map(), faults: [] });
  return configOf({ settings, secrets, root });
}

/** Every secret worth masking in a log, longest first so that no part of one is left behind. */
export function secretValuesOf(config: Config): readonly string[] {
  const values = new Set(secretsWithin(config).map((secret) => secret.reveal()));
  return [...values]
    .filter((value) => value.length >= MASKED_LENGTH_MIN)
    .sort((a, b) => b.length - a.length);
}

/** One row of the reference page. */
export interface ConfigReferenceRow {
  readonly path: string;
  readonly type: string;
  readonly default: string;
  readonly description: string;
  readonly secret: boolean;
}

/** One row for every key there is, in the order of the table: the source of the reference page. */
export function configReference(): readonly ConfigReferenceRow[] {
  return knownKeys().map(({ path, facts }) => ({
    path,
    type: facts.expected.replace(/^an? /, ''),
    default: facts.defaultText,
    description: facts.says,
    secret: facts.secret,
  }));
}

const MASKED_LENGTH_MIN = 6;

function secretsWithin(value: unknown): readonly Secret[] {
  if (value instanceof Secret) return [value];
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap(secretsWithin)
    : [];
}

interface Parts {
  readonly settings: Settings;
  readonly secrets: GeneratedSecrets;
  readonly root: string;
}

function configOf(parts: Parts): Config {
  const { settings, root } = parts;
  const dataDir = resolve(root, settings.dataDir);
  const sqliteFile = settings.sqlite.file || join(settings.dataDir, 'roomkeep.db');
  const config: Omit<Config, 'warnings'> = {
    developmentMode: isDevelopment(settings),
    port: settings.port,
    host: settings.host,
    rootPathname: settings.rootPathname,
    selfHost: settings.selfHost,
    appId: settings.appId,
    appSecret: settings.appSecret,
    wxLoginExpiresMs: msOf(settings.wxLoginExpires),
    wxHost: settings.wxHost,
    dataDir,
    trustedProxies: settings.trustedProxies,
    https: httpsOf(parts),
    mysql: settings.mysql,
    sqlite: { file: sqliteFile === ':memory:' ? sqliteFile : resolve(root, sqliteFile) },
    live: liveOf(parts),
    im: imOf(parts),
    rooms: roomsOf(settings),
    sweepIntervalMs: sweepIntervalMsOf(settings),
    auth: authOf(parts),
    admin: adminOf(parts),
    webhooks: webhooksOf(settings),
    node: nodeOf(settings),
    process: {
      workers: settings.process.workers,
      stopTimeoutMs: msOf(settings.process.stopTimeout),
    },
    limits: { ...settings.limits, rate: rateOf(settings) },
    log: { ...settings.log, dir: resolve(root, settings.log.dir) },
  };
  return frozen({ ...config, warnings: warningsAbout({ config, settings, root }) });
}

function httpsOf({ settings, root }: Parts): HttpsConfig | undefined {
  const { cert, key } = settings.https;
  return cert === '' ? undefined : { cert: resolve(root, cert), key: resolve(root, key) };
}

function liveOf({ settings, secrets }: Parts): LiveConfig {
  const { live, selfHost } = settings;
  const { validTime, ...rest } = live;
  const withBizid = (host: string) => host.replaceAll('{bizid}', String(live.bizid));
  const tencent = (name: string) => (live.bizid > 0 ? `{bizid}.${name}.myqcloud.com` : '');
  // Without a cloud the origin is a media server on this very host, at its usual ports.
  const origin = selfHost === undefined ? 'localhost' : new URL(selfHost).hostname;
  const pushHost = withBizid(live.pushHost || tencent('livepush') || `${origin}:1935`);
  const playHost = withBizid(live.playHost || tencent('liveplay'));
  return {
    ...rest,
    pushSecretKey: live.pushSecretKey.isEmpty ? secrets.pushSecretKey : live.pushSecretKey,
    validTimeMs: msOf(validTime),
    pushHost,
    playHost: playHost || `${origin}:8080`,
    playScheme: live.playScheme ?? (playHost === '' ? 'http' : 'https'),
    accelerateHost: playHost || pushHost,
  };
}

function imOf({ settings, secrets }: Parts): ImConfig {
  const { expire, ...im } = settings.im;
  const automatic = hasTencentIm(settings) ? 'tencent' : 'local';
  return {
    ...im,
    driver: im.driver === 'auto' ? automatic : im.driver,
    sdkAppID: im.sdkAppID || DEVELOPMENT_APP_ID,
    secretKey: hasImKey(settings) ? im.secretKey : secrets.imSecretKey,
    expireMs: msOf(expire),
  };
}

function authOf({ settings, secrets }: Parts): AuthConfig {
  const { mode, masterKey, ...auth } = settings.auth;
  const automatic = isDevelopment(settings) ? 'open' : 'token';
  return {
    ...auth,
    mode: mode === 'auto' ? automatic : mode,
    masterKey: masterKey.isEmpty ? secrets.masterKey : masterKey,
  };
}

function adminOf({ settings, secrets }: Parts): AdminConfig {
  const { user, password } = settings.admin;
  return {
    user,
    password: password.isEmpty ? secrets.adminPassword : password,
    passwordIsGenerated: password.isEmpty,
  };
}

function webhooksOf(settings: Settings): readonly WebhookConfig[] {
  return settings.webhooks.map(({ url, secret, events = [], kinds = ROOM_KINDS }) => ({
    url,
    secret,
    events,
    kinds: [...kinds],
  }));
}

function nodeOf(settings: Settings): NodeConfig {
  const { ttl, assignInterval, ...node } = settings.node;
  return { ...node, ttlMs: msOf(ttl), assignIntervalMs: msOf(assignInterval) };
}

function rateOf(settings: Settings): 'on' | 'off' {
  const automatic = isDevelopment(settings) ? 'off' : 'on';
  return settings.limits.rate === 'auto' ? automatic : settings.limits.rate;
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}
