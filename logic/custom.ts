export interface CustomLimits {
  readonly fieldsMax: number;
  readonly bytesMax: number;
}

export type CustomOperation =
  | { readonly fieldName: string; readonly operation: 'inc' | 'dec' }
  | {
      readonly fieldName: string;
      readonly operation: 'set';
      readonly value: string | number | boolean;
    };

type Applied =
  | { readonly outcome: 'changed'; readonly custom: string }
  | { readonly outcome: 'refused'; readonly why: string };

/** The JSON text of the custom fields after one operation; counters start at 0. */
export function applyCustom(
  custom: string,
  operation: CustomOperation,
  limits: CustomLimits,
): Applied {
  const fields = new Map<string, unknown>(Object.entries(JSON.parse(custom) as object));
  const value = valueAfter(fields.get(operation.fieldName), operation);
  if (value === undefined)
    return refused(`${operation.fieldName} is not a number that can be counted.`);
  fields.set(operation.fieldName, value);
  if (fields.size > limits.fieldsMax) return refused(`More than ${limits.fieldsMax} fields.`);
  const text = JSON.stringify(Object.fromEntries(fields));
  if (Buffer.byteLength(text) > limits.bytesMax)
    return refused(`More than ${limits.bytesMax} bytes.`);
  return { outcome: 'changed', custom: text };
}

function valueAfter(before: unknown, operation: CustomOperation): unknown {
  if (operation.operation === 'set') return operation.value;
  const number = before === undefined ? 0 : before;
  if (typeof number !== 'number') return undefined;
  const after = operation.operation === 'inc' ? number + 1 : number - 1;
  return Number.isSafeInteger(Math.trunc(after)) ? after : undefined;
}

function refused(why: string): Applied {
  return { outcome: 'refused', why };
}
