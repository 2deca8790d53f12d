import { contradictionsIn } from './contradictions.ts';
import { groupNames, knownKeys, placeAt } from './known_keys.ts';
import { ConfigError, type Fault, gotText, kindOf, pathText } from './problems.ts';
import { isObject, type RawObject, valueAt, withValue } from './raw_values.ts';
import { SETTINGS, type Settings } from './schema.ts';
import type { Given } from './sources.ts';
import { unknownKey } from './suggestions.ts';

/** The settings that were given; throws every problem there is in one `ConfigError`. */
export function settingsOf({ raw, origins, faults }: Given): Settings {
  if (!isObject(raw)) {
    throw new ConfigError([`the configuration: expected an object, got ${kindOf(raw)}`]);
  }
  const wrong = [...faults, ...faultsIn(withGroups(raw), origins)];
  // What is wrong falls back to its default, only to see whether the rest fits together.
  const settings = SETTINGS.parse(soundPart(raw, wrong));
  const all = [...wrong, ...clashesIn(settings, wrong)];
  if (all.length === 0) return settings;
  throw new ConfigError([...new Set(all.map(({ at, text }) => `${pathText(at)}: ${text}`))]);
}

function withGroups(raw: RawObject): RawObject {
  const missing = groupNames().filter((name) => raw[name] === undefined);
  return { ...raw, ...Object.fromEntries(missing.map((name) => [name, {}])) };
}

function faultsIn(raw: RawObject, origins: Given['origins']): readonly Fault[] {
  const issues = SETTINGS.safeParse(raw).error?.issues ?? [];
  return issues.flatMap((issue): readonly Fault[] => {
    const at = issue.path;
    if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => unknownIn(at, name));
    const { facts, names } = placeAt(at);
    const expected = facts?.expected ?? `an object with the keys ${names.join(', ')}`;
    const got = gotText(valueAt(raw, at), facts);
    return [{ at, text: `expected ${expected}, got ${got}${originText(at, origins)}` }];
  });
}

function unknownIn(group: readonly PropertyKey[], name: string): Fault {
  const at = [...group, name];
  const names = group.length === 0 ? [] : placeAt(group).names;
  const siblings = names.map((each) => pathText([...group, each]));
  return { at, text: unknownKey(pathText(at), [...siblings, ...knownPaths()]) };
}

function originText(at: readonly PropertyKey[], origins: Given['origins']): string {
  const origin = origins.get(pathText(at.slice(0, 1))) ?? origins.get(pathText(at.slice(0, 2)));
  return origin === undefined ? '' : ` (from ${origin})`;
}

function soundPart(raw: RawObject, faults: readonly Fault[]): unknown {
  return knownPaths()
    .filter((path) => !faults.some((fault) => isAbout(fault, path)))
    .map((path) => ({ path, value: valueAt(raw, path.split('.')) }))
    .reduce<unknown>(withValue, withGroups({}));
}

/** A contradiction says nothing new while one of its keys is wrong by itself. */
function clashesIn(settings: Settings, faults: readonly Fault[]): readonly Fault[] {
  const isNew = (path: string) => !faults.some((fault) => isAbout(fault, path));
  return contradictionsIn(settings)
    .filter(({ between }) => between.every(isNew))
    .map(({ between, text }) => ({ at: between[0].split('.'), text }));
}

/** Whether a fault is in this key, in a part of its value, or in the whole group around it. */
function isAbout({ at }: Fault, path: string): boolean {
  return path.split('.').every((name, i) => i >= at.length || at[i] === name);
}

function knownPaths(): readonly string[] {
  return knownKeys().map(({ path }) => path);
}
