import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import * as z from 'zod';
import { ERRORS } from '../logic/errors.ts';
import { mapControllers, routeTable } from '../routes/auto_map.ts';
import { type Answer, startTestApp, type TestApp } from './support.ts';

const BODY_BYTES_MAX = 65_536;
const PUSH_URL = 'rtmp://localhost:1935/live/x';
const JSON_TYPE = 'application/json; charset=utf-8';
const IMPORT =
  /^(?:import|export)\s+(?:(type)\s+)?(?:([^'";]*?)\s+from\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;

describe('paths and verbs', () => {
  it('answers an unknown path with 404 and says so in JSON', async () => {
    await using app = await startTestApp();
    const paths = [
      '/',
      '/weapp',
      '/weapp/',
      '/weapp/nothing',
      '/weapp/multi_room',
      '/weapp/no_room/create_room',
      '/weapp/__proto__/create_room',
      '/constructor',
      '/weapp/_room',
      '/weapp/create_room.ts',
      '/controllers/room/create_room',
      '/WEAPP/create_room',
      '/weapp/Create_Room',
      '/weapp/%63reate_room',
      '/weapp/create_room%20',
      '/weapp/multi_room/../create_room/x',
      '/roomservice',
      '/roomservicex/weapp/create_room',
      '/roomservice/roomlist/weapp/create_room',
      '/weapp/roomservice/create_room',
      '/weapp/create_room/extra',
      '/*',
      '/weapp;x=1/create_room',
      '/weapp\\create_room',
    ];
    for (const path of paths)
      for (const method of ['GET', 'POST']) {
        const answer = await ask(app, { method, path });
        assert.deepEqual([path, answer.status, answer.body.code], [path, 404, 404]);
        assert.equal(typeof answer.body.message, 'string');
      }
  });

  it('answers a verb that a path does not take with 405, its code and the one it takes', async () => {
    await using app = await startTestApp();
    const others = ['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'PURGE'];
    const cases = [
      { path: '/weapp/create_room', takes: 'POST', refuses: ['GET', ...others] },
      { path: '/create_room', takes: 'POST', refuses: ['GET', ...others] },
      { path: '/weapp/live_room/merge_stream', takes: 'POST', refuses: ['GET', ...others] },
      { path: '/weapp/utils/get_login_info', takes: 'GET', refuses: ['POST', ...others] },
      { path: '/live', takes: 'GET', refuses: ['POST', ...others] },
    ];
    for (const { path, takes, refuses } of cases)
      for (const method of refuses) {
        const answer = await ask(app, { method, path, body: method === 'PUT' ? '{}' : '' });
        assert.deepEqual([path, method, answer.status], [path, method, 405]);
        assert.equal(answer.headers.allow, takes);
        assert.equal(answer.headers['content-type'], JSON_TYPE);
        if (method !== 'HEAD') assert.equal(answer.body.code, 405);
        else assert.equal(answer.text, '');
      }
  });

  it('finds an endpoint behind double slashes, a last slash and the prefixes of old proxies', async () => {
    await using app = await startTestApp();
    const paths = [
      '/weapp/get_room_list',
      '/get_room_list',
      '//get_room_list',
      '/get_room_list/',
      '//weapp////get_room_list//',
      '/roomservice/weapp/get_room_list',
      '/roomservice//weapp/get_room_list',
      '/webrtc/weapp/multi_room/get_room_list/',
      '/roomlist/get_room_list',
      '/weapp/live_room/get_room_list?v=0.5',
    ];
    for (const path of paths) {
      const answer = await ask(app, { path, body: '{"index":0,"cnt":1}' });
      assert.deepEqual([path, answer.status, answer.body.code], [path, 200, 0]);
    }
  });

  it('strips rootPathname, whole and only once, and does without it too', async () => {
    await using app = await startTestApp({ rootPathname: '/api/rooms/' });
    const codeOf = async (path: string) => (await ask(app, { method: 'GET', path })).body.code;
    assert.equal(await codeOf('/live'), 0);
    assert.equal(await codeOf('/api/rooms/live'), 0);
    assert.equal(await codeOf('//api//rooms//live/'), 0);
    assert.equal(await codeOf('/api/rooms/roomservice/live'), 0);
    assert.equal(await codeOf('/api/roomsx/live'), 404);
    assert.equal(await codeOf('/api/live'), 404);
    assert.equal(await codeOf('/api/rooms/api/rooms/live'), 404);
    assert.equal(await codeOf('/api/rooms'), 404);
  });
});

describe('bodies', () => {
  const NAME = '房间';
  const fields = { userID: 'ann', userName: '', userAvatar: '', pushURL: PUSH_URL };
  const json = JSON.stringify({ roomName: NAME, ...fields });
  const form = new URLSearchParams({ roomName: NAME, ...fields }).toString();
  const utf8 = Buffer.from(json);
  const gbk = withName(json, Buffer.from([0xb7, 0xbf, 0xbc, 0xe4]));
  const FORM = 'application/x-www-form-urlencoded';

  const readable: readonly { type?: string; encoding?: string; body: string | Buffer }[] = [
    { type: 'application/json', body: utf8 },
    { type: 'application/json; charset=utf-8', body: utf8 },
    { type: 'Application/JSON;charset=UTF8', body: utf8 },
    { type: 'application/json; charset=gbk', body: gbk },
    { type: 'application/json; charset="GB18030"', body: gbk },
    { type: 'application/json; charset=utf-16le', body: Buffer.from(json, 'utf16le') },
    { type: 'application/json; charset=no-such-charset', body: utf8 },
    { type: 'application/json', body: `\ufeff${json}` },
    { type: 'application/json', body: `\r\n\t ${json}\n` },
    { type: 'text/plain', body: utf8 },
    { type: 'text/plain;charset=UTF-8', body: utf8 },
    { type: 'text/xml', body: utf8 },
    { type: 'application/octet-stream', body: utf8 },
    { type: 'no type at all', body: utf8 },
    { body: utf8 },
    { type: FORM, body: form },
    { type: `${FORM}; charset=UTF-8`, body: form },
    { type: FORM, body: json },
    { type: FORM, body: `\ufeff\n${json}` },
    { type: FORM, encoding: 'gzip', body: gzipSync(form) },
    { type: 'application/json', encoding: 'gzip', body: gzipSync(json) },
    { type: 'application/json', encoding: 'GZIP', body: gzipSync(json) },
    { type: 'application/json', encoding: 'deflate', body: deflateSync(json) },
    { type: 'text/plain', encoding: 'br', body: brotliCompressSync(json) },
    { type: 'application/json', encoding: 'identity', body: utf8 },
    { encoding: 'gzip', body: gzipSync(json) },
  ];

  it('are read in every type, charset and coding that clients use', async () => {
    await using app = await startTestApp();
    for (const { type, encoding, body } of readable)
      for (const chunked of [false, true]) {
        const headers = {
          ...(type === undefined ? {} : { 'content-type': type }),
          ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
        };
        const what = `${type} ${encoding} ${chunked ? 'chunked' : ''}`;
        const created = await ask(app, { path: '/create_room', headers, body, chunked });
        assert.deepEqual([what, created.body.code], [what, 0]);
        const { roomID } = created.body;
        assert.equal((await app.post('/get_pushers', { roomID })).roomName, NAME, what);
      }
  });

  it('count as {} when they are empty, whatever they call themselves', async () => {
    await using app = await startTestApp();
    for (const type of ['application/json', FORM, 'text/plain', undefined])
      for (const body of ['', ' \r\n', '\ufeff']) {
        if (type === FORM && body !== '') continue;
        const headers = type === undefined ? {} : { 'content-type': type };
        const logout = await ask(app, { path: '/weapp/multi_room/logout', headers, body });
        assert.deepEqual([type, body, logout.body.code], [type, body, 0]);
        const list = await ask(app, { path: '/get_room_list', headers, body });
        assert.deepEqual([type, body, list.body.code], [type, body, 1]);
      }
  });

  it('are a parameter error when they hold anything but one JSON object', async () => {
    await using app = await startTestApp();
    const wrong = ['[]', '"x"', '1', 'null', 'true', '{', '{}{}', "{'a':1}", '{"a":1,}', 'NaN'];
    for (const body of [...wrong, '{"a":"\n"}', '\u0000', '<xml/>', 'a=b&c=d'])
      for (const compress of [Buffer.from, gzipSync]) {
        const headers = {
          'content-type': 'application/json',
          ...(compress === gzipSync ? { 'content-encoding': 'gzip' } : {}),
        };
        const answer = await ask(app, { path: '/logout', headers, body: compress(body) });
        assert.deepEqual([body, answer.status, answer.body.code], [body, 200, 1]);
      }
  });

  it('are refused with 415 in a coding nobody knows, and with 1 in one that is broken', async () => {
    await using app = await startTestApp();
    const send = (encoding: string, body: Buffer | string) =>
      ask(app, { path: '/logout', headers: { 'content-encoding': encoding }, body });
    for (const encoding of ['zstd', 'compress', 'gzip, gzip', 'no-such'])
      assert.deepEqual(codesOf(await send(encoding, '{}')), [415, 415]);
    assert.deepEqual(codesOf(await send('gzip', 'not gzip')), [200, 1]);
    assert.deepEqual(codesOf(await send('gzip', gzipSync(json).subarray(0, 40))), [200, 1]);
    assert.deepEqual(codesOf(await send('br', 'not brotli')), [200, 1]);
  });

  const padded = (bytes: number, parts: readonly [string, string]) =>
    parts.join('x'.repeat(bytes - parts.join('').length));
  const shapes: readonly {
    name: string;
    headers: OutgoingHttpHeaders;
    bodyOf: (bytes: number) => string | Buffer;
  }[] = [
    {
      name: 'JSON',
      headers: { 'content-type': 'application/json' },
      bodyOf: (bytes) => padded(bytes, ['{"roomID":"none","pad":"', '"}']),
    },
    {
      name: 'form',
      headers: { 'content-type': FORM },
      bodyOf: (bytes) => padded(bytes, ['roomID=none&pad=', '']),
    },
    {
      name: 'JSON in characters of three bytes',
      headers: {},
      bodyOf: (bytes) => {
        const signs = '房'.repeat(21_000);
        return padded(bytes - signs.length * 2, [`{"roomID":"none","pad":"${signs}`, '"}']);
      },
    },
    {
      name: 'gzip',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      bodyOf: (bytes) => gzipSync(padded(bytes, ['{"roomID":"none","pad":"', '"}'])),
    },
  ];

  for (const { name, headers, bodyOf } of shapes)
    it(`may be 64 KB as ${name} and not one byte more, with a length and in chunks`, async () => {
      await using app = await startTestApp();
      for (const chunked of [false, true]) {
        const send = (bytes: number) =>
          ask(app, { path: '/get_pushers', headers, body: bodyOf(bytes), chunked });
        assert.deepEqual(codesOf(await send(BODY_BYTES_MAX)), [200, 3]);
        assert.deepEqual(codesOf(await send(BODY_BYTES_MAX + 1)), [413, 413]);
        assert.deepEqual(codesOf(await send(3 * BODY_BYTES_MAX)), [413, 413]);
      }
    });

  it('have the limit that is configured', async () => {
    await using app = await startTestApp({ limits: { bodyBytes: 1024 } });
    const send = (bytes: number) =>
      ask(app, { path: '/get_pushers', body: padded(bytes, ['{"roomID":"none","pad":"', '"}']) });
    assert.deepEqual(codesOf(await send(1024)), [200, 3]);
    assert.deepEqual(codesOf(await send(1025)), [413, 413]);
  });

  it('that are refused leave the connection fit for the next request', async () => {
    await using app = await startTestApp();
    const mega = 'x'.repeat(600_000);
    const refused: readonly Sent[] = [
      { path: '/nothing', body: mega },
      { method: 'PUT', path: '/create_room', body: mega },
      { path: '/create_room', body: mega },
      { path: '/create_room', body: mega, chunked: true },
      { path: '/create_room', headers: { 'content-type': FORM }, body: mega },
      { path: '/create_room', headers: { 'content-type': FORM }, body: mega, chunked: true },
      { path: '/create_room', headers: { 'content-encoding': 'zstd' }, body: mega },
      {
        path: '/create_room',
        headers: { 'content-encoding': 'gzip' },
        body: gzipSync(Buffer.alloc(20_000_000)),
      },
      {
        path: '/create_room',
        headers: { 'content-encoding': 'gzip' },
        body: gzipSync(mega, { level: 0 }),
        chunked: true,
      },
    ];
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (const sent of refused) {
        const { status } = await ask(app, { ...sent, agent });
        assert.ok([404, 405, 413, 415].includes(status), String(status));
        assert.deepEqual(
          codesOf(await ask(app, { method: 'GET', path: '/live', agent })),
          [200, 0],
        );
      }
    } finally {
      agent.destroy();
    }
  });

  it('belong to POST: what a GET brings along is not looked at', async () => {
    await using app = await startTestApp();
    const answer = await ask(app, { method: 'GET', path: '/live', body: '{broken' });
    assert.deepEqual(codesOf(answer), [200, 0]);
  });
});

describe('every answer', () => {
  it('has a request id of its own, a JSON type and a numeric code', async () => {
    await using app = await startTestApp();
    const all: readonly Sent[] = [
      { method: 'GET', path: '/live' },
      { method: 'GET', path: '/ready' },
      { path: '/get_room_list', body: '{"index":0,"cnt":1}' },
      { path: '/get_room_list', body: '{' },
      { path: '/get_room_list', body: '{}' },
      { path: '/get_pushers', body: '{"roomID":"none"}' },
      { path: '/weapp/multi_room/get_pushers?userID=a&token=b', body: '{}' },
      { path: '/none' },
      { method: 'PUT', path: '/live' },
      { path: '/create_room', body: 'x'.repeat(BODY_BYTES_MAX + 1) },
      { path: '/create_room', headers: { 'content-encoding': 'x' }, body: '{}' },
      { method: 'GET', path: '/weapp/utils/logfilelist' },
      { method: 'GET', path: '/weapp/utils/get_login_info' },
    ];
    const ids = new Set<unknown>();
    for (const sent of all) {
      const { headers, body } = await ask(app, sent);
      assert.match(String(headers['x-request-id']), /^[0-9a-f-]{36}$/, sent.path);
      assert.equal(headers['content-type'], JSON_TYPE, sent.path);
      assert.ok(Number.isInteger(body.code), sent.path);
      ids.add(headers['x-request-id']);
    }
    assert.equal(ids.size, all.length);
  });

  it('takes no request id from the client, who could forge the log with it', async () => {
    await using app = await startTestApp();
    const headers = { 'x-request-id': 'mine' };
    const answer = await ask(app, { method: 'GET', path: '/live', headers });
    assert.notEqual(answer.headers['x-request-id'], 'mine');
  });
});

describe('endpoints', () => {
  const controllers = new URL('../controllers/', import.meta.url);

  it('are found for every file, and each has a summary, schemas and known errors', async () => {
    const routes = await mapControllers(controllers);
    const endpoints = new Set(routes.map(({ endpoint }) => endpoint));
    const files = readdirSync(controllers, { recursive: true, encoding: 'utf8' });
    const isEndpoint = (file: string) => /[/\\][a-z]\w*\.[jt]s$/.test(file);
    assert.equal(endpoints.size, files.filter(isEndpoint).length);
    for (const { path, endpoint } of routes) {
      assert.match(endpoint.summary, /^[A-Z].*\.$/, path);
      assert.ok(endpoint.input instanceof z.ZodObject, path);
      assert.ok(endpoint.output === 'raw' || endpoint.output instanceof z.ZodObject, path);
      for (const error of endpoint.errors) assert.ok(error in ERRORS, `${path} ${error}`);
    }
  });

  it('cannot claim the path of another', async () => {
    const routes = await mapControllers(controllers);
    assert.throws(() => routeTable([...routes, ...routes.slice(0, 1)]), /Two controllers/);
  });
});

describe('the architecture', () => {
  const sources = readSources();
  const importsWithin = (layer: string) =>
    sources
      .filter(({ path }) => path.startsWith(layer))
      .flatMap((source) => source.imports.map((found) => ({ from: source.path, ...found })));
  /** Imports of a layer that no pattern allows, readably. */
  const strangers = (
    layer: string,
    allowed: { readonly values: RegExp; readonly types?: RegExp },
  ) =>
    importsWithin(layer)
      .filter(({ isType, target }) => {
        if (allowed.values.test(target)) return false;
        return !(isType && allowed.types?.test(target));
      })
      .map(({ from, target }) => `${from} imports ${target}`);

  it('knows its sources', () => {
    for (const path of ['app.ts', 'config.ts', 'controllers/room/create_room.ts', 'logic/auth.ts'])
      assert.ok(
        sources.some((source) => source.path === path),
        path,
      );
  });

  it('lets logic know no HTTP framework, no configuration and nothing above it', () => {
    const packages = 'zod|lru-cache|cockatiel|axios|libsql|better-sqlite3|mysql2(/.*)?';
    const values = new RegExp(`^(logic/.*|node:.*|${packages}|tls-sig-api-v2)$`);
    assert.deepEqual(strangers('logic/', { values }), []);
  });

  it('lets controllers see the endpoint kernel, the words and errors of the house, and types', () => {
    const allowed = {
      // merge_params is the parser of one field, without state: reading wire text is their work.
      values: /^(zod|controllers\/.*|routes\/endpoint\.ts|logic\/(model|errors|merge_params)\.ts)$/,
      types: /^logic\/(?!store\/)/,
    };
    assert.deepEqual(strangers('controllers/', allowed), []);
  });

  it('lets endpoints share what is meant to be shared, and never import each other', () => {
    const eachOther = importsWithin('controllers/').filter(
      ({ target }) => target.startsWith('controllers/') && !/\/_\w+\.ts$/.test(target),
    );
    assert.deepEqual(eachOther, []);
  });

  it('lets routes see Koa, the words and errors of the house, and what a request carries', () => {
    const allowed = {
      values:
        /^(zod|koa|koa-router|node:.*|routes\/.*|middlewares\/facts\.ts|logic\/(model|errors)\.ts)$/,
      types: /^logic\//,
    };
    assert.deepEqual(strangers('routes/', allowed), []);
  });

  it('lets middlewares see Koa and errors, and the rest only as types', () => {
    const allowed = {
      values: /^(koa|koa-bodyparser|node:.*|middlewares\/.*|logic\/(model|errors)\.ts)$/,
      types: /^(logic|routes)\//,
    };
    assert.deepEqual(strangers('middlewares/', allowed), []);
  });

  it('gives each I/O package one owner', () => {
    const packages = ['axios', 'libsql', 'log4js', 'mysql2', 'tls-sig-api-v2', 'koa-router'];
    for (const name of [...packages, 'koa-bodyparser']) {
      const isOf = ({ target }: { target: string }) =>
        target === name || target.startsWith(`${name}/`);
      const owners = importsWithin('')
        .filter((found) => isOf(found) && !found.isType)
        .map(({ from }) => from);
      assert.ok(new Set(owners).size <= 1, `${name} is owned by ${owners.join(', ')}`);
    }
  });

  it('has the parts meet in app.ts alone, configuration and stores among them', () => {
    const isPart = /^(app|log_config|logic\/store\/(sqlite|mysql)\w*)\.ts$/;
    const isOwn = (from: string, target: string) =>
      dirname(from) === 'logic/store' && dirname(target) === 'logic/store';
    const wrong = importsWithin('').filter(({ from, target, isType }) => {
      if (from === 'app.ts' || isOwn(from, target)) return false;
      return isPart.test(target) || (target === 'config.ts' && !isType);
    });
    assert.deepEqual(wrong, []);
  });

  it('asks nobody but the clock for the time, and nothing guessable for randomness', () => {
    const asks =
      /\b(Date\.now|performance\.now|Math\.random|setTimeout|setInterval)\(|new Date\(\)/;
    const wrong = sources.filter(({ path, code }) => {
      return path.startsWith('logic/') && path !== 'logic/clock.ts' && asks.test(code);
    });
    assert.deepEqual(
      wrong.map(({ path }) => path),
      [],
    );
    assert.deepEqual(
      sources.filter(({ code }) => code.includes('Math.random')).map(({ path }) => path),
      [],
    );
  });

  it('reads the environment and ends the process in app.ts alone', () => {
    const wrong = sources.filter(
      ({ path, code }) => path !== 'app.ts' && /\bprocess\.(env|exit|exitCode)\b/.test(code),
    );
    assert.deepEqual(
      wrong.map(({ path }) => path),
      [],
    );
  });

  it('keeps no state in a module', () => {
    const wrong = sources.filter(({ code }) => /^(export )?(let|var) /m.test(code));
    assert.deepEqual(
      wrong.map(({ path }) => path),
      [],
    );
  });

  it('does nothing when it is imported: no output, no file, no timer, no connection', async () => {
    const compiled = new URL('../', import.meta.url);
    const extension = import.meta.url.slice(-3);
    const modules = sources.map(
      ({ path }) => new URL(path.replace(/\.ts$/, extension), compiled).href,
    );
    const script = `
      await Promise.all(${JSON.stringify(modules)}.map((url) => import(url)));
      const active = process.getActiveResourcesInfo().filter((name) => !/Req$|Pipe|TTY/.test(name));
      if (active.length > 0) throw new Error(active.join());`;
    const folder = mkdtempSync(join(tmpdir(), 'roomkeep-import-'));
    try {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const [out, err, [status]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'exit'),
      ]);
      assert.deepEqual({ out, err, status }, { out: '', err: '', status: 0 });
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('many servers in one process', () => {
  it('live side by side, twenty at once, and share nothing', async () => {
    const starting = await Promise.allSettled(Array.from({ length: 20 }, () => startTestApp()));
    const apps = starting.flatMap((start) => (start.status === 'fulfilled' ? start.value : []));
    try {
      assert.equal(new Set(apps.map(({ app }) => app.url.port)).size, 20);
      const rooms = await Promise.all(apps.map((app, index) => openedRoom(app, `user_${index}`)));
      rooms.forEach(({ roomName, roomCreator }, index) => {
        assert.deepEqual([roomName, roomCreator], [`of user_${index}`, `user_${index}`]);
      });
      const [first, ...others] = apps;
      await first?.app.close();
      for (const app of others)
        assert.equal((await app.post('/get_pushers', { roomID: 'the_same' })).code, 0);
    } finally {
      await Promise.all(apps.map(({ app }) => app.close()));
    }
    for (const app of apps) await assert.rejects(app.get('/live'));
  });
});

async function openedRoom(app: TestApp, userID: string): Promise<Answer> {
  const person = { userID, userName: '', userAvatar: '', pushURL: PUSH_URL };
  await app.post('/create_room', { ...person, roomName: `of ${userID}`, roomID: 'the_same' });
  return app.post('/get_pushers', { roomID: 'the_same' });
}

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  readonly chunked?: boolean;
  readonly agent?: Agent;
}

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** {} when the answer has no body. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Sends what fetch would tidy up or refuse to send. */
async function ask({ app }: TestApp, sent: Sent): Promise<Got> {
  const { method = 'POST', path, headers = {}, body = '', chunked = false, agent } = sent;
  const bytes = Buffer.from(body);
  const { hostname, port } = app.url;
  const outgoing = request({
    host: hostname,
    port,
    method,
    path,
    agent: agent ?? false,
    headers: chunked ? headers : { ...headers, 'content-length': bytes.length },
  });
  const answered = once(outgoing, 'response');
  if (chunked) for (const piece of piecesOf(bytes)) outgoing.write(piece);
  outgoing.end(chunked ? undefined : bytes);
  const [incoming] = await answered;
  const answer = await text(incoming);
  const isJson = method !== 'HEAD' && incoming.headers['content-type'] === JSON_TYPE;
  return {
    status: incoming.statusCode,
    headers: incoming.headers,
    text: answer,
    body: isJson ? JSON.parse(answer) : {},
  };
}

function piecesOf(bytes: Buffer): Buffer[] {
  const size = Math.max(1, Math.ceil(bytes.length / 7));
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

function codesOf({ status, body }: Got): [number, unknown] {
  return [status, body.code];
}

/** JSON in a charset that this platform can only read. */
function withName(json: string, name: Buffer): Buffer {
  const [before = '', after = ''] = json.split('房间');
  return Buffer.concat([Buffer.from(before), name, Buffer.from(after)]);
}

interface Source {
  /** Below the folder of package.json, with `/`. */
  readonly path: string;
  readonly code: string;
  readonly imports: readonly { readonly target: string; readonly isType: boolean }[];
}

/** The program as it is written, also when this test runs compiled. */
function readSources(): readonly Source[] {
  const root = rootAbove(dirname(fileURLToPath(import.meta.url)));
  const folders = ['controllers', 'routes', 'middlewares', 'logic', 'settings'];
  const files = folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(folder, file),
      ),
    );
  return [...files, 'app.ts', 'config.ts', 'log_config.ts']
    .map((file) => file.replaceAll('\\', '/'))
    .filter((path) => /(?<!\.d)\.ts$/.test(path))
    .map((path) => {
      const code = readFileSync(join(root, path), 'utf8');
      return { path, code, imports: importsOf(path, code) };
    });
}

function rootAbove(folder: string): string {
  const manifest = join(folder, 'package.json');
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'roomkeep')
    return folder;
  assert.notEqual(dirname(folder), folder, 'No package.json of roomkeep above this test.');
  return rootAbove(dirname(folder));
}

function importsOf(path: string, code: string): Source['imports'] {
  return [...code.matchAll(IMPORT)].map(([, type, names = '', from, dynamic]) => {
    const target = from ?? dynamic ?? '';
    const list = /^\{([^}]*)\}$/.exec(names.trim())?.[1]?.split(',') ?? [''];
    const isEachType = list.every((name) => name.trim() === '' || name.trim().startsWith('type '));
    return {
      target: target.startsWith('.') ? relative('.', join(dirname(path), target)) : target,
      isType: type !== undefined || (names.startsWith('{') && isEachType),
    };
  });
}
