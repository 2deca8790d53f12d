/** Takes credentials out of a text and leaves the rest readable. */
export type Mask = (text: string) => string;

/**
 * Makes a mask that hides the configured secrets wherever they stand, and whatever stands after a
 * credential's name in a query, a header or JSON text. Its time is linear in the text.
 */
export function newMask(secrets: readonly string[]): Mask {
  const rules = [...RULES, ...rulesOfSecrets(secrets)];
  const suspicious = new RegExp(rules.map(({ hint }) => hint).join('|'), 'i');
  return (text) =>
    suspicious.test(text)
      ? rules.reduce((masked, { find, put }) => masked.replace(find, put), text)
      : text;
}

/** True when a field of this name holds a credential, whose whole value has to go. */
export function isCredential(field: { readonly name: string; readonly value: string }): boolean {
  if (CREDENTIAL_FIELD.test(field.name)) return true;
  return CODE_FIELD.test(field.name) && !RESULT_CODE.test(field.value);
}

export const MASKED = '[masked]';

/** One kind of credential: a sign that a text may hold it, how to find it, and what to put. */
interface Rule {
  readonly hint: string;
  readonly find: RegExp;
  readonly put: string;
}

// Shorter ones are words: hiding them would hide half the log and protect nothing.
const SECRET_LENGTH_MIN = 4;

// Names match by their ends, so `token` stands for `accessToken` and `access_token` too.
const NAME =
  '(?:token|sig|signature|sign|secret|pass|passwd|password|pwd|ticket' +
  '|(?:api|secret|private|map|master|play|callback|session|auth)_?key)';
const LINE_NAME = '(?:authorization|cookie)';
// A code that logs somebody in; but `code` also names results, like 70001 and ECONNREFUSED, and
// telling those apart needs their case, so this name spells both cases out.
const CODE_NAME = '(?<![A-Za-z])(?:[Jj][Ss]|[Ww][Xx])?_?[Cc][Oo][Dd][Ee]';
const RESULT = '(?:-?[0-9]{1,6}|[A-Z][A-Z0-9_]{2,})';

const CREDENTIAL_FIELD = new RegExp(`(?:${NAME}|${LINE_NAME})$`, 'i');
const CODE_FIELD = new RegExp(`${CODE_NAME}$`);
const RESULT_CODE = new RegExp(`^${RESULT}$`);

// Every repetition is bounded or ends where it must, which keeps the search linear. JSON within
// JSON escapes its quotes; a URL within a URL percent-encodes its signs, perhaps repeatedly.
const PERCENT = '%(?:25){0,3}';
const QUOTE = `(?:\\\\{0,7}["']|${PERCENT}22)?`;
const COLON = `${QUOTE}\\s{0,4}(?::|${PERCENT}3[Aa])\\s{0,4}`;
const EQUALS = `${QUOTE}\\s{0,4}(?:=|${PERCENT}3[Dd])\\s{0,4}`;
const COLON_OR_EQUALS = `(?:${COLON}|${EQUALS})`;

// What was opened by a quote ends at its fellow, anything else at a delimiter or with the line.
const JSON_STRING = '(?<=(?<!\\\\)")(?!")[^"\\\\]*(?:\\\\[^][^"\\\\]*)*';
const NESTED_STRING = `(?<=\\\\["'])[^"'\\\\]+`;
const QUOTED_STRING = `(?<=')[^'\\\\]+`;
const STRING = `${JSON_STRING}|${NESTED_STRING}|${QUOTED_STRING}`;
const WORD = `[^&\\s"'\\\\<>]+`;
const LINE = '[^"\\\\\\r\\n]+';

// A userSig is known by its beginning, because it is always compressed JSON.
const USER_SIG = '\\beJ[\\w*-]{60}';
const URL_USER = `://[^\\s/:@"'\\\\]{0,64}:`;

const RULES: readonly Rule[] = [
  ruleOf({ hint: `${NAME}${COLON_OR_EQUALS}`, value: `(?:${STRING}|${WORD})` }),
  ruleOf({ hint: `${LINE_NAME}${COLON}`, value: `(?:${STRING}|${LINE})` }),
  ruleOf({ hint: `${LINE_NAME}${EQUALS}`, value: WORD }),
  {
    hint: `${CODE_NAME}${COLON_OR_EQUALS}`,
    find: new RegExp(
      `(${CODE_NAME}${COLON_OR_EQUALS}${QUOTE})(?!${RESULT}(?![\\w-]))(?:${STRING}|${WORD})`,
      'g',
    ),
    put: `$1${MASKED}`,
  },
  { hint: USER_SIG, find: new RegExp(`${USER_SIG}[\\w*-]*`, 'g'), put: MASKED },
  {
    hint: URL_USER,
    find: new RegExp(`(${URL_USER})[^\\s/@"'\\\\]{1,256}(?=@)`, 'g'),
    put: `$1${MASKED}`,
  },
];

function ruleOf({ hint, value }: { hint: string; value: string }): Rule {
  return { hint, find: new RegExp(`(${hint}${QUOTE})${value}`, 'gi'), put: `$1${MASKED}` };
}

/** The values as they are, in a URL and in JSON text; a key of many lines goes line by line. */
function rulesOfSecrets(secrets: readonly string[]): readonly Rule[] {
  const lines = secrets
    .flatMap((secret) => secret.split(/\r?\n|\\n/))
    .filter((line) => line.length >= SECRET_LENGTH_MIN);
  if (lines.length === 0) return [];
  const forms = lines.flatMap((line) => [
    line,
    // By way of UTF-8, because half a surrogate pair cannot be percent-encoded.
    encodeURIComponent(Buffer.from(line).toString()),
    JSON.stringify(line).slice(1, -1),
  ]);
  // Longest first: a secret that begins with another one must not leave its tail.
  const hint = [...new Set(forms)]
    .sort((a, b) => b.length - a.length)
    .map((form) => form.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'))
    .join('|');
  return [{ hint, find: new RegExp(hint, 'gi'), put: MASKED }];
}
