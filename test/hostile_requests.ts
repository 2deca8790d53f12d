import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Route } from '../routes/auto_map.ts';

/** What an attacker knows: his own session, and names of what is not his. */
export interface Knowledge {
  readonly routes: readonly Route[];
  readonly attacker: { readonly userID: string; readonly token: string };
  /** Never named exactly by a request that could rightly change it. */
  readonly kept: { readonly roomID: string; readonly userID: string };
}

/** A request that HTTP allows. */
export interface WellFramed {
  readonly method: string;
  readonly bytes: Buffer;
}

/** What HTTP allows, with everything else in it odd. */
export function wellFramed(target: Knowledge, dice: Dice): WellFramed {
  const route = dice.pick(target.routes);
  const usual = route.endpoint.group.method;
  const method = dice.chance(0.95) ? usual : dice.pick(ODD_METHODS);
  const body = method === 'GET' && dice.chance(0.9) ? NO_BODY : oddBody(route.action, target, dice);
  const head = [
    `${method} ${oddTarget(route.path, target, dice)} HTTP/1.1`,
    `host: ${dice.pick(['x', '', 'localhost:1', '[::1]', 'a'.repeat(300), '../..'])}`,
    ...oddHeaders(dice),
    ...body.headers,
  ];
  const bytes = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body.bytes]);
  return { method, bytes };
}

/** What HTTP does not allow, or what does not end. */
export function unreadable(dice: Dice): Buffer {
  const post = 'POST /get_pushers HTTP/1.1\r\nhost: x\r\n';
  const get = 'GET /live HTTP/1.1\r\nhost: x\r\n';
  const odd = [
    ...['GET', 'GET /live', 'GET /live\r\n\r\n', 'GET /live HTTP/1.1\r\n\r\n', '\r\n\r\n\r\n', ' '],
    ...['get /live HTTP/1.1\r\nhost: x\r\n\r\n', 'FOO /live HTTP/1.1\r\nhost: x\r\n\r\n'],
    ...['GET /live HTTP/9.9\r\nhost: x\r\n\r\n', 'GET  /live HTTP/1.1\r\nhost: x\r\n\r\n'],
    ...['GET /li ve HTTP/1.1\r\nhost: x\r\n\r\n', 'GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n'],
    ...['GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n', 'GET ://x HTTP/1.1\r\nhost: x\r\n\r\n'],
    ...['CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ...['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '\x05\x01\x00', '*1\r\n$4\r\nPING\r\n'],
    `${get}connection: upgrade\r\nupgrade: websocket\r\n\r\n`,
    `${get}no colon\r\n\r\n`,
    `${get}: no name\r\n\r\n`,
    `${get}a b: c\r\n\r\n`,
    `${get}a: b\0c\r\n\r\n`,
    `${get}a: b\nc: d\n\n`,
    `${get} folded: x\r\n\r\n`,
    `${get}a: ${'b'.repeat(20_000)}\r\n\r\n`,
    `${get}${'a: b\r\n'.repeat(4000)}`,
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
    `${'A'.repeat(20_000)}`,
    `${get}\r\nGARBAGE\r\n\r\n`,
    `${post}content-length: -1\r\n\r\n`,
    `${post}content-length: 1e3\r\n\r\n{}`,
    `${post}content-length: 0x10\r\n\r\n{}`,
    `${post}content-length: 99999999999999999999\r\n\r\n{}`,
    `${post}content-length: 2\r\ncontent-length: 3\r\n\r\n{}x`,
    `${post}content-length: 2, 2\r\n\r\n{}`,
    `${post}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${post}transfer-encoding: gzip\r\n\r\n{}`,
    `${post}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
    `${post}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`,
    `${post}transfer-encoding: chunked\r\n\r\nzz\r\n`,
    `${post}transfer-encoding: chunked\r\n\r\n-1\r\n`,
    `${post}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n`,
    `${post}transfer-encoding: chunked\r\n\r\n2\r\n{}X\r\n0\r\n\r\n`,
    `${post}transfer-encoding: chunked\r\n\r\n2;${'e'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
    `${post}transfer-encoding: chunked\r\n\r\n0\r\n${'t: t\r\n'.repeat(5000)}\r\n`,
    `${post}content-length: 10\r\n\r\n{}`,
    `${post}content-encoding: gzip\r\ncontent-length: 30\r\n\r\n\x1f\x8b\x08`,
  ];
  const start = Buffer.from(dice.pick(['', 'G', get, post, `${post}content-length: 9`]), 'latin1');
  return dice.chance(0.3)
    ? Buffer.concat([start, dice.bytes(1 + dice.upTo(300))])
    : Buffer.from(dice.pick(odd), 'latin1');
}

/** A reproducible random source (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0 to below `limit`. */
  upTo(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  chance(share: number): boolean {
    return this.upTo(1_000) < share * 1_000;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.upTo(list.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.upTo(256)));
  }
}

const ODD_METHODS = [
  ...['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'],
  ...['PATCH', 'TRACE', 'PROPFIND', 'M-SEARCH', 'PURGE'],
];

function oddTarget(path: string, { attacker, kept }: Knowledge, dice: Dice): string {
  const names = ['mallory', attacker.userID, kept.userID, 'KeptUser%00', 'administrator', '', '%'];
  const tokens = [attacker.token, attacker.token.slice(1), 'x', '', '%00', '*', 'a'.repeat(5000)];
  const paths: readonly string[] = [
    `/${path}`,
    `${path}/`,
    `${path}/..`,
    `${path}%00`,
    `${path}/%2e%2e/%2e%2e/etc/passwd`,
    `/..${path}`,
    `/./${path}`,
    `${path};jsessionid=1`,
    `/roomservice/${path}`,
    `/webrtc/webrtc${path}`,
    path.toUpperCase(),
    path.replaceAll('_', '%5f'),
    `${path}%`,
    `${path}%zz%E0%A4%A`,
    `http://example.com${path}`,
    `http://[${path}`,
    `ftp://xn--${path}`,
    `${path}#${path}`,
    `/${'a'.repeat(dice.upTo(9000))}`,
    '/'.repeat(1 + dice.upTo(2000)),
    '*',
    `${path}\\..\\"<>^{|}`,
  ];
  const query: readonly string[] = [
    `userID=${dice.pick(names)}&token=${dice.pick(tokens)}`,
    `userID=${dice.pick(names)}`,
    `userID=${attacker.userID}&userID=${kept.userID}&token=${attacker.token}`,
    `userID[]=x&userID[a]=y&token[]=z`,
    `__proto__=1&constructor=2&userID=__proto__&token=${attacker.token}`,
    `sdkAppID=1400000000&accountType=0&userID=${dice.pick(names)}&userSig=${dice.pick(ODD_SIGS)}`,
    `file=${dice.pick(['../config.ts', './error/error-2018-02-27-15.log', '%00', '/etc/passwd'])}`,
    `code=${dice.pick(['x', '%00', 'a'.repeat(300)])}&userIDPrefix=weixin`,
    '&&=&=&?&#',
    '%=%&%zz=%E0%A4%A',
    `${'a=1&'.repeat(dice.upTo(1500))}`,
  ];
  const where = dice.chance(0.85) ? path : dice.pick(paths);
  return dice.chance(0.5) ? where : `${where}?${dice.pick(query)}`;
}

const ODD_SIGS = [
  'AAAA',
  'eJxtzF2P',
  '_',
  '*'.repeat(4096),
  'eJw'.repeat(2000),
  gzipSync(Buffer.alloc(1_000_000)).toString('base64').replaceAll('+', '*').replaceAll('/', '-'),
];

function oddHeaders(dice: Dice): string[] {
  const odd = [
    'authorization: Basic',
    'authorization: Basic OmFkbWlu',
    `authorization: Basic ${'A'.repeat(4000)}`,
    'authorization: Bearer x\r\nauthorization: Basic YTpi',
    'authorization: Digest username="admin"',
    `x-forwarded-for: ${'1.2.3.4, '.repeat(300)}::1`,
    'x-forwarded-for: <script>',
    'x-request-id: \t{"forged":true}',
    'x-http-method-override: DELETE',
    'expect: the-unexpected',
    'expect: 100-continue',
    'range: bytes=0-18446744073709551615',
    'if-none-match: *',
    'accept: no/thing;q=nan',
    'accept-encoding: gzip;q=-1, *',
    `cookie: ${'a=b; '.repeat(500)}`,
    'a: b\r\n'.repeat(400).trimEnd(),
    `x-${'y'.repeat(3000)}: z`,
    'content-language: \xff\xfe',
  ];
  return dice.chance(0.6) ? [] : [dice.pick(odd)];
}

interface OddBody {
  readonly headers: readonly string[];
  readonly bytes: Buffer;
}

const NO_BODY: OddBody = { headers: [], bytes: Buffer.alloc(0) };

function oddBody(action: string, target: Knowledge, dice: Dice): OddBody {
  const plain = dice.chance(0.8)
    ? Buffer.from(oddJson(action, target, dice))
    : dice.pick([() => Buffer.from(oddForm(target, dice)), () => dice.bytes(dice.upTo(300))])();
  const content = dice.chance(0.85) ? plain : broken(plain, dice);
  const coded = dice.chance(0.85) ? { bytes: content, coding: '' } : oddlyCoded(content, dice);
  const framed = dice.chance(0.8) ? withLength(coded.bytes) : inChunks(coded.bytes, dice);
  const type = dice.chance(0.6) ? 'application/json' : dice.pick(ODD_TYPES);
  return {
    bytes: framed.bytes,
    headers: [
      ...framed.headers,
      ...(type === '' ? [] : [`content-type: ${type}`]),
      ...(coded.coding === '' ? [] : [`content-encoding: ${coded.coding}`]),
    ],
  };
}

const ODD_TYPES = [
  '',
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded; charset=gbk',
  'application/x-www-form-urlencodedx',
  'application/json; charset=gbk',
  'application/json; charset=utf-16',
  'application/json; charset=utf-7',
  'application/json; charset=',
  'application/json; charset="',
  'application/json, text/plain',
  'application/json;;;=;',
  'text/plain',
  'text/xml; charset=iso-8859-1',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  '*/*',
  '/',
  'x'.repeat(2000),
];

/** Actions that may name what is kept, because they cannot change it. */
const READING = ['get_pushers', 'get_audiences', 'get_custom_info', 'get_room_members'];

/** One JSON object as text, so that it can hold what JSON.stringify would not write. */
function oddJson(action: string, target: Knowledge, dice: Dice): string {
  const readable = READING.includes(action) ? `"${target.kept.roomID}"` : '"h_1"';
  const known: Readonly<Record<string, () => string>> = {
    userID: () => dice.pick([`"${target.attacker.userID}"`, `"u${dice.upTo(50)}"`, '77']),
    roomID: () => dice.pick([`"h_${dice.upTo(30)}"`, '""', '4711', '"no_such"', readable]),
    roomName: () => '"a room"',
    roomInfo: () => dice.pick(['"info"', '"{\\"a\\":1}"', '""']),
    userName: () => '"Mallory"',
    nickName: () => '"Mallory"',
    userAvatar: () => dice.pick(['"123"', '""']),
    userInfo: () => '"{}"',
    pushURL: () =>
      dice.pick(['"rtmp://localhost:1935/live/x"', '"rtmp://h/live/8525_mallory_12ab?txSecret=1"']),
    index: () => dice.pick(['0', '"0"', '3']),
    cnt: () => dice.pick(['10', '"100"', '-1']),
    count: () => '5',
    fieldName: () => dice.pick(['"likes"', '"toString"', '"x.y-z"']),
    operation: () => dice.pick(['"inc"', '"dec"', '"set"']),
    value: () => dice.pick(['1', '"text"', 'true', '-0']),
    mergeParams: () => oddMergeParams(dice),
    userIDPrefix: () => '"weixin"',
    code: () => dice.pick(['""', '"wx"']),
    roomType: () => '"trtc"',
    needHeartBeat: () => 'false',
    status: () => '1',
  };
  const names = Object.keys(known);
  // Few at a time, or nothing would ever get past the first check.
  const odd = [dice.pick(names), dice.pick(names)].filter(() => dice.chance(0.5));
  const missing = dice.chance(0.1) ? dice.pick(names) : undefined;
  const entries = Object.entries(known)
    .filter(([name]) => name !== missing)
    .map(([name, plain]) => `"${name}":${odd.includes(name) ? oddValue(dice) : plain()}`);
  if (dice.chance(0.1)) entries.push(`"${dice.pick(ODD_NAMES)}":${oddValue(dice)}`);
  if (dice.chance(0.05)) entries.push(`"userID":${oddValue(dice)}`);
  return `{${entries.join(',')}}`;
}

const ODD_NAMES = ['__proto__', 'constructor', 'prototype', 'toString', 'then', '', '\\u0000'];

function oddValue(dice: Dice): string {
  if (dice.chance(0.02)) return nested(dice.pick([100, 3000, 20_000]), dice.pick(['[]', '{}']));
  if (dice.chance(0.2)) return `"${dice.pick(['x', '房', '\\u0000', '\\"'])}"`;
  if (dice.chance(0.1)) return JSON.stringify('x'.repeat(dice.pick(ODD_LENGTHS)));
  if (dice.chance(0.1)) return JSON.stringify(dice.bytes(12).toString('utf16le'));
  return dice.pick(ODD_VALUES);
}

const ODD_LENGTHS = [33, 49, 65, 257, 1025, 4097, 40_000];

const ODD_VALUES = [
  ...['null', 'true', 'false', '0', '-0', '1.5', '1e21', '1e999', '-1e999', '9007199254740993'],
  ...['[]', '{}', '[[]]', '["KeptUser"]', '["KeptRoom"]', '{"$ne":null}', '{"length":1e9}'],
  ...['{"toString":"x","valueOf":"y"}', '{"toJSON":"x"}', '{"__proto__":{"polluted":1}}'],
  ...['{"constructor":{"prototype":{"polluted":1}}}', '[null,[],{}]'],
  ...['""', '" "', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u202e"', '"\\r\\nx: y"'],
  ...['"__proto__"', '"constructor"', '"prototype"', '"toString"', '"hasOwnProperty"'],
  ...['"KeptRoom\\u0000"', '"keptroom"', '"KEPTROOM"', '" KeptRoom"', '"KeptRoom "', '"KeptRoom/"'],
  ...['"room/KeptRoom"', '"KeptRoom%00"', '"KeptRoom\\n"', '"ＫeptRoom"', '"KeptUser\\u0000"'],
  ...['"keptuser"', '"KeptUser\\n"', '" KeptUser"', '"administrator"', '"@TGS#1"'],
  ...['"../../etc/passwd"', '"<script>alert(1)</script>"', '"{{7*7}}"', '"%s%n"'],
  ...[`"'; drop table rooms; --"`, '"\\\\"', '"1e3"', '"-1"', '"0x10"', '"99999999999999999999"'],
  ...['"rtmp://"', '"rtmp://h/live/"', '"rtmp://u:p@h/live/x"', '"javascript:alert(1)"'],
  ...['"rtmp://h/live/8525_KeptUser_12ab"', '"rtmp://h/a.b?c/d"', '"webrtc://[::1]/live/x"'],
  ...['"{\\"interface\\":{\\"para\\":[]}}"', '"{"', '"[]"', '"null"'],
];

function oddMergeParams(dice: Dice): string {
  const input = `{"input_stream_id":${oddValue(dice)},"layout_params":${oddValue(dice)}}`;
  const inputs = dice.chance(0.8) ? `[${input},${input}]` : oddValue(dice);
  const output = dice.chance(0.5) ? '"8525_mallory_12ab"' : oddValue(dice);
  const para = `{"input_stream_list":${inputs},"output_stream_id":${output}}`;
  const params = `{"interface":{"para":${dice.chance(0.9) ? para : oddValue(dice)}}}`;
  return dice.chance(0.5) ? params : JSON.stringify(params);
}

function nested(depth: number, pair: string): string {
  const open = pair === '[]' ? '[' : '{"a":';
  return `${open.repeat(depth)}1${pair.charAt(1).repeat(depth)}`;
}

function oddForm(target: Knowledge, dice: Dice): string {
  const fields: Record<string, unknown> = JSON.parse(
    `{"userID":"${target.attacker.userID}","roomID":"h_1","index":"0","cnt":"5"}`,
  );
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  const odd = [
    ...['userID[]=x', 'userID[__proto__][y]=1', '__proto__[polluted]=1', 'userID=KeptUser'],
    ...['constructor[prototype][polluted]=1', '%=%', 'roomID=%00', 'roomID=KeptRoom%00', '{'],
    ...['a[b]'.repeat(500), 'a=1&'.repeat(3000), 'roomID=%E0%A4%A', '=', '&&&&'],
  ];
  return [...pairs.filter(() => dice.chance(0.9)), dice.pick(odd)].join('&');
}

function broken(bytes: Buffer, dice: Dice): Buffer {
  const at = dice.upTo(bytes.length + 1);
  const ways: readonly (() => Buffer)[] = [
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes, bytes]),
    () => Buffer.concat([bytes.subarray(0, at), dice.bytes(1), bytes.subarray(at + 1)]),
    () => Buffer.concat([bytes, Buffer.from([0])]),
    () => Buffer.concat([Buffer.from('\ufeff'), bytes]),
    () => Buffer.from(`[${bytes}]`),
    () => Buffer.from(bytes.toString('utf8'), 'utf16le'),
    () => Buffer.concat([bytes, Buffer.alloc(dice.pick([65_536, 70_000, 150_000]), ' ')]),
    () => Buffer.from(dice.pick(['null', '1', '"x"', '', '[', '{"a":', '\u0000', 'NaN', '{}{}'])),
  ];
  return dice.pick(ways)();
}

function oddlyCoded(bytes: Buffer, dice: Dice): { bytes: Buffer; coding: string } {
  const ways: readonly (() => { bytes: Buffer; coding: string })[] = [
    () => ({ bytes: gzipSync(bytes), coding: 'gzip' }),
    () => ({ bytes: brotliCompressSync(bytes), coding: 'br' }),
    () => ({ bytes: gzipSync(bytes).subarray(0, dice.upTo(30)), coding: 'gzip' }),
    () => ({ bytes, coding: dice.pick(['gzip', 'br', 'deflate', 'GZIP']) }),
    () => ({ bytes, coding: dice.pick(['identity', 'x', 'gzip, br', 'chunked', ',']) }),
    () => ({ bytes: BOMB, coding: 'gzip' }),
  ];
  return dice.pick(ways)();
}

const BOMB = gzipSync(Buffer.alloc(5_000_000, ' '));

function withLength(bytes: Buffer): OddBody {
  return { headers: [`content-length: ${bytes.length}`], bytes };
}

function inChunks(bytes: Buffer, dice: Dice): OddBody {
  const size = 1 + dice.upTo(Math.max(1, bytes.length));
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += Math.max(size, 64)) {
    const chunk = bytes.subarray(at, at + Math.max(size, 64));
    const extension = dice.chance(0.1) ? ';odd="extension"' : '';
    chunks.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk);
    chunks.push(Buffer.from('\r\n'));
  }
  const trailer = dice.chance(0.2) ? 'x-trailer: odd\r\n' : '';
  const bodyBytes = Buffer.concat([...chunks, Buffer.from(`0\r\n${trailer}\r\n`)]);
  return { headers: ['transfer-encoding: chunked'], bytes: bodyBytes };
}
