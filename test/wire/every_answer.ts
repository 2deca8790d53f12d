import type { JsonObject } from './wire_case.ts';

const TEXTS = new Set(
  [
    'roomID roomName roomInfo roomCreator mixedPlayURL custom customInfo userID userName userAvatar',
    'userInfo accelerateURL pushURL streamID token userSig accType accountType message error detail',
  ].flatMap((names) => names.split(' ')),
);
const NUMBERS = new Set(['code', 'audienceCount', 'seq', 'epoch']);
const LISTS = new Set(['rooms', 'pushers', 'audiences']);

/**
 * What keeps every client alive, whatever was asked: says which rule an answer breaks, in words.
 * `action` is the last part of the path.
 */
export function brokenRuleOf(
  answer: { readonly status: number; readonly contentType: string; readonly json: unknown },
  action: string,
): string | undefined {
  const { status, contentType, json } = answer;
  if (!/^application\/json\b/.test(contentType)) return `content-type is ${contentType}`;
  if (!isObject(json)) return 'the answer is not a JSON object';
  const { code, message, sdkAppID = 0 } = json;
  if (!Number.isInteger(code)) return `code must be a whole number, is ${JSON.stringify(code)}`;
  if (typeof message !== 'string' || message === '') return 'message must be a text';
  if (typeof sdkAppID !== 'number') return 'sdkAppID is not a number';
  if (status !== 200 && code !== status) return `HTTP ${status} with code ${code}`;
  if (code !== 0 && typeof json.error !== 'string') return 'a failure must name its `error`';
  if (Object.hasOwn(json, 'pushURL') && action !== 'get_push_url')
    return 'a push URL is shown by another call than get_push_url';
  return faultWithin(json, '');
}

function faultWithin(value: unknown, name: string): string | undefined {
  if (value === null) return `${name} is null`;
  if (LISTS.has(name) && !Array.isArray(value)) return `${name} is not an array`;
  if (TEXTS.has(name) && typeof value !== 'string') return `${name} is not a string`;
  if (NUMBERS.has(name) && typeof value !== 'number') return `${name} is not a number`;
  if (typeof value !== 'object') return undefined;
  const inners = Array.isArray(value)
    ? value.map((item): [string, unknown] => [`an entry of ${name}`, item])
    : Object.entries(value);
  const fault = inners.map(([inner, item]) => faultWithin(item, inner)).find((text) => text);
  return fault ?? faultOfEntry(value, name);
}

function faultOfEntry(entry: object, name: string): string | undefined {
  if (name === 'an entry of rooms' && Object.hasOwn(entry, 'audiences'))
    return 'a room of the list has `audiences`';
  if (name === 'an entry of pushers' && Object.hasOwn(entry, 'pushURL'))
    return 'a push URL of somebody else is shown';
  return undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
