import type { KeyFacts } from './keys.ts';

/** The configuration cannot be used: one line for every problem, and no secret in any of them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options: ErrorOptions = {}) {
    super(problems.join('\n'), options);
    this.problems = problems;
  }
}

/** What is wrong, and with which key. */
export interface Fault {
  readonly at: readonly PropertyKey[];
  readonly text: string;
}

/** Keys are the operator's text: an odd one is quoted, so that it stays on its line. */
export function pathText(at: readonly PropertyKey[]): string {
  const names = at.map((name) => String(name).slice(0, NAME_SHOWN_MAX));
  return names.map((name) => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name))).join('.');
}

/** What arrived, as far as it may be shown: never a secret, nor text that may hold one. */
export function gotText(value: unknown, facts: KeyFacts | undefined): string {
  if (value === undefined) return 'nothing';
  if (facts === undefined) return kindOf(value);
  const isText = typeof value === 'string';
  if (facts.secret) return isText ? `[secret] of ${value.length} characters` : '[secret]';
  if (isText) return value.includes('-----') ? 'PEM text' : JSON.stringify(shortened(value));
  return typeof value === 'object' ? kindOf(value) : String(value);
}

/** The kind of a value that is not shown itself. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  const kinds: Readonly<Record<string, string>> = { object: 'an object', string: 'text' };
  return kinds[typeof value] ?? `a ${typeof value}`;
}

/** The system's name for an error, such as ENOENT. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
}

const NAME_SHOWN_MAX = 64;
const VALUE_SHOWN_MAX = 60;

/** URLs carry passwords before their `@` and keys after their `?`. */
function shortened(value: string): string {
  const bare = value.replace(/\/\/[^/]*@/, '//…@').replace(/\?.*/s, '?…');
  return bare.length > VALUE_SHOWN_MAX ? `${bare.slice(0, VALUE_SHOWN_MAX)}…` : bare;
}
