import * as z from 'zod';
import { ROOM_KINDS } from '../logic/model.ts';
import { USER_SIG_LIFE_MAX_MS } from '../logic/user_sig.ts';
import { baseURL, hookURL, hostList, hostPort, network, pathname } from './address_types.ts';
import { LOG_LEVELS, NODE_POLICIES, SCOPES } from './config_types.ts';
import {
  choice,
  DAY_S,
  flag,
  list,
  NO_SECRET,
  path,
  privatePem,
  publicPem,
  seconds,
  secret,
  share,
  tencentNumber,
  tencentText,
  text,
  whole,
  word,
  YEAR_S,
} from './key_types.ts';
import { item, key, optionalKey } from './keys.ts';
import { roomKeys } from './room_settings.ts';

/** Stands for the application while none is configured, in the range of real ones. */
export const DEVELOPMENT_APP_ID = 1_400_000_000;

/** Every key there is; the documentation keeps this order. */
export const SETTINGS = z.strictObject({
  port: key(whole(0, 65_535), {
    says: 'Port to listen on; 0 takes any free one.',
    default: 5757,
  }),
  host: key(text(1, 255), { says: 'Address to listen on.', default: '0.0.0.0' }),
  rootPathname: key(pathname(), {
    says: 'Path prefix that a proxy in front adds; it is stripped from every request.',
    default: '',
  }),
  selfHost: optionalKey(baseURL(), {
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
  webhooks: key(list(webhookItem(), '{url, secret, events?, kinds?} objects', { isSecret: true }), {
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

/** The settings as given, with defaults; durations are seconds still. */
export type Settings = z.output<typeof SETTINGS>;

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
    playScheme: optionalKey(choice('https', 'http'), {
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
    expire: key(seconds(1, USER_SIG_LIFE_MAX_MS / 1000), {
      says: 'Life of a userSig.',
      default: 86_400,
    }),
  });
}

function limitKeys() {
  return z.strictObject({
    rate: key(choice('auto', 'on', 'off'), {
      says: 'Whether request rates are limited; auto: not in development mode.',
      default: 'auto',
    }),
    bodyBytes: key(whole(1024, 1_048_576), { says: 'Size of a request body.', default: 65_536 }),
    roomsPerPage: key(whole(1, 1000), { says: 'Rooms in one list page.', default: 100 }),
    tokensPerUser: key(whole(1, 1000), { says: 'Logins one user may hold.', default: 40 }),
    customFields: key(whole(1, 1024), { says: 'Custom fields of a room.', default: 64 }),
    customBytes: key(whole(1, 65_536), { says: 'Size of all custom fields.', default: 4096 }),
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
    events: optionalKey(list(item(text(1, 64), 'One event.'), 'event names', { lengthMin: 1 }), {
      says: 'The events to post.',
      defaultText: 'all',
    }),
    kinds: optionalKey(
      list(item(choice(...ROOM_KINDS), 'One kind.'), 'room kinds', { lengthMin: 1 }),
      {
        says: 'The room kinds to post about.',
        defaultText: 'all',
      },
    ),
  });
}
