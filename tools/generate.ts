/**
 * Writes the pages that follow from the code: docs/api.md from the endpoints and the table of
 * errors, docs/configuration.md from the table of settings. With `--check` nothing is written,
 * and a page that is not fresh fails.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { configReference } from '../config.ts';
import { type Dialect, ERRORS, type ErrorName } from '../logic/errors.ts';
import { mapControllers, type Route } from '../routes/auto_map.ts';
import type { AnyEndpoint } from '../routes/endpoint.ts';

const MADE_BY = '<!-- Made by `npm run generate`; edit the code instead. -->';

async function main(): Promise<void> {
  const here = dirname(fileURLToPath(import.meta.url));
  const routes = await mapControllers(new URL('../controllers/', import.meta.url));
  const pages = { 'docs/api.md': apiPage(routes), 'docs/configuration.md': configurationPage() };
  for (const [name, text] of Object.entries(pages))
    await writePage(join(packageRoot(here), name), text);
}

async function writePage(file: string, text: string): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '');
  if (before === text) return;
  if (process.argv.includes('--check'))
    throw new Error(`${file} is not fresh: run "npm run generate" and commit it.`);
  await writeFile(file, text);
  console.log(`wrote ${file}`);
}

function apiPage(all: readonly Route[]): string {
  const byEndpoint = new Map<AnyEndpoint, Route[]>();
  for (const route of all)
    byEndpoint.set(route.endpoint, [...(byEndpoint.get(route.endpoint) ?? []), route]);
  const sections = [...byEndpoint].map(([endpoint, places]) => endpointSection(endpoint, places));
  return [MADE_BY, API_INTRODUCTION, ...sections, errorSection()].join('\n\n').concat('\n');
}

const API_INTRODUCTION = `# API

Every business answer is HTTP 200 with a JSON object that holds \`code\` (a number, 0 for success) and
\`message\`. Where \`code\` is not 0, \`error\` names the failure for programs and \`detail\` explains it to
developers. Ids are strings in answers and may be numbers in requests; no field is ever \`null\`.

Three dialects differ in their codes and texts. **Dialect A** (first generation): the flat paths,
and in open mode the typed paths when the query names neither \`userID\` nor \`token\`. **Dialect B** (second
generation): the typed paths with \`?userID=...&token=...\`. Where tokens are needed (\`auth.mode\`
\`token\`), every client call brings both, on the flat paths too. See [auth.md](auth.md). **Dialect C**: everything
below \`/weapp/webrtc_room\` and \`/weapp/webexe_room\`. See [webrtc.md](webrtc.md).

Before matching, \`//\` becomes \`/\`, a trailing \`/\` and the prefixes \`/roomservice\`, \`/webrtc\` and
\`/roomlist\` are dropped. Bodies are JSON (also labelled text/plain or text/xml, in any charset) or
urlencoded forms, at most 64 KB; an empty body is \`{}\`.`;

const ACCESS_TEXT: Readonly<Record<string, string>> = {
  anyone: 'anyone',
  client: 'a client (with a token where tokens are needed)',
  admin: 'the administrator (HTTP Basic)',
  admin_unless_open: 'anyone in open mode, else the administrator (HTTP Basic)',
};

function endpointSection(endpoint: AnyEndpoint, places: readonly Route[]): string {
  const { group, input, output, errors } = endpoint;
  const action = places[0]?.action ?? '';
  const access = ACCESS_TEXT[endpoint.access ?? group.access];
  const paths = places.map(({ path }) => `\`${group.method} ${path}\``).join(', ');
  const from = endpoint.from === 'query' || group.method === 'GET' ? 'query' : 'body';
  return [
    `## ${action}`,
    endpoint.summary,
    `Paths: ${paths}. For ${access}.`,
    fieldTable(`In the ${from}`, input),
    output === 'raw' ? 'Answers a page or a file.' : fieldTable('Answers', output),
    errorList(errors),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

interface FieldSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly FieldSchema[];
  readonly items?: FieldSchema;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
}

function fieldTable(title: string, schema: z.ZodObject): string {
  const json = z.toJSONSchema(schema, { unrepresentable: 'any' }) as FieldSchema;
  const fields = Object.entries(json.properties ?? {});
  if (fields.length === 0) return `${title}: nothing more.`;
  const rows = fields.map(([name, field]) => {
    const need = json.required?.includes(name) ? 'yes' : 'no';
    return `| \`${name}\` | ${typeText(field)} | ${need} |`;
  });
  return [`${title}:`, '', '| field | type | always |', '|---|---|---|', ...rows].join('\n');
}

function typeText(field: FieldSchema): string {
  if (field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
  if (field.enum) return field.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (field.anyOf) return field.anyOf.map(typeText).join(' or ');
  if (field.type === 'array') return `list of ${typeText(field.items ?? {})}`;
  if (field.type === 'object')
    return `object (${Object.keys(field.properties ?? {}).join(', ') || 'any'})`;
  const limits = [
    field.pattern === undefined ? '' : ` \`${field.pattern.replaceAll('|', '\\|')}\``,
    field.maxLength === undefined ? '' : `, at most ${field.maxLength} characters`,
  ];
  return `${field.type ?? 'any'}${limits.join('')}`;
}

function errorList(errors: readonly ErrorName[]): string {
  if (errors.length === 0) return '';
  return `Refusals: ${errors.map((name) => `[\`${publicName(name)}\`](#errors)`).join(', ')}.`;
}

function publicName(name: ErrorName): string {
  const row = ERRORS[name];
  return 'name' in row ? (row.name ?? name) : name;
}

function errorSection(): string {
  const rows = (Object.keys(ERRORS) as ErrorName[]).map((name) => {
    const row: Readonly<Record<Dialect, readonly unknown[]>> & { readonly status?: number } =
      ERRORS[name];
    const status = row.status ?? 200;
    return `| \`${publicName(name)}\` | ${status} | ${row.A.join(' ')} | ${row.B.join(' ')} | ${row.C.join(' ')} |`;
  });
  const head = ['| error | HTTP | dialect A | dialect B | dialect C |', '|---|---|---|---|---|'];
  return ['## Errors', '', ...head, ...rows].join('\n');
}

function configurationPage(): string {
  const rows = configReference().map(({ path, type, default: value, description, secret }) => {
    const cells = [`\`${path}\``, type, value === '' ? '' : `\`${value}\``, description];
    return `| ${cells.map(cellText).join(' | ')}${secret ? ' *(secret)*' : ''} |`;
  });
  const head = ['| setting | type | default | what it says |', '|---|---|---|---|'];
  return [MADE_BY, CONFIGURATION_INTRODUCTION, [...head, ...rows].join('\n')]
    .join('\n\n')
    .concat('\n');
}

const CONFIGURATION_INTRODUCTION = `# Configuration

Nothing has to be configured for trying out: see the README. Settings come from a JSON file and from
the environment, and the environment wins.

* **File:** \`roomkeep.json\` beside package.json, or the file that \`ROOMKEEP_CONFIG\` names.
  \`{"port": 8080, "room": {"maxMembers": 10}}\`
* **Environment:** \`ROOMKEEP_\` and the path of the setting with \`__\` between its parts, in upper or lower
  case: \`ROOMKEEP_PORT=8080 ROOMKEEP_ROOM__MAXMEMBERS=10\`. Lists are JSON.
* **Secrets** can stand in a file of their own: \`ROOMKEEP_IM__SECRETKEY_FILE=/run/secrets/im\`.

Durations are seconds and may be fractional. A setting that nobody knows, a value of the wrong type or a
contradiction stops the start with the setting's path, what was expected and what arrived.

As soon as real Tencent keys are configured (\`im.sdkAppID\` with a key, or \`live.bizid\` with
\`live.pushSecretKey\`), the safe defaults hold: clients need tokens, userSigs are minted only for a WeChat
\`code\`, and the push-URL helpers need the admin password. An unsafe choice is possible, and is named in
the banner, in the log and by \`check_config\`.`;

function cellText(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function packageRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : packageRoot(dirname(folder));
}

await main();
