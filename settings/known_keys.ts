import * as z from 'zod';
import { factsOf, type KeyFacts } from './keys.ts';
import { SETTINGS } from './schema.ts';

/** A key of the table, and its path: `port` or `mysql.host`. */
export interface KnownKey {
  readonly path: string;
  readonly facts: KeyFacts;
}

/** Every key, in the order of the table. */
export function knownKeys(): readonly KnownKey[] {
  return keysWithin(SETTINGS, '');
}

/** The names of the groups of keys: `mysql`. */
export function groupNames(): readonly string[] {
  const groups = Object.entries(SETTINGS.shape);
  return groups.filter(([, schema]) => schema instanceof z.ZodObject).map(([name]) => name);
}

/** A place in the table: a key, a group of keys, or something within a list. */
export interface Place {
  /** `undefined` where no value belongs, but an object. */
  readonly facts: KeyFacts | undefined;
  /** The names such an object may hold. */
  readonly names: readonly string[];
}

/** What the table says of the place that this path leads to. */
export function placeAt(at: readonly PropertyKey[]): Place {
  const schema = at.reduce<z.core.$ZodType | undefined>(schemaIn, SETTINGS);
  return {
    facts: schema && factsOf(schema),
    names: schema instanceof z.ZodObject ? Object.keys(schema.shape) : [],
  };
}

function keysWithin(group: z.ZodObject, prefix: string): readonly KnownKey[] {
  return Object.entries(group.shape).flatMap(([name, schema]) => {
    if (schema instanceof z.ZodObject) return keysWithin(schema, `${prefix}${name}.`);
    const facts = factsOf(schema);
    return facts === undefined ? [] : [{ path: `${prefix}${name}`, facts }];
  });
}

function schemaIn(outer: z.core.$ZodType | undefined, name: PropertyKey) {
  const isWrapper = outer instanceof z.ZodDefault || outer instanceof z.ZodOptional;
  const schema = isWrapper ? outer.unwrap() : outer;
  if (schema instanceof z.ZodArray) return schema.element;
  return schema instanceof z.ZodObject ? schema.shape[String(name)] : undefined;
}
