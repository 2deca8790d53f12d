import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Config, ConfigError, parseConfig } from '../config.ts';
import { Secret } from '../logic/secret.ts';
import type { GeneratedSecrets } from '../logic/secrets_file.ts';

/** Where nothing is: parsing reads no disk. */
export const ROOT = join(tmpdir(), 'roomkeep-nowhere');

const GENERATED: GeneratedSecrets = {
  imSecretKey: new Secret('generated-im-key'),
  pushSecretKey: new Secret('generated-push-key'),
  masterKey: new Secret('generated-master-key'),
  adminPassword: new Secret('generated-password'),
};

/** Every value that would otherwise be generated. */
export const ALL_SECRETS = {
  im: { secretKey: 'an-im-key' },
  live: { pushSecretKey: 'a-push-key' },
  auth: { masterKey: 'a-master-key-of-20ch' },
  admin: { password: 'a-password' },
};

/** An IM application and a live account as Tencent would give them. */
export const TENCENT_IM = { sdkAppID: 1_400_111_222, secretKey: 'a-real-im-key' };
export const TENCENT_LIVE = { bizid: 8525, pushSecretKey: 'a-real-push-key' };

/** The configuration that this makes, with generated secrets that are known. */
export function parse(raw: unknown): Config {
  return parseConfig(raw, GENERATED, ROOT);
}

/** The problems of a configuration that must be refused. */
export function problemsOf(build: () => unknown): readonly string[] {
  try {
    build();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.equal(error.message, error.problems.join('\n'));
    for (const problem of error.problems) assert.doesNotMatch(problem, /\n/);
    return error.problems;
  }
  throw new Error('The configuration was accepted.');
}

/** A folder that is gone after the test. */
export function newRoot(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'roomkeep-config-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Writes the configuration file, from an object or as the text it is. */
export function writeConfig(root: string, raw: unknown, name = 'roomkeep.json'): void {
  writeFileSync(join(root, name), typeof raw === 'string' ? raw : JSON.stringify(raw));
}

/** An object with this value at `port` or `mysql.host`. */
export function nested(path: string, value: unknown): object {
  const [first = '', second] = path.split('.');
  return { [first]: second === undefined ? value : { [second]: value } };
}

/** A key pair for userSigs of version 1. */
export function newPems(): { readonly privateKey: string; readonly publicKey: string } {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}
