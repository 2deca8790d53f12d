import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type KnownKey, knownKeys } from './known_keys.ts';
import { codeOf, type Fault } from './problems.ts';
import { unknownKey } from './suggestions.ts';

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A key that a variable sets. */
export interface Assignment {
  readonly path: string;
  readonly value: unknown;
  /** The variable. */
  readonly name: string;
}

/** What every variable of ours sets, or what is wrong with it, by the variables' names. */
export function assignmentsIn(env: Environment, root: string): readonly (Assignment | Fault)[] {
  return variablesIn(env)
    .filter((variable) => !namesFile(variable))
    .map((variable) => assignmentOf(variable, root));
}

/** The configuration file that the environment names, or ''. */
export function fileNamedIn(env: Environment): string {
  return variablesIn(env).find(namesFile)?.text ?? '';
}

interface Variable {
  readonly name: string;
  readonly text: string;
}

const PREFIX = 'roomkeep_';

function variablesIn(env: Environment): readonly Variable[] {
  return Object.entries(env)
    .flatMap(([name, text]) => (text === undefined ? [] : [{ name, text }]))
    .filter((each) => each.name.toLowerCase().startsWith(PREFIX) && !isServiceLink(each))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Kubernetes sets these by itself in the pods beside a Service that is called roomkeep. */
function isServiceLink({ name, text }: Variable): boolean {
  if (/^ROOMKEEP_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)(_\w+)?)$/.test(name)) return true;
  return name === 'ROOMKEEP_PORT' && /^(tcp|udp):\/\//.test(text);
}

function namesFile({ name }: Variable): boolean {
  return name.toLowerCase() === `${PREFIX}config`;
}

function assignmentOf(variable: Variable, root: string): Assignment | Fault {
  const { name, text } = variable;
  const wanted = name.slice(PREFIX.length).toLowerCase().replaceAll('__', '.');
  const known = knownKeys();
  const exact = known.find(({ path }) => path.toLowerCase() === wanted);
  if (exact !== undefined) return { path: exact.path, value: exact.facts.parseText(text), name };

  const byFile = known.find(({ path }) => `${path.toLowerCase()}_file` === wanted);
  if (byFile?.facts.fromFile) return assignmentFromFile({ variable, key: byFile, root });
  const paths = known.map(({ path }) => path);
  return { at: wanted.split('.'), text: `${unknownKey(wanted, paths)} (from ${name})` };
}

function assignmentFromFile(from: {
  readonly variable: Variable;
  readonly key: KnownKey;
  readonly root: string;
}): Assignment | Fault {
  const { path, facts } = from.key;
  const { name, text: file } = from.variable;
  try {
    const content = readFileSync(resolve(from.root, file), 'utf8').replace(/[\r\n]+$/, '');
    return { path, value: facts.parseText(content), name };
  } catch (error) {
    const got = `${JSON.stringify(file)}, which gives ${codeOf(error)}`;
    const text = `expected the path of a readable file, got ${got} (from ${name})`;
    return { at: path.split('.'), text };
  }
}
