import { join, resolve } from 'node:path';
import { type GeneratedSecrets, readOrMakeSecrets } from '../logic/secrets_file.ts';
import { NO_SECRET } from './key_types.ts';
import { ConfigError } from './problems.ts';
import type { Settings } from './schema.ts';
import { hasImKey } from './tencent_keys.ts';

/** The keys that nobody configured and that the service therefore invents. */
export function generatedKeysOf(settings: Settings): readonly string[] {
  const { live, auth, admin } = settings;
  const keys: readonly (readonly [path: string, isGenerated: boolean])[] = [
    ['im.secretKey', !hasImKey(settings)],
    ['live.pushSecretKey', live.pushSecretKey.isEmpty],
    ['auth.masterKey', auth.masterKey.isEmpty],
    ['admin.password', admin.password.isEmpty],
  ];
  return keys.filter(([, isGenerated]) => isGenerated).map(([path]) => path);
}

/** Where they are kept. */
export function secretsFileOf({ dataDir }: Settings, root: string): string {
  return join(resolve(root, dataDir), 'secrets.json');
}

/** What stands in for those keys; the file is touched only when there are any. */
export function readGeneratedSecrets(settings: Settings, root: string): GeneratedSecrets {
  if (generatedKeysOf(settings).length === 0) return NO_SECRETS;
  try {
    return readOrMakeSecrets(secretsFileOf(settings, root));
  } catch (cause) {
    throw new ConfigError([cause instanceof Error ? cause.message : String(cause)], { cause });
  }
}

const NO_SECRETS: GeneratedSecrets = {
  imSecretKey: NO_SECRET,
  pushSecretKey: NO_SECRET,
  masterKey: NO_SECRET,
  adminPassword: NO_SECRET,
};
