import type { RoomKind, RoomRules } from '../logic/model.ts';
import type { Secret } from '../logic/secret.ts';

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

/** TLS of its own; paths of the PEM files, absolute. */
export interface HttpsConfig {
  readonly cert: string;
  readonly key: string;
}

/** The MySQL servers, where they replace the embedded database. */
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

/** Where streams are pushed to and played from, and with which keys. */
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

/** Who carries notices, and the keys that sign userSigs. */
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

/** Who may act. */
export interface AuthConfig {
  readonly mode: 'open' | 'token';
  readonly masterKey: Secret;
  readonly ticket: 'optional' | 'required';
  readonly services: readonly ServiceConfig[];
}

/** A server that may call the service API. */
export interface ServiceConfig {
  readonly id: string;
  readonly scopes: readonly (typeof SCOPES)[number][];
}

/** The operator's account. */
export interface AdminConfig {
  readonly user: string;
  readonly password: Secret;
  readonly passwordIsGenerated: boolean;
}

/** A receiver of events. */
export interface WebhookConfig {
  readonly url: string;
  readonly secret: Secret;
  /** Empty: every event. */
  readonly events: readonly string[];
  readonly kinds: readonly RoomKind[];
}

/** How rooms find media nodes. */
export interface NodeConfig {
  readonly ttlMs: number;
  readonly policy: (typeof NODE_POLICIES)[number];
  readonly maxLoad: number;
  readonly warnLoad: number;
  readonly static: boolean;
  readonly assignAttempts: number;
  readonly assignIntervalMs: number;
}

/** How much of anything. */
export interface LimitsConfig {
  readonly rate: 'on' | 'off';
  readonly bodyBytes: number;
  readonly roomsPerPage: number;
  readonly tokensPerUser: number;
  readonly customFields: number;
  readonly customBytes: number;
}

/** The least severe level that is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a service may be allowed. */
export const SCOPES = ['room', 'node', 'admin'] as const;

/** From everything to nothing. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'off'] as const;

/** The ways to choose a node. */
export const NODE_POLICIES = [
  'hash',
  'least-used',
  'most-used',
  'round-robin',
  'last-used',
  'randomly-pick',
  'weight-robin',
] as const;
