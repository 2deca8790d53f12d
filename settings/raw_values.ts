/** What came out of JSON as an object. */
export type RawObject = Readonly<Record<string, unknown>>;

/** Whether this is an object with keys: neither a list nor null. */
export function isObject(value: unknown): value is RawObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a path leads to; `undefined` when it leads nowhere. */
export function valueAt(raw: unknown, at: readonly PropertyKey[]): unknown {
  return at.reduce<unknown>((value, name) => {
    if (Array.isArray(value)) return value[Number(name)];
    return isObject(value) ? value[String(name)] : undefined;
  }, raw);
}

/** A copy with this value at `port` or `mysql.host`; unchanged where no object can hold it. */
export function withValue(raw: unknown, { path, value }: { path: string; value: unknown }) {
  if (!isObject(raw)) return raw;
  const [first = '', second] = path.split('.');
  if (second === undefined) return { ...raw, [first]: value };
  const group = raw[first] === undefined ? {} : raw[first];
  return isObject(group) ? { ...raw, [first]: { ...group, [second]: value } } : raw;
}
