import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Assignment, assignmentsIn, type Environment, fileNamedIn } from './environment.ts';
import { ConfigError, codeOf, type Fault } from './problems.ts';
import { withValue } from './raw_values.ts';

/** Where a configuration comes from. */
export interface ConfigSources {
  readonly env: Environment;
  /** The folder of package.json: paths are relative to it. */
  readonly root: string;
}

/** What an operator gave, unchecked. */
export interface Given {
  readonly raw: unknown;
  /** The environment variable that set a key, by the key's path. */
  readonly origins: ReadonlyMap<string, string>;
  readonly faults: readonly Fault[];
}

/** The JSON file, then the environment over it. */
export function givenBy({ env, root }: ConfigSources): Given {
  const assigned = new Map<string, Assignment>();
  const faults: Fault[] = [];
  for (const outcome of assignmentsIn(env, root)) {
    if ('text' in outcome) faults.push(outcome);
    else if (assigned.has(outcome.path)) faults.push(setTwice(outcome, assigned.get(outcome.path)));
    else assigned.set(outcome.path, outcome);
  }
  const file = readJsonFile(fileNamedIn(env), root);
  return {
    raw: [...assigned.values()].reduce(withValue, file),
    origins: new Map([...assigned].map(([path, { name }]) => [path, name])),
    faults,
  };
}

function setTwice({ path, name }: Assignment, first: Assignment | undefined): Fault {
  const text = `expected to be set once, got ${first?.name ?? name} and ${name}`;
  return { at: path.split('.'), text };
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
  return / at position \d+/.exec(error.message)?.[0] ?? '';
}
