import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Stands for one of the values of `each`; alone in its text, for the value as it is. */
const EACH = '$each';

export type JsonObject = Readonly<Record<string, unknown>>;

/** One step of a profile: what is sent, and what must come back and go out to the clouds. */
export interface WireCase {
  readonly id: string;
  readonly title: string;
  readonly request?: WireRequest;
  readonly response?: WireResponse;
  /** The IM calls of this step, in order. */
  readonly im?: ImExpectation;
  /** The IM calls of a step in which only time passes. */
  readonly expectIm?: ImExpectation;
  /** How each cloud behaves during this step; as it should unless told. */
  readonly imMode?: TroubleMode;
  readonly wechatMode?: TroubleMode;
  readonly liveMode?: TroubleMode;
  readonly advanceSeconds?: number;
  readonly repeat?: { readonly count: number | string; readonly as: string };
  readonly maxMs?: number;
  /** Played once for each value, which stands where `$each` is written. */
  readonly each?: readonly unknown[];
}

export interface WireRequest {
  /** POST unless told. */
  readonly method?: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Whose userID and token are put behind the path. */
  readonly as?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a field whose value is `{"$absent": true}` is left out. */
  readonly body?: JsonObject;
  readonly rawBody?: string;
}

export interface WireResponse {
  /** 200 unless told. */
  readonly status?: unknown;
  readonly headers?: JsonObject;
  readonly body?: JsonObject;
  /** No field beside those of `body`. */
  readonly exact?: boolean;
  /** The body of an answer that is not JSON. */
  readonly text?: unknown;
}

/** `{"$any": true}`: not looked at. */
export type ImExpectation = readonly JsonObject[] | { readonly $any: true };

export type Trouble = 'fail' | 'hang' | 'reset' | 'http500' | 'html' | number;

/** `fail`: any passing trouble; a number: this ErrorCode; `times`: only the first calls meet it. */
export type TroubleMode = Trouble | { readonly trouble: Trouble; readonly times: number };

/** Cases that share one fresh server for each base, in their order. */
export interface Profile {
  readonly about: string;
  /** What `${base}` stands for; '' unless told. */
  readonly bases?: readonly string[];
  /** Laid over the common configuration, group by group. */
  readonly config?: JsonObject;
  /** When the server's calendar begins, in Unix seconds; `today` for sigs made by the wall clock. */
  readonly clock?: number | 'today';
  /** Who has logged in before the first case; `${token_<user>}` is then known. */
  readonly users?: readonly string[];
  /** Log files that lie there, by their path below the folder of logs. */
  readonly logFiles?: Readonly<Record<string, string>>;
  /** What WeChat vouches for: login codes and the openid behind each. */
  readonly wechatCodes?: Readonly<Record<string, string>>;
  /** The IM calls of steps that do not state theirs; not looked at unless told. */
  readonly imDefault?: readonly JsonObject[];
  readonly cases: readonly WireCase[];
}

/** The one profile of a file. */
export function readProfile(name: string): Profile {
  return readJson(name) as Profile;
}

/** The profiles of a file that holds several, by name. */
export function readProfiles(name: string): readonly (readonly [name: string, profile: Profile])[] {
  const { profiles } = readJson(name) as { readonly profiles: Readonly<Record<string, Profile>> };
  return Object.entries(profiles);
}

/** One case for each value of `each`; a case without it stays as it is. */
export function variantsOf(wireCase: WireCase): readonly WireCase[] {
  const { each, ...shared } = wireCase;
  if (each === undefined) return [wireCase];
  return each.map((value) => ({
    ...(withValue(shared, value) as WireCase),
    id: `${shared.id} ${shortTextOf(value)}`,
  }));
}

function withValue(template: unknown, value: unknown): unknown {
  if (template === EACH) return value;
  if (typeof template === 'string') return template.replaceAll(EACH, String(value));
  if (Array.isArray(template)) return template.map((item) => withValue(item, value));
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([name, inner]) => [name, withValue(inner, value)]),
  );
}

function shortTextOf(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** Compiled tests run elsewhere than they are written, so the cases are found from the root. */
function readJson(name: string): unknown {
  return JSON.parse(readFileSync(join(packageRoot(), 'test', 'wire', name), 'utf8'));
}

function packageRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) {
    if (dir === dirname(dir)) throw new Error('No package.json above the compiled tests.');
    dir = dirname(dir);
  }
  return dir;
}
