import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { ROOM_KINDS, type RoomKind, type RoomRules } from './logic/model.ts';
import { Secret } from './logic/secret.ts';
import { type GeneratedSecrets, readOrMakeSecrets } from './logic/secrets_file.ts';

/** Everything an operator decides, checked, with every default filled in; frozen to its depth. */
export interface Config {
  /** No real Tencent keys: open, local and self-contained, for trying out. */
  readonly developmentMode: boolean;
  readonly port: number;
  readonly host: string;
  /** '' or '/something', without a slash at its end. */
  readonly rootPathname: string;
  /** `undefined`: http://localhost and the port that is found when listening. */
  readonly selfHost: string | undefined;
  readonly appId: string;
  readonly appSecret: Secret;
  readonly wxLoginExpiresMs: number;
  readonly wxHost: string;
  readonly dataDir: string;
  readonly trustedProxies: readonly string[];
  readonly https: HttpsConfig | undefined;
  readonly mysql: MysqlConfig;
  readonly sqlite: { readonly file: string };
  readonly live: LiveConfig;
  readonly im: ImConfig;
  readonly rooms: Readonly<Record<RoomKind, RoomRules>>;
  readonly sweepIntervalMs: number;
  readonly auth: AuthConfig;
  readonly admin: AdminConfig;
  readonly webhooks: readonly WebhookConfig[];
  readonly node: NodeConfig;
  readonly process: { readonly workers: number; readonly stopTimeoutMs: number };
  readonly limits: LimitsConfig;
  readonly log: { readonly dir: string; readonly level: LogLevel; readonly eventDays: number };
  /** Every unsafe choice, in plain words, for the banner and the log. */
  readonly warnings: readonly string[];
}

/** Paths of the PEM files, absolute. */
export interface HttpsConfig {
  readonly cert: string;
  readonly key: string;
}

export interface MysqlConfig {
  /** '' when MySQL is not used; may list several servers. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly pass: Secret;
  readonly db: string;
  readonly char: string;
  readonly pool: number;
}

export interface LiveConfig {
  readonly appID: number;
  /** 0 when there is none. */
  readonly bizid: number;
  readonly pushSecretKey: Secret;
  readonly APIKey: Secret;
  readonly validTimeMs: number;
  readonly pushHost: string;
  readonly playHost: string;
  readonly playScheme: 'https' | 'http';
  /** Where accelerated RTMP is played from. */
  readonly accelerateHost: string;
  readonly playKey: Secret;
  readonly secretId: string;
  readonly secretKey: Secret;
  readonly apiHost: string;
  readonly callbackKey: Secret;
}

export interface ImConfig {
  readonly driver: 'tencent' | 'local';
  readonly sdkAppID: number;
  readonly accountType: string;
  readonly administrator: string;
  readonly secretKey: Secret;
  readonly privateKey: Secret;
  readonly publicKey: string;
  readonly host: string;
  readonly notifyMode: 'auto' | 'systemNotification' | 'groupMessage';
  readonly expireMs: number;
}

export interface AuthConfig {
  readonly mode: 'open' | 'token';
  readonly masterKey: Secret;
  readonly ticket: 'optional' | 'required';
  readonly services: readonly ServiceConfig[];
}

export interface ServiceConfig {
  readonly id: string;
  readonly scopes: readonly (typeof SCOPES)[number][];
}

export interface AdminConfig {
  readonly user: string;
  readonly password: Secret;
  readonly passwordIsGenerated: boolean;
}

export interface WebhookConfig {
  readonly url: string;
  readonly secret: Secret;
  /** Empty: every event. */
  readonly events: readonly string[];
  readonly kinds: readonly RoomKind[];
}

export interface NodeConfig {
  readonly ttlMs: number;
  readonly policy: (typeof NODE_POLICIES)[number];
  readonly maxLoad: number;
  readonly warnLoad: number;
  readonly static: boolean;
  readonly assignAttempts: number;
  readonly assignIntervalMs: number;
}

export interface LimitsConfig {
  readonly rate: 'on' | 'off';
  readonly bodyBytes: number;
  readonly roomsPerPage: number;
  readonly tokensPerUser: number;
  readonly customFields: number;
  readonly customBytes: number;
  readonly roomInfoBytes: number;
  readonly userNameBytes: number;
  readonly userAvatarBytes: number;
  readonly userInfoBytes: number;
  readonly pushURLBytes: number;
}

export type LogLevel = (typeof LOG_LEVELS)[number];

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder of package.json: paths are relative to it. */
  readonly root: string;
}

/** The configuration cannot be used: one line for every problem, and no secret in any of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options: ErrorOptions = {}) {
    super(problems.join('\n'), options);
    this.problems = problems;
  }
}

/** Reads the JSON file, then the environment over it; touches the secrets file only when needed. */
export function readConfig(sources: ConfigSources): Config {
  const settings = settingsOf(givenBy(sources));
  const secrets = needsGeneratedSecrets(settings)
    ? secretsIn(secretsFileOf(settings, sources.root))
    : NO_SECRETS;
  return configOf({ settings, secrets, root: sources.root });
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

const MASKED_LENGTH_MIN = 6;

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

// The table of keys.

const SCOPES = ['room', 'node', 'admin'] as const;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'off'] as const;
const NODE_POLICIES = [
  'hash',
  'least-used',
  'most-used',
  'round-robin',
  'last-used',
  'randomly-pick',
  'weight-robin',
] as const;

type RoomSettings = Omit<RoomRules, 'heartBeatTimeoutMs' | 'maxIdleMs' | 'audiencesListedMax'> & {
  readonly heartBeatTimeout: number;
  readonly maxIdleDuration: number;
  readonly sweepInterval: number;
  readonly maxAudiencesLen: number;
};

const ROOM_DEFAULTS: RoomSettings = {
  maxMembers: 6,
  heartBeatTimeout: 20,
  maxIdleDuration: 30,
  sweepInterval: 5,
  creatorCanDestroyRoom: false,
  maxAudiencesLen: 30,
  duplicateLogin: 'kick',
};

/** Where a kind has a default of its own, it counts more than what is set for `room`. */
const KIND_DEFAULTS: Readonly<Record<RoomKind, Partial<RoomSettings>>> = {
  room: {},
  double_room: { maxMembers: 2 },
  multi_room: { maxMembers: 4 },
  live_room: { maxMembers: 4, creatorCanDestroyRoom: true },
  webrtc_room: { maxMembers: 4 },
  webexe_room: { maxMembers: 4 },
};

const DAY_S = 86_400;
const YEAR_S = 365 * DAY_S;
const ID_MAX = 4_294_967_295;
const SECRET_MAX = 4096;
const PEM_MAX = 16_384;
const URL_MAX = 2048;
const LIST_MAX = 100;

/** Stands for the application while none is configured, in the range of real ones. */
const DEVELOPMENT_APP_ID = 1_400_000_000;

const NO_SECRET = new Secret('');
const NO_SECRETS: GeneratedSecrets = {
  imSecretKey: NO_SECRET,
  pushSecretKey: NO_SECRET,
  masterKey: NO_SECRET,
  adminPassword: NO_SECRET,
};

/** What the table says of a key beside its schema. */
interface KeyFacts {
  /** A noun phrase for errors: `expected …`. */
  readonly expected: string;
  readonly says: string;
  readonly defaultText: string;
  readonly secret: boolean;
  /** The environment may name a file that holds the value. */
  readonly fromFile: boolean;
  readonly parseText: (text: string) => unknown;
}

const FACTS = z.registry<KeyFacts>();

const SETTINGS = z.strictObject({
  port: key(whole(0, 65_535), {
    says: 'Port to listen on; 0 takes any free one.',
    default: 5757,
  }),
  host: key(text(1, 255), { says: 'Address to listen on.', default: '0.0.0.0' }),
  rootPathname: key(pathname(), {
    says: 'Path prefix that a proxy in front adds; it is stripped from every request.',
    default: '',
  }),
  selfHost: key(baseURL(), {
    says: 'URL under which clients reach this service.',
    defaultText: 'http://localhost:PORT',
  }),
  appId: key(text(0, 128), { says: 'Id of the WeChat mini-program.', default: '' }),
  appSecret: key(secret(), { says: 'Secret of the WeChat mini-program.', default: NO_SECRET }),
  wxLoginExpires: key(seconds(0.01, YEAR_S), {
    says: 'How long a token of a login lives after it was last used.',
    default: 7200,
  }),
  wxHost: key(baseURL(), {
    says: 'Where the code of a WeChat login is redeemed.',
    default: 'https://api.weixin.qq.com',
  }),
  dataDir: key(path(), { says: 'Folder of the database and the secrets.', default: 'data' }),
  trustedProxies: key(list(item(network(), 'One proxy.'), 'IP addresses or networks'), {
    says: 'Proxies whose X-Forwarded-For header is believed.',
    default: [],
  }),
  https: z.strictObject({
    cert: key(path(0), { says: 'PEM file with the certificate chain.', default: '' }),
    key: key(path(0), { says: 'PEM file with the key of the certificate.', default: '' }),
  }),
  mysql: z.strictObject({
    host: key(hostList(), {
      says: 'MySQL servers, used in this order when one fails; empty: SQLite is used.',
      default: '',
    }),
    port: key(whole(1, 65_535), { says: 'Port of servers listed without one.', default: 3306 }),
    user: key(text(1, 64), { says: 'User of the database.', default: 'root' }),
    pass: key(secret(), { says: 'Password of the database user.', default: NO_SECRET }),
    db: key(word(64), { says: 'Name of the database; it is made if absent.', default: 'roomkeep' }),
    char: key(word(32), { says: 'Character set of the connection.', default: 'utf8mb4' }),
    pool: key(whole(1, 1000), { says: 'Most connections of one process.', default: 10 }),
  }),
  sqlite: z.strictObject({
    file: key(path(0), {
      says: 'Database file, used without MySQL.',
      default: '',
      defaultText: '<dataDir>/roomkeep.db',
    }),
  }),
  live: liveKeys(),
  im: imKeys(),
  room: roomKeys('room'),
  double_room: roomKeys('double_room'),
  multi_room: roomKeys('multi_room'),
  live_room: roomKeys('live_room'),
  webrtc_room: roomKeys('webrtc_room'),
  webexe_room: roomKeys('webexe_room'),
  auth: z.strictObject({
    mode: key(choice('auto', 'open', 'token'), {
      says: 'Who may act: anybody, or holders of a token; auto is open in development mode only.',
      default: 'auto',
    }),
    masterKey: key(secret(), {
      says: 'Key from which the keys of services are derived.',
      default: NO_SECRET,
      defaultText: 'generated',
    }),
    ticket: key(choice('optional', 'required'), {
      says: 'Whether joining a room takes a ticket made by a service.',
      default: 'optional',
    }),
    services: key(list(serviceItem(), '{id, scopes} objects'), {
      says: 'Servers that may call the service API.',
      default: [],
    }),
  }),
  admin: z.strictObject({
    user: key(text(1, 64), { says: 'Name of the operator.', default: 'admin' }),
    password: key(secret(), {
      says: 'Password of the operator.',
      default: NO_SECRET,
      defaultText: 'generated',
    }),
  }),
  webhooks: key(list(webhookItem(), '{url, secret, events?, kinds?} objects', { secret: true }), {
    says: 'Receivers of events.',
    default: [],
  }),
  node: z.strictObject({
    ttl: key(seconds(0.01, DAY_S), {
      says: 'How long a media node counts as alive after its last report.',
      default: 20,
    }),
    policy: key(choice(...NODE_POLICIES), { says: 'How a node is chosen.', default: 'hash' }),
    maxLoad: key(share(), { says: 'Load above which a node gets no rooms.', default: 0.85 }),
    warnLoad: key(share(), { says: 'Load above which others are preferred.', default: 0.75 }),
    static: key(flag(), {
      says: 'Whether the hosts of `live` are the last resort.',
      default: true,
    }),
    assignAttempts: key(whole(1, 100), { says: 'Tries to find a node.', default: 4 }),
    assignInterval: key(seconds(0.01, 60), { says: 'Pause between tries.', default: 0.5 }),
  }),
  process: z.strictObject({
    workers: key(whole(1, 256), { says: 'Processes that share the port.', default: 1 }),
    stopTimeout: key(seconds(0.01, 3600), {
      says: 'Time that requests in flight get when the service stops.',
      default: 10,
    }),
  }),
  limits: limitKeys(),
  log: z.strictObject({
    dir: key(path(), { says: 'Folder of the log files.', default: 'logs' }),
    level: key(choice(...LOG_LEVELS), { says: 'Least severe level logged.', default: 'info' }),
    eventDays: key(whole(1, 3650), { says: 'Days that room events are kept.', default: 7 }),
  }),
});

type Settings = z.output<typeof SETTINGS>;

function liveKeys() {
  return z.strictObject({
    appID: key(tencentNumber(), { says: 'APPID of the Tencent Cloud account.', default: 0 }),
    bizid: key(tencentNumber(), { says: 'Bizid of the live account; 0: none.', default: 0 }),
    pushSecretKey: key(secret(), {
      says: 'Key that signs push URLs.',
      default: NO_SECRET,
      defaultText: 'generated',
    }),
    APIKey: key(secret(), { says: 'Key of the first live API.', default: NO_SECRET }),
    validTime: key(seconds(1, YEAR_S), { says: 'Life of a signed URL.', default: 604_800 }),
    pushHost: key(hostPort(), {
      says: 'Where clients push to.',
      default: '',
      defaultText: '{bizid}.livepush.myqcloud.com',
    }),
    playHost: key(hostPort(), {
      says: 'Where clients play from.',
      default: '',
      defaultText: '{bizid}.liveplay.myqcloud.com',
    }),
    playScheme: key(choice('https', 'http'), {
      says: 'Scheme of play URLs; http when the service itself is the origin.',
      defaultText: 'https',
    }),
    playKey: key(secret(), { says: 'Key that signs play URLs.', default: NO_SECRET }),
    secretId: key(text(0, 128), { says: 'SecretId of the live API.', default: '' }),
    secretKey: key(secret(), { says: 'SecretKey of the live API.', default: NO_SECRET }),
    apiHost: key(baseURL(), {
      says: 'Where the live API is.',
      default: 'https://live.tencentcloudapi.com',
    }),
    callbackKey: key(secret(), { says: 'Key that signs live callbacks.', default: NO_SECRET }),
  });
}

function imKeys() {
  return z.strictObject({
    driver: key(choice('auto', 'tencent', 'local'), {
      says: "Who carries notices; auto: Tencent's IM when sdkAppID and a key are set.",
      default: 'auto',
    }),
    sdkAppID: key(tencentNumber(), {
      says: 'SDKAppID of the IM application.',
      default: 0,
      defaultText: String(DEVELOPMENT_APP_ID),
    }),
    accountType: key(tencentText(), { says: 'Account type of the application.', default: '' }),
    administrator: key(text(1, 64), {
      says: 'User in whose name the IM API is called.',
      default: 'administrator',
    }),
    secretKey: key(secret(), {
      says: 'Key that signs userSig, version 2.',
      default: NO_SECRET,
      defaultText: 'generated',
    }),
    privateKey: key(privatePem(), {
      says: 'Key that signs userSig, version 1.',
      default: NO_SECRET,
    }),
    publicKey: key(publicPem(), { says: 'Key that verifies userSig, version 1.', default: '' }),
    host: key(baseURL(), { says: 'Where the IM API is.', default: 'https://console.tim.qq.com' }),
    notifyMode: key(choice('auto', 'systemNotification', 'groupMessage'), {
      says: 'How a room hears of its changes; auto: the first that the application may use.',
      default: 'auto',
    }),
    expire: key(seconds(1, YEAR_S), { says: 'Life of a userSig.', default: 86_400 }),
  });
}

function roomKeys(kind: RoomKind) {
  const inherited = (name: keyof RoomSettings) =>
    kind === 'room' ? ROOM_DEFAULTS[name] : `room.${name}`;
  const facts = (name: keyof RoomSettings, says: string) => ({
    says,
    defaultText: String(KIND_DEFAULTS[kind][name] ?? inherited(name)),
  });
  return z.strictObject({
    maxMembers: key(whole(1, 1000), facts('maxMembers', 'Most pushers in a room.')),
    heartBeatTimeout: key(
      seconds(0.01, DAY_S),
      facts('heartBeatTimeout', 'Silence after which a pusher is removed.'),
    ),
    maxIdleDuration: key(
      seconds(0.01, YEAR_S),
      facts('maxIdleDuration', 'Life of a room that nobody enters.'),
    ),
    sweepInterval: key(
      seconds(0.01, 3600),
      facts('sweepInterval', 'Pause between sweeps; the shortest of all kinds counts.'),
    ),
    creatorCanDestroyRoom: key(
      flag(),
      facts('creatorCanDestroyRoom', 'Whether a room ends when its creator leaves.'),
    ),
    maxAudiencesLen: key(
      whole(0, 10_000),
      facts('maxAudiencesLen', 'Most viewers listed in one answer.'),
    ),
    duplicateLogin: key(
      choice('kick', 'reject', 'allow'),
      facts('duplicateLogin', 'What happens when a user joins a second time.'),
    ),
  });
}

function limitKeys() {
  const bytes = (most: number) => whole(1, most);
  return z.strictObject({
    rate: key(choice('auto', 'on', 'off'), {
      says: 'Whether request rates are limited; auto: not in development mode.',
      default: 'auto',
    }),
    bodyBytes: key(whole(1024, 1_048_576), { says: 'Size of a request body.', default: 65_536 }),
    roomsPerPage: key(whole(1, 1000), { says: 'Rooms in one list page.', default: 100 }),
    tokensPerUser: key(whole(1, 1000), { says: 'Logins one user may hold.', default: 40 }),
    customFields: key(whole(1, 1024), { says: 'Custom fields of a room.', default: 64 }),
    customBytes: key(bytes(65_536), { says: 'Size of all custom fields.', default: 4096 }),
    roomInfoBytes: key(bytes(8192), { says: 'Size of roomInfo.', default: 1024 }),
    userNameBytes: key(bytes(8192), { says: 'Size of userName.', default: 256 }),
    userAvatarBytes: key(bytes(8192), { says: 'Size of userAvatar.', default: 1024 }),
    userInfoBytes: key(bytes(8192), { says: 'Size of userInfo.', default: 1024 }),
    pushURLBytes: key(bytes(8192), { says: 'Size of pushURL.', default: 1024 }),
  });
}

function serviceItem() {
  return z.strictObject({
    id: item(word(48), 'Name of the service.'),
    scopes: item(list(item(choice(...SCOPES), 'One scope.'), 'scopes'), 'What it may do.'),
  });
}

function webhookItem() {
  return z.strictObject({
    url: item(hookURL(), 'Where events are posted to.'),
    secret: item(secret(1), 'Key that signs what is posted.'),
    events: key(list(item(text(1, 64), 'One event.'), 'event names', { lengthMin: 1 }), {
      says: 'The events to post.',
      defaultText: 'all',
    }),
    kinds: key(list(item(choice(...ROOM_KINDS), 'One kind.'), 'room kinds', { lengthMin: 1 }), {
      says: 'The room kinds to post about.',
      defaultText: 'all',
    }),
  });
}

// Keys and the types of keys.

interface KeyType<T> {
  readonly schema: z.ZodType<T>;
  readonly expected: string;
  /** The value that a text of the environment means: by default, and if it means none, the text. */
  readonly parseText?: (text: string) => unknown;
  readonly secret?: boolean;
  readonly fromFile?: boolean;
}

interface KeyWords {
  readonly says: string;
  readonly defaultText?: string;
}

type Default<T> = z.core.util.NoUndefined<T>;

function key<T>(
  type: KeyType<T>,
  words: KeyWords & { readonly default: Default<T> },
): z.ZodDefault<z.ZodType<T>>;
function key<T>(type: KeyType<T>, words: KeyWords): z.ZodOptional<z.ZodType<T>>;
function key<T>(type: KeyType<T>, words: KeyWords & { readonly default?: Default<T> }) {
  const defaultText = words.defaultText ?? plainText(words.default);
  const schema =
    words.default === undefined ? type.schema.optional() : type.schema.default(words.default);
  return described(schema, type, { says: words.says, defaultText });
}

/** An element of a list, or a key of an object in a list, that must be there. */
function item<T>(type: KeyType<T>, says: string): z.ZodType<T> {
  return described(type.schema, type, { says, defaultText: '' });
}

function described<S extends z.ZodType>(
  schema: S,
  type: Omit<KeyType<unknown>, 'schema'>,
  words: Required<KeyWords>,
): S {
  const { expected, parseText = String, secret: isSecret = false, fromFile = isSecret } = type;
  FACTS.add(schema, { ...words, expected, parseText, secret: isSecret, fromFile });
  return schema;
}

function plainText(value: unknown): string {
  if (value === undefined || value instanceof Secret) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function whole(min: number, max: number): KeyType<number> {
  return {
    schema: z.number().int().min(min).max(max),
    expected: `a whole number ${min}..${max}`,
    parseText: numberOf,
  };
}

function seconds(min: number, max: number): KeyType<number> {
  return {
    schema: z.number().min(min).max(max),
    expected: `a number of seconds ${min}..${max}`,
    parseText: numberOf,
  };
}

function share(): KeyType<number> {
  return { schema: z.number().min(0).max(1), expected: 'a number 0..1', parseText: numberOf };
}

function flag(): KeyType<boolean> {
  return { schema: z.boolean(), expected: 'true or false', parseText: booleanOf };
}

function choice<const T extends string>(...names: readonly [T, ...T[]]): KeyType<T> {
  return { schema: z.enum(names), expected: `one of ${names.join(', ')}` };
}

/** An id that Tencent calls a number; blank means none, as in a template nobody filled in. */
function tencentNumber(): KeyType<number> {
  const number = z.number().int().min(0).max(ID_MAX);
  const digits = z
    .string()
    .regex(/^\d{0,10}$/)
    .transform(Number)
    .pipe(number);
  return {
    schema: z.union([number, digits]),
    expected: `a whole number 0..${ID_MAX}, or its digits`,
  };
}

/** An id that Tencent calls a string. */
function tencentText(): KeyType<string> {
  const digits = z.number().int().min(0).max(ID_MAX).transform(String);
  return {
    schema: z.union([z.string().regex(/^[\w-]{0,64}$/), digits]),
    expected: 'at most 64 letters, digits, "_" or "-"',
  };
}

function text(min: number, max: number): KeyType<string> {
  return {
    schema: z.string().min(min).max(max).refine(isOneLine),
    expected: `one line of ${min}..${max} characters`,
  };
}

function word(max: number): KeyType<string> {
  return {
    schema: z
      .string()
      .regex(/^[\w-]+$/)
      .max(max),
    expected: `1..${max} letters, digits, "_" or "-"`,
  };
}

/** A blank secret counts as none; one with blanks around it is a slip of copy and paste. */
function secret(min = 0): KeyType<Secret> {
  const isSecret = (value: string) => isOneLine(value) && value === value.trim();
  return {
    schema: z.string().min(min).max(SECRET_MAX).refine(isSecret).transform(secretOf),
    expected: `one line of ${min}..${SECRET_MAX} characters without blanks around it`,
    secret: true,
  };
}

function privatePem(): KeyType<Secret> {
  const pem = z.string().max(PEM_MAX).transform(unescapedPem).refine(isPrivatePem);
  return {
    schema: pem.transform(secretOf),
    expected: 'an RSA or EC private key in PEM',
    secret: true,
  };
}

function publicPem(): KeyType<string> {
  return {
    schema: z.string().max(PEM_MAX).transform(unescapedPem).refine(isPublicPem),
    expected: 'an RSA or EC public key in PEM',
    fromFile: true,
  };
}

function path(min = 1): KeyType<string> {
  return { ...text(min, 4096), expected: 'a path' };
}

function pathname(): KeyType<string> {
  return {
    schema: z
      .string()
      .regex(/^(\/[\w.~-]+)*\/?$/)
      .transform(withoutSlash),
    expected: 'nothing, or a path that begins with "/"',
  };
}

function baseURL(): KeyType<string> {
  return {
    schema: z.string().max(URL_MAX).refine(isBaseURL).transform(withoutSlash),
    expected: 'an http:// or https:// URL without user, query or fragment',
  };
}

function hookURL(): KeyType<string> {
  return {
    schema: z.string().max(URL_MAX).refine(isWebURL),
    expected: 'an http:// or https:// URL without user',
  };
}

function hostPort(): KeyType<string> {
  return {
    schema: z
      .string()
      .max(255)
      .refine((value) => value === '' || isHostPort(value)),
    expected: 'a host name, with or without :port',
  };
}

function hostList(): KeyType<string> {
  return {
    schema: z
      .string()
      .max(1024)
      .transform((value) => value.split(',').map((host) => host.trim()))
      .refine((hosts) => hosts.join() === '' || hosts.every(isHostPort))
      .transform((hosts) => hosts.join()),
    expected: 'host names with or without :port, separated by ","',
  };
}

function network(): KeyType<string> {
  return {
    schema: z.string().refine(isNetwork),
    expected: 'an IP address or a network such as 10.0.0.0/8',
  };
}

function list<T>(
  schema: z.ZodType<T>,
  what: string,
  { secret: isSecret = false, lengthMin = 0 } = {},
): KeyType<T[]> {
  return {
    schema: z.array(schema).min(lengthMin).max(LIST_MAX),
    expected: `a list of ${lengthMin}..${LIST_MAX} ${what}`,
    parseText: jsonOf,
    secret: isSecret,
  };
}

function numberOf(value: string): unknown {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : value;
}

function booleanOf(value: string): unknown {
  if (/^(true|1)$/i.test(value)) return true;
  return /^(false|0)$/i.test(value) ? false : value;
}

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function secretOf(value: string): Secret {
  return new Secret(value);
}

function isOneLine(value: string): boolean {
  return !/\p{Cc}/u.test(value);
}

/** A PEM text survives an environment variable on one line, with `\n` written out. */
function unescapedPem(value: string): string {
  return value.replaceAll(/\\r\\n|\\n|\r\n/g, '\n').trim();
}

function isPrivatePem(value: string): boolean {
  return value === '' || isSigningKey(() => createPrivateKey(value));
}

/** `createPublicKey` would take a private key too, and that must not end up in the open. */
function isPublicPem(value: string): boolean {
  if (value === '') return true;
  return value.includes('PUBLIC KEY') && isSigningKey(() => createPublicKey(value));
}

function isSigningKey(parse: () => { readonly asymmetricKeyType?: string }): boolean {
  try {
    return ['rsa', 'ec'].includes(parse().asymmetricKeyType ?? '');
  } catch {
    return false;
  }
}

function withoutSlash(value: string): string {
  return value.replace(/\/+$/, '');
}

function isBaseURL(value: string): boolean {
  return isWebURL(value) && !/[?#]/.test(value);
}

function isWebURL(value: string): boolean {
  if (!/^https?:\/\/\S+$/.test(value) || !URL.canParse(value)) return false;
  const { username, password } = new URL(value);
  return username === '' && password === '';
}

/** `{bizid}` may stand in a name, as it does in the defaults. */
function isHostPort(value: string): boolean {
  const named = /^([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?$/.exec(
    value.replaceAll('{bizid}', '0'),
  );
  return named !== null && Number(named[2] ?? 1) >= 1 && Number(named[2] ?? 1) <= 65_535;
}

function isNetwork(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
}

// What is given: the file, then the environment over it.

interface Given {
  readonly raw: unknown;
  /** The environment variable that set a key, by the key's path. */
  readonly origins: ReadonlyMap<string, string>;
  readonly faults: readonly Fault[];
}

/** What is wrong, and with which key. */
interface Fault {
  readonly at: readonly PropertyKey[];
  readonly text: string;
}

interface Variable {
  readonly name: string;
  readonly text: string;
}

interface Assignment {
  readonly path: string;
  readonly value: unknown;
  readonly name: string;
}

const PREFIX = 'roomkeep_';

function givenBy({ env, root }: ConfigSources): Given {
  const variables = variablesIn(env);
  const isFileName = ({ name }: Variable) => name.toLowerCase() === `${PREFIX}config`;
  const assigned = new Map<string, Assignment>();
  const faults: Fault[] = [];
  for (const variable of variables.filter((each) => !isFileName(each))) {
    const outcome = assignmentOf(variable, root);
    if ('text' in outcome) faults.push(outcome);
    else if (assigned.has(outcome.path)) faults.push(setTwice(outcome, assigned.get(outcome.path)));
    else assigned.set(outcome.path, outcome);
  }
  const file = readJsonFile(variables.find(isFileName)?.text ?? '', root);
  return {
    raw: [...assigned.values()].reduce(withAssignment, file),
    origins: new Map([...assigned].map(([keyPath, { name }]) => [keyPath, name])),
    faults,
  };
}

function variablesIn(env: ConfigSources['env']): readonly Variable[] {
  return Object.entries(env)
    .flatMap(([name, value]) => (value === undefined ? [] : [{ name, text: value }]))
    .filter((each) => each.name.toLowerCase().startsWith(PREFIX) && !isServiceLink(each))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Kubernetes sets these by itself in the pods beside a Service that is called roomkeep. */
function isServiceLink({ name, text: value }: Variable): boolean {
  if (/^ROOMKEEP_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)(_\w+)?)$/.test(name)) return true;
  return name === 'ROOMKEEP_PORT' && /^(tcp|udp):\/\//.test(value);
}

function assignmentOf({ name, text: value }: Variable, root: string): Assignment | Fault {
  const wanted = name.slice(PREFIX.length).toLowerCase().replaceAll('__', '.');
  const known = knownKeys();
  const exact = known.find((each) => each.path.toLowerCase() === wanted);
  if (exact !== undefined) return { path: exact.path, value: exact.facts.parseText(value), name };

  const byFile = known.find((each) => `${each.path.toLowerCase()}_file` === wanted);
  if (byFile?.facts.fromFile) return assignmentFromFile({ name, file: value, root, key: byFile });
  return { at: wanted.split('.'), text: `${unknownKey(wanted, known)} (from ${name})` };
}

function assignmentFromFile(from: {
  readonly name: string;
  readonly file: string;
  readonly root: string;
  readonly key: KnownKey;
}): Assignment | Fault {
  const { path: keyPath, facts } = from.key;
  try {
    const content = readFileSync(resolve(from.root, from.file), 'utf8').replace(/[\r\n]+$/, '');
    return { path: keyPath, value: facts.parseText(content), name: from.name };
  } catch (error) {
    const got = `${JSON.stringify(from.file)}, which gives ${codeOf(error)}`;
    const text = `expected the path of a readable file, got ${got} (from ${from.name})`;
    return { at: keyPath.split('.'), text };
  }
}

function setTwice({ path: keyPath, name }: Assignment, first: Assignment | undefined): Fault {
  const text = `expected to be set once, got ${first?.name ?? name} and ${name}`;
  return { at: keyPath.split('.'), text };
}

/** `{}` when no file is named and the usual one is not there. */
function readJsonFile(named: string, root: string): unknown {
  const file = resolve(root, named === '' ? 'roomkeep.json' : named);
  try {
    return JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    if (named === '' && codeOf(error) === 'ENOENT') return {};
    const from = named === '' ? '' : ' (from ROOMKEEP_CONFIG)';
    // No cause: the parser's message quotes the file, and so perhaps a secret.
    if (error instanceof SyntaxError) {
      throw new ConfigError([`${file}: expected JSON, got a mistake${placeOf(error)}${from}`]);
    }
    throw new ConfigError([`${file}: expected a readable file, got ${codeOf(error)}${from}`]);
  }
}

function placeOf(error: SyntaxError): string {
  const position = / at position \d+/.exec(error.message);
  return position === null ? '' : position[0];
}

function withAssignment(raw: unknown, { path: keyPath, value }: Assignment): unknown {
  if (!isRecord(raw)) return raw;
  const [first = '', second] = keyPath.split('.');
  if (second === undefined) return { ...raw, [first]: value };
  const group = raw[first] === undefined ? {} : raw[first];
  return isRecord(group) ? { ...raw, [first]: { ...group, [second]: value } } : raw;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
}

// Checking: every problem is found in one go.

interface KnownKey {
  readonly path: string;
  readonly facts: KeyFacts;
}

function knownKeys(): readonly KnownKey[] {
  return keysWithin(SETTINGS, '');
}

function keysWithin(group: z.ZodObject, prefix: string): readonly KnownKey[] {
  return Object.entries(group.shape).flatMap(([name, schema]) => {
    if (schema instanceof z.ZodObject) return keysWithin(schema, `${prefix}${name}.`);
    const facts = FACTS.get(schema);
    return facts === undefined ? [] : [{ path: `${prefix}${name}`, facts }];
  });
}

function settingsOf({ raw, origins, faults }: Given): Settings {
  if (!isRecord(raw)) {
    throw new ConfigError([`the configuration: expected an object, got ${kindOf(raw)}`]);
  }
  const filled = withGroups(raw);
  const wrong = [...faults, ...faultsIn(filled, origins)];
  // What is wrong falls back to its default, only to see whether the rest fits together.
  const settings = SETTINGS.parse(without(filled, wrong));
  const all = [...wrong, ...contradictionsIn(settings).filter((each) => !isAbout(each, wrong))];
  if (all.length === 0) return settings;
  throw new ConfigError([...new Set(all.map(({ at, text: what }) => `${pathText(at)}: ${what}`))]);
}

function withGroups(raw: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const names = Object.entries(SETTINGS.shape)
    .filter(([name, schema]) => schema instanceof z.ZodObject && raw[name] === undefined)
    .map(([name]) => [name, {}]);
  return { ...raw, ...Object.fromEntries(names) };
}

function faultsIn(raw: unknown, origins: ReadonlyMap<string, string>): readonly Fault[] {
  const known = knownKeys();
  const issues = SETTINGS.safeParse(raw).error?.issues ?? [];
  return issues.flatMap((issue): readonly Fault[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((name) => {
        const at = [...issue.path, name];
        return { at, text: unknownKey(pathText(at), [...siblingsAt(issue.path), ...known]) };
      });
    }
    const schema = schemaAt(issue.path);
    const facts = schema && FACTS.get(schema);
    const got = gotText(valueAt(raw, issue.path), facts);
    const text = `expected ${facts?.expected ?? objectText(schema)}, got ${got}`;
    return [{ at: issue.path, text: `${text}${originText(issue.path, origins)}` }];
  });
}

function schemaAt(at: readonly PropertyKey[]): z.core.$ZodType | undefined {
  return at.reduce<z.core.$ZodType | undefined>((schema, name) => {
    const inner = unwrapped(schema);
    if (inner instanceof z.ZodArray) return inner.element;
    return inner instanceof z.ZodObject ? inner.shape[String(name)] : undefined;
  }, SETTINGS);
}

function unwrapped(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  const isWrapper = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional;
  return isWrapper ? schema.unwrap() : schema;
}

function siblingsAt(at: readonly PropertyKey[]): readonly { readonly path: string }[] {
  const schema = at.length > 1 ? unwrapped(schemaAt(at)) : undefined;
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.keys(schema.shape).map((name) => ({ path: pathText([...at, name]) }));
}

function valueAt(raw: unknown, at: readonly PropertyKey[]): unknown {
  return at.reduce<unknown>((value, name) => {
    if (Array.isArray(value)) return value[Number(name)];
    return isRecord(value) ? value[String(name)] : undefined;
  }, raw);
}

function originText(at: readonly PropertyKey[], origins: ReadonlyMap<string, string>): string {
  const origin = origins.get(pathText(at.slice(0, 1))) ?? origins.get(pathText(at.slice(0, 2)));
  return origin === undefined ? '' : ` (from ${origin})`;
}

/** Keys are the operator's text: an odd one is quoted, so that it stays on its line. */
function pathText(at: readonly PropertyKey[]): string {
  const names = at.map((name) => String(name).slice(0, NAME_SHOWN_MAX));
  return names.map((name) => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name))).join('.');
}

const NAME_SHOWN_MAX = 64;

function objectText(schema: z.core.$ZodType | undefined): string {
  const keys = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return `an object with the keys ${keys.join(', ')}`;
}

/** What arrived, as far as it may be shown: never a secret, nor text that may hold one. */
function gotText(value: unknown, facts: KeyFacts | undefined): string {
  if (value === undefined) return 'nothing';
  if (facts === undefined) return kindOf(value);
  const isText = typeof value === 'string';
  if (facts.secret) return isText ? `[secret] of ${value.length} characters` : '[secret]';
  if (isText) return value.includes('-----') ? 'PEM text' : JSON.stringify(shortened(value));
  return typeof value === 'object' ? kindOf(value) : String(value);
}

/** URLs carry passwords before their `@` and keys after their `?`. */
function shortened(value: string): string {
  const bare = value.replace(/\/\/[^/]*@/, '//…@').replace(/\?.*/s, '?…');
  return bare.length > VALUE_SHOWN_MAX ? `${bare.slice(0, VALUE_SHOWN_MAX)}…` : bare;
}

const VALUE_SHOWN_MAX = 60;

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  const kinds: Readonly<Record<string, string>> = { object: 'an object', string: 'text' };
  return kinds[typeof value] ?? `a ${typeof value}`;
}

function unknownKey(path: string, known: readonly { readonly path: string }[]): string {
  const nearest = nearestTo(
    path,
    known.map((each) => each.path),
  );
  return nearest === undefined ? 'unknown key' : `unknown key, did you mean ${nearest}?`;
}

/** The known path that a misspelt, misplaced or wrongly separated one most likely stands for. */
function nearestTo(path: string, known: readonly string[]): string | undefined {
  const wanted = lettersOf(path);
  const limit = Math.max(1, wanted.length / 4);
  const distanceTo = (letters: string) =>
    Math.abs(letters.length - wanted.length) > limit ? Infinity : editsBetween(wanted, letters);
  const [nearest] = known
    .map((each) => {
      const misplaced = 0.5 + distanceTo(lettersOf(each.slice(each.lastIndexOf('.') + 1)));
      return { each, distance: Math.min(distanceTo(lettersOf(each)), misplaced) };
    })
    .sort((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= limit ? nearest.each : undefined;
}

function lettersOf(path: string): string {
  return path
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
    .slice(0, NAME_SHOWN_MAX);
}

/** Letters to add, drop, change or swap with their neighbour to turn one word into the other. */
function editsBetween(a: string, b: string): number {
  const cost = (rows: readonly number[][], i: number, j: number) => rows[i]?.[j] ?? Infinity;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j += 1) {
      const change = cost(rows, i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? cost(rows, i - 2, j - 2) + 1 : Infinity;
      row.push(Math.min(cost(rows, i - 1, j) + 1, cost(rows, i, j - 1) + 1, change, swap));
    }
  }
  return cost(rows, a.length, b.length);
}

/** `raw` without the keys that are at fault. */
function without(
  raw: Readonly<Record<string, unknown>>,
  faults: readonly Fault[],
): Readonly<Record<string, unknown>> {
  const isAtFault = (...at: readonly string[]) =>
    faults.some((fault) => at.every((name, i) => fault.at[i] === name));
  const isWholeFault = (name: string) =>
    faults.some(({ at }) => at[0] === name && (at.length === 1 || !isRecord(raw[name])));
  const kept = Object.entries(raw)
    .filter(([name]) => !isWholeFault(name))
    .map(([name, value]) => {
      if (!isRecord(value)) return [name, value];
      const entries = Object.entries(value).filter(([inner]) => !isAtFault(name, inner));
      return [name, Object.fromEntries(entries)];
    });
  return withGroups(Object.fromEntries(kept));
}

/** Keys that are right by themselves, but not together. */
interface Contradiction extends Fault {
  /** The key to change comes first. */
  readonly between: readonly [string, ...string[]];
}

interface ContradictionRule extends Omit<Contradiction, 'at'> {
  readonly broken: boolean;
}

/** A contradiction says nothing new while one of its keys is wrong by itself. */
function isAbout({ between }: Contradiction, faults: readonly Fault[]): boolean {
  const wrong = faults.map(({ at }) => pathText(at.slice(0, 2)));
  return between.some((name) => wrong.some((each) => each === name || name.startsWith(`${each}.`)));
}

function contradictionsIn(settings: Settings): readonly Contradiction[] {
  const { https, live, im, node, process: processes, mysql, auth } = settings;
  const wantsTencent = im.driver === 'tencent';
  const ids = auth.services.map(({ id }) => id);
  const rules: readonly ContradictionRule[] = [
    {
      broken: https.cert === '' && https.key !== '',
      between: ['https.cert', 'https.key'],
      text: 'expected the certificate that belongs to https.key, got nothing',
    },
    {
      broken: https.cert !== '' && https.key === '',
      between: ['https.key', 'https.cert'],
      text: 'expected the key that belongs to https.cert, got nothing',
    },
    {
      broken: live.bizid > 0 && live.pushSecretKey.isEmpty,
      between: ['live.pushSecretKey', 'live.bizid'],
      text: 'expected the key that belongs to live.bizid, got nothing',
    },
    {
      broken: wantsTencent && im.sdkAppID === 0,
      between: ['im.sdkAppID', 'im.driver'],
      text: 'expected an id, because im.driver is tencent, got 0',
    },
    {
      broken: wantsTencent && !hasImKey(settings),
      between: ['im.secretKey', 'im.privateKey', 'im.driver'],
      text: 'expected this or im.privateKey, because im.driver is tencent, got nothing',
    },
    {
      broken: node.warnLoad > node.maxLoad,
      between: ['node.warnLoad', 'node.maxLoad'],
      text: `expected at most node.maxLoad, which is ${node.maxLoad}, got ${node.warnLoad}`,
    },
    {
      broken: processes.workers > 1 && mysql.host === '',
      between: ['process.workers', 'mysql.host'],
      text: `expected 1, because several processes need mysql.host, got ${processes.workers}`,
    },
    {
      broken: new Set(ids).size < ids.length,
      between: ['auth.services'],
      text: `expected every id once, got ${ids.join(', ')}`,
    },
  ];
  return rules
    .filter(({ broken }) => broken)
    .map((rule) => ({ ...rule, at: rule.between[0].split('.') }));
}

// From settings to the configuration.

interface Parts {
  readonly settings: Settings;
  readonly secrets: GeneratedSecrets;
  readonly root: string;
}

function hasImKey({ im }: Settings): boolean {
  return !im.secretKey.isEmpty || !im.privateKey.isEmpty;
}

function hasTencentIm(settings: Settings): boolean {
  return settings.im.sdkAppID > 0 && hasImKey(settings);
}

function hasTencentLive({ live }: Settings): boolean {
  return (live.bizid > 0 || live.pushHost !== '') && !live.pushSecretKey.isEmpty;
}

function isDevelopment(settings: Settings): boolean {
  return !hasTencentIm(settings) && !hasTencentLive(settings);
}

function needsGeneratedSecrets(settings: Settings): boolean {
  return generatedKeysOf(settings).length > 0;
}

/** The keys that nobody configured and that the service therefore invents. */
function generatedKeysOf(settings: Settings): readonly string[] {
  const { live, auth, admin } = settings;
  const keys: readonly (readonly [path: string, isGenerated: boolean])[] = [
    ['im.secretKey', !hasImKey(settings)],
    ['live.pushSecretKey', live.pushSecretKey.isEmpty],
    ['auth.masterKey', auth.masterKey.isEmpty],
    ['admin.password', admin.password.isEmpty],
  ];
  return keys.filter(([, isGenerated]) => isGenerated).map(([path]) => path);
}

function secretsFileOf(settings: Settings, root: string): string {
  return join(resolve(root, settings.dataDir), 'secrets.json');
}

function secretsIn(file: string): GeneratedSecrets {
  try {
    return readOrMakeSecrets(file);
  } catch (cause) {
    throw new ConfigError([cause instanceof Error ? cause.message : String(cause)], { cause });
  }
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
    sqlite: { file: resolve(root, sqliteFile) },
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
  return frozen({ ...config, warnings: warningsAbout(config, parts) });
}

function httpsOf({ settings, root }: Parts): HttpsConfig | undefined {
  const { cert, key: keyFile } = settings.https;
  return cert === '' ? undefined : { cert: resolve(root, cert), key: resolve(root, keyFile) };
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

function roomsOf(settings: Settings): Readonly<Record<RoomKind, RoomRules>> {
  return {
    room: roomRulesOf('room', settings),
    double_room: roomRulesOf('double_room', settings),
    multi_room: roomRulesOf('multi_room', settings),
    live_room: roomRulesOf('live_room', settings),
    webrtc_room: roomRulesOf('webrtc_room', settings),
    webexe_room: roomRulesOf('webexe_room', settings),
  };
}

function roomRulesOf(kind: RoomKind, settings: Settings): RoomRules {
  return {
    maxMembers: roomSetting(settings, kind, 'maxMembers'),
    heartBeatTimeoutMs: msOf(roomSetting(settings, kind, 'heartBeatTimeout')),
    maxIdleMs: msOf(roomSetting(settings, kind, 'maxIdleDuration')),
    creatorCanDestroyRoom: roomSetting(settings, kind, 'creatorCanDestroyRoom'),
    audiencesListedMax: roomSetting(settings, kind, 'maxAudiencesLen'),
    duplicateLogin: roomSetting(settings, kind, 'duplicateLogin'),
  };
}

/** Set for the kind, else the kind's own default, else set for `room`, else the default. */
function roomSetting<K extends keyof RoomSettings>(
  settings: Settings,
  kind: RoomKind,
  name: K,
): RoomSettings[K] {
  const own: SetByOperator = settings[kind];
  const common: SetByOperator = settings.room;
  return own[name] ?? KIND_DEFAULTS[kind][name] ?? common[name] ?? ROOM_DEFAULTS[name];
}

type SetByOperator = { readonly [K in keyof RoomSettings]?: RoomSettings[K] | undefined };

/** One loop sweeps all kinds, as often as the most demanding kind asks for. */
function sweepIntervalMsOf(settings: Settings): number {
  const intervals = ROOM_KINDS.map((kind) => roomSetting(settings, kind, 'sweepInterval'));
  return msOf(Math.min(...intervals));
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
  return settings.webhooks.map(({ url, secret: signingKey, events = [], kinds = ROOM_KINDS }) => ({
    url,
    secret: signingKey,
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

function msOf(durationS: number): number {
  return Math.round(durationS * 1000);
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

function secretsWithin(value: unknown): readonly Secret[] {
  if (value instanceof Secret) return [value];
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap(secretsWithin)
    : [];
}

// Warnings.

/** Below it one late heartbeat, a second lost to a radio cell, removes a member. */
const CALM_TIMEOUT_MS = 3000;
const PASSWORD_LENGTH_MIN = 8;
const MASTER_KEY_LENGTH_MIN = 16;

function warningsAbout(config: Omit<Config, 'warnings'>, parts: Parts): readonly string[] {
  const { settings } = parts;
  const isReal = !config.developmentMode;
  const isPrivatePaired = hasMatchingPems(config.im);
  const warnings: readonly (readonly [isDue: boolean, text: string])[] = [
    [
      isReal && config.auth.mode === 'open',
      'auth.mode is open although Tencent keys are configured: anybody can act as any user and have signatures made.',
    ],
    [
      isReal && config.limits.rate === 'off',
      'limits.rate is off although Tencent keys are configured: one client can take all capacity.',
    ],
    [
      config.im.driver === 'local' && hasImKey(settings) !== settings.im.sdkAppID > 0,
      "im.sdkAppID and im.secretKey or im.privateKey are not set together: Tencent's IM is not used.",
    ],
    [
      !isPrivatePaired,
      'im.publicKey does not belong to im.privateKey: a userSig made here is not accepted here.',
    ],
    [
      !settings.admin.password.isEmpty && isShort(config.admin.password, PASSWORD_LENGTH_MIN),
      `admin.password is shorter than ${PASSWORD_LENGTH_MIN} characters: it can be guessed.`,
    ],
    [
      !settings.auth.masterKey.isEmpty && isShort(config.auth.masterKey, MASTER_KEY_LENGTH_MIN),
      `auth.masterKey is shorter than ${MASTER_KEY_LENGTH_MIN} characters: it can be guessed.`,
    ],
    [
      config.trustedProxies.some((each) => each.endsWith('/0')),
      'trustedProxies holds every address: anybody can pretend to come from any other.',
    ],
  ];
  return [
    ...warnings.filter(([isDue]) => isDue).map(([, text_]) => text_),
    ...plainHttpWarnings(config),
    ...hastyKindWarnings(config),
    ...generatedWarnings(config, parts),
  ];
}

function isShort(value: Secret, lengthMin: number): boolean {
  return value.reveal().length < lengthMin;
}

function hasMatchingPems({ privateKey, publicKey }: ImConfig): boolean {
  if (privateKey.isEmpty || publicKey === '') return true;
  return createPublicKey(privateKey.reveal()).equals(createPublicKey(publicKey));
}

function plainHttpWarnings(config: Omit<Config, 'warnings'>): readonly string[] {
  const urls: readonly (readonly [key: string, url: string])[] = [
    ['wxHost', config.wxHost],
    ['im.host', config.im.host],
    ['live.apiHost', config.live.apiHost],
    ...config.webhooks.map(({ url }, i) => [`webhooks.${i}.url`, url] as const),
  ];
  return urls
    .filter(([, url]) => isOpenToEavesdroppers(new URL(url)))
    .map(([name]) => `${name} is plain http to another host: keys and names travel unencrypted.`);
}

function isOpenToEavesdroppers({ protocol, hostname }: URL): boolean {
  const isLoopback = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  return protocol === 'http:' && !isLoopback;
}

function hastyKindWarnings({ rooms }: Pick<Config, 'rooms'>): readonly string[] {
  const hasty = ROOM_KINDS.filter((kind) => rooms[kind].heartBeatTimeoutMs < CALM_TIMEOUT_MS);
  if (hasty.length === 0) return [];
  return [
    `heartBeatTimeout is below 3 seconds for ${hasty.join(', ')}: one late heartbeat removes a pusher.`,
  ];
}

function generatedWarnings(
  { developmentMode, mysql }: Pick<Config, 'developmentMode' | 'mysql'>,
  { settings, root }: Parts,
): readonly string[] {
  const keys = generatedKeysOf(settings).join(', ');
  if (keys === '' || (developmentMode && mysql.host === '')) return [];
  const file = secretsFileOf(settings, root);
  return [`Not configured, so generated in ${file}: ${keys}. Other hosts do not share that file.`];
}
