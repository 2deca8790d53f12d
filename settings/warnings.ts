import { createPublicKey } from 'node:crypto';
import { ROOM_KINDS } from '../logic/model.ts';
import type { Secret } from '../logic/secret.ts';
import type { Config, ImConfig } from './config_types.ts';
import { generatedKeysOf, secretsFileOf } from './generated_keys.ts';
import type { Settings } from './schema.ts';
import { hasImKey } from './tencent_keys.ts';

/** Every unsafe choice, one sentence each, without a secret. */
export function warningsAbout({ config, settings, root }: Parts): readonly string[] {
  const isReal = !config.developmentMode;
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
      !hasMatchingPems(config.im),
      'im.publicKey does not belong to im.privateKey: a userSig made here is not accepted here.',
    ],
    [
      isShort(settings.admin.password, PASSWORD_LENGTH_MIN),
      `admin.password is shorter than ${PASSWORD_LENGTH_MIN} characters: it can be guessed.`,
    ],
    [
      isShort(settings.auth.masterKey, MASTER_KEY_LENGTH_MIN),
      `auth.masterKey is shorter than ${MASTER_KEY_LENGTH_MIN} characters: it can be guessed.`,
    ],
    [
      config.trustedProxies.some((each) => each.endsWith('/0')),
      'trustedProxies holds every address: anybody can pretend to come from any other.',
    ],
  ];
  return [
    ...warnings.filter(([isDue]) => isDue).map(([, warning]) => warning),
    ...plainHttpWarnings(config),
    ...hastyKindWarnings(config),
    ...generatedWarnings({ config, settings, root }),
  ];
}

interface Parts {
  readonly config: Omit<Config, 'warnings'>;
  readonly settings: Settings;
  readonly root: string;
}

/** Below it one late heartbeat, a second lost to a radio cell, removes a member. */
const CALM_TIMEOUT_MS = 3000;
const PASSWORD_LENGTH_MIN = 8;
const MASTER_KEY_LENGTH_MIN = 16;

function isShort(value: Secret, lengthMin: number): boolean {
  return !value.isEmpty && value.reveal().length < lengthMin;
}

function hasMatchingPems({ privateKey, publicKey }: ImConfig): boolean {
  if (privateKey.isEmpty || publicKey === '') return true;
  return createPublicKey(privateKey.reveal()).equals(createPublicKey(publicKey));
}

function plainHttpWarnings(config: Parts['config']): readonly string[] {
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

function hastyKindWarnings({ rooms }: Parts['config']): readonly string[] {
  const hasty = ROOM_KINDS.filter((kind) => rooms[kind].heartBeatTimeoutMs < CALM_TIMEOUT_MS);
  if (hasty.length === 0) return [];
  return [
    `heartBeatTimeout is below 3 seconds for ${hasty.join(', ')}: one late heartbeat removes a pusher.`,
  ];
}

function generatedWarnings({ config, settings, root }: Parts): readonly string[] {
  const keys = generatedKeysOf(settings).join(', ');
  if (keys === '' || (config.developmentMode && config.mysql.host === '')) return [];
  const file = secretsFileOf(settings, root);
  return [`Not configured, so generated in ${file}: ${keys}. Other hosts do not share that file.`];
}
