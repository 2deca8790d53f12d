import * as z from 'zod';
import { Secret } from '../logic/secret.ts';

/** What a value must be, apart from the key it is for. */
export interface KeyType<T> {
  readonly schema: z.ZodType<T>;
  /** A noun phrase for errors: `expected …`. */
  readonly expected: string;
  /** The value that a text of the environment means; if it means none, the text. */
  readonly parseText?: (text: string) => unknown;
  readonly secret?: boolean;
  /** The environment may name a file that holds the value; so it may for every secret. */
  readonly fromFile?: boolean;
}

/** What the table says of a key beside its schema. */
export interface KeyFacts extends Required<Omit<KeyType<unknown>, 'schema'>> {
  readonly says: string;
  readonly defaultText: string;
}

/** A key with a default. */
export function key<T>(
  type: KeyType<T>,
  words: { readonly says: string; readonly default: Default<T>; readonly defaultText?: string },
): z.ZodDefault<z.ZodType<T>> {
  const { says, defaultText = plainText(words.default) } = words;
  return described(type.schema.default(words.default), type, { says, defaultText });
}

/** A key whose default, told in words, depends on other keys. */
export function optionalKey<T>(
  type: KeyType<T>,
  words: { readonly says: string; readonly defaultText: string },
): z.ZodOptional<z.ZodType<T>> {
  return described(type.schema.optional(), type, words);
}

/** An element of a list, or a key of an object in a list, that must be there. */
export function item<T>(type: KeyType<T>, says: string): z.ZodType<T> {
  return described(type.schema, type, { says, defaultText: '' });
}

/** What the table says of this schema; `undefined` for a group of keys. */
export function factsOf(schema: z.core.$ZodType): KeyFacts | undefined {
  return FACTS.get(schema);
}

type Default<T> = z.core.util.NoUndefined<T>;

const FACTS = z.registry<KeyFacts>();

function described<S extends z.ZodType>(
  schema: S,
  type: Omit<KeyType<unknown>, 'schema'>,
  words: Pick<KeyFacts, 'says' | 'defaultText'>,
): S {
  const { expected, parseText = String, secret = false, fromFile = secret } = type;
  FACTS.add(schema, { ...words, expected, parseText, secret, fromFile });
  return schema;
}

function plainText(value: unknown): string {
  if (value instanceof Secret) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
