import { randomBytes, randomInt } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { Secret } from './secret.ts';

/** What the service invents for itself when nobody configured it. */
export interface GeneratedSecrets {
  readonly imSecretKey: Secret;
  readonly pushSecretKey: Secret;
  readonly masterKey: Secret;
  readonly adminPassword: Secret;
}

/**
 * The secrets kept in `file`, made on the first call and the same ever after, for every process
 * that asks. Throws an error that names the file when it is broken; it never replaces a secret.
 */
export function readOrMakeSecrets(
  file: string,
  { patienceMs = PATIENCE_MS } = {},
): GeneratedSecrets {
  const found = readSecrets(file) ?? makeSecrets(file);
  const complete = isComplete(found) ? found : addMissingSecrets({ file, patienceMs });
  return {
    imSecretKey: new Secret(complete.imSecretKey),
    pushSecretKey: new Secret(complete.pushSecretKey),
    masterKey: new Secret(complete.masterKey),
    adminPassword: new Secret(complete.adminPassword),
  };
}

/** How long another process may take to complete the file; it needs a few milliseconds. */
const PATIENCE_MS = 2000;
const PAUSE_MS = 10;

const SECRET_LENGTH_MIN = 8;
const SECRET_TEXT = z.string().min(SECRET_LENGTH_MIN).exactOptional();

/** An older version put less into the file, a newer one may have put more. */
const FILE_CONTENT = z.looseObject({
  imSecretKey: SECRET_TEXT,
  pushSecretKey: SECRET_TEXT,
  masterKey: SECRET_TEXT,
  adminPassword: SECRET_TEXT,
});

type FileContent = z.output<typeof FILE_CONTENT>;
type SecretTexts = Record<keyof GeneratedSecrets, string>;

function isComplete(content: FileContent): content is FileContent & SecretTexts {
  const { imSecretKey, pushSecretKey, masterKey, adminPassword } = content;
  return [imSecretKey, pushSecretKey, masterKey, adminPassword].every((text) => text !== undefined);
}

/** `undefined` when there is no file yet. */
function readSecrets(file: string): FileContent | undefined {
  const text = textOf(file);
  return text === undefined ? undefined : contentOf(text, file);
}

function textOf(file: string): string | undefined {
  try {
    const descriptor = openSync(file, 'r');
    try {
      if ((fstatSync(descriptor).mode & 0o077) !== 0) fchmodSync(descriptor, 0o600);
      return readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw new Error(`The secrets file ${file} cannot be read and kept private: ${codeOf(cause)}.`, {
      cause,
    });
  }
}

function contentOf(text: string, file: string): FileContent {
  const content = FILE_CONTENT.safeParse(jsonIn(text));
  if (content.success) return content.data;
  const names = content.error.issues.map(({ path }) => path.join('.')).join(', ');
  throw new Error(
    `The secrets file ${file} is broken: expected a JSON object with texts of ` +
      `${SECRET_LENGTH_MIN} or more characters, got ${names === '' ? 'something else' : `a wrong ${names}`}. ` +
      'Repair it from a backup, or remove it to have new secrets made.',
  );
}

/** The parser's own message would quote the file, and so a secret: it is dropped on purpose. */
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function makeSecrets(file: string): FileContent {
  const fresh = newSecrets();
  const won = putInPlace(file, () => {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // A link, unlike a rename, fails when another process was first: then its secrets count.
    return withTemporary(file, fresh, (temporary) => linkSync(temporary, file));
  });
  const content = won ? fresh : readSecrets(file);
  if (content !== undefined) return content;
  throw new Error(`The secrets file ${file} vanished while it was read.`);
}

/**
 * Completes the file of an older version. The lock makes sure that no two processes complete it
 * differently; it is held for two file operations, and what is in place already stays.
 */
function addMissingSecrets(where: {
  readonly file: string;
  readonly patienceMs: number;
}): SecretTexts {
  const { file, patienceMs } = where;
  const lock = `${file}.lock`;
  for (let waitedMs = 0; waitedMs <= patienceMs; waitedMs += PAUSE_MS) {
    if (putInPlace(lock, () => writeFileSync(lock, '', { flag: 'wx', mode: 0o600 }))) {
      try {
        return completed(file);
      } finally {
        rmSync(lock, { force: true });
      }
    }
    pause(PAUSE_MS);
  }
  throw new Error(
    `The secrets file ${file} lacks secrets, and ${lock} says that another process is adding them. ` +
      'Remove the lock if no other process is starting.',
  );
}

function completed(file: string): SecretTexts {
  const found = readSecrets(file);
  if (found !== undefined && isComplete(found)) return found;
  const content = { ...newSecrets(), ...found };
  putInPlace(file, () => withTemporary(file, content, (temporary) => renameSync(temporary, file)));
  return content;
}

/** False when something of that name was there first. */
function putInPlace(file: string, put: () => void): boolean {
  try {
    put();
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false;
    throw new Error(`${file} cannot be written: ${codeOf(cause)}.`, { cause });
  }
}

/** Writes `content` beside `file` and lets `publish` move it: a reader never sees half a file. */
function withTemporary(
  file: string,
  content: FileContent,
  publish: (temporary: string) => void,
): void {
  const temporary = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    writeDurably(temporary, `${JSON.stringify(content, null, 2)}\n`);
    publish(temporary);
    syncFolder(dirname(file));
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeDurably(file: string, text: string): void {
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Without it a power cut may undo the new name; Windows has no such call and needs none. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function newSecrets(): SecretTexts {
  return {
    imSecretKey: randomBytes(32).toString('hex'),
    pushSecretKey: randomBytes(16).toString('hex'),
    masterKey: randomBytes(32).toString('hex'),
    adminPassword: newPassword(),
  };
}

/** Letters and digits that nobody confuses when reading them from a terminal. */
const PASSWORD_ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const PASSWORD_LENGTH = 16;

function newPassword(): string {
  const letters = Array.from({ length: PASSWORD_LENGTH }, () =>
    PASSWORD_ALPHABET.charAt(randomInt(PASSWORD_ALPHABET.length)),
  );
  return letters.join('');
}

/** Blocks the thread: configuration is read before anything else runs. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
