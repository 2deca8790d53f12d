import assert from 'node:assert/strict';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type LogSettings, type Logs, openLogs } from '../log_config.ts';
import type { AccessEntry } from '../logic/log.ts';
import {
  LOG_DOWNLOAD_BYTES_MAX,
  LOG_HOURS_MAX,
  LOG_SERIES,
  type LogSeries,
  listLogFiles,
  openLogFile,
} from '../logic/log_files.ts';

const HOUR_MS = 3_600_000;
const NINE_MS = new Date(2026, 0, 31, 9, 0, 0, 123).getTime();
const NINE = new Date(NINE_MS).toISOString();
const SECRET = 'a-configured-secret';
const USER_SIG = `eJw1${'jN3QKwjAMRl-l5FbpktBFC7vzDYKhq5'.repeat(4)}_*-`;

const ENTRY: AccessEntry = {
  atMs: Date.UTC(2026, 0, 31, 9, 0, 0, 123),
  requestID: 'q1',
  method: 'POST',
  path: '/weapp/double_room/create_room',
  ip: '10.0.0.1',
  userID: 'u1',
  roomID: 'r1',
  status: 200,
  code: 0,
  durationMs: 1.234,
};

describe('The response log', () => {
  it('holds one line for a request, in the file of the hour', async () => {
    await using logs = await openTestLogs();
    logs.access.write(ENTRY);
    await logs.close();
    assert.equal(
      await readFile(join(logs.dir, 'response/response-2026-01-31-09.log'), 'utf8'),
      '{"time":"2026-01-31T09:00:00.123Z","id":"q1","method":"POST",' +
        '"path":"/weapp/double_room/create_room","ip":"10.0.0.1","user":"u1","room":"r1",' +
        '"status":200,"code":0,"ms":1.2}\n',
    );
  });

  it('loses and repeats no line, also across an hour', async () => {
    await using logs = await openTestLogs();
    const sent = Array.from({ length: 5_000 }, (_, index) => `q${index}`);
    for (const [index, requestID] of sent.entries()) {
      logs.access.write({ ...ENTRY, requestID });
      if (index % 500 === 0) await delay(0);
      if (index === 2_000) logs.clock.atMs += HOUR_MS;
    }
    await logs.close();
    const lines = await logs.linesOf('response');
    assert.deepEqual(
      lines.map(({ id }) => id),
      sent,
    );
    assert.equal((await logs.filesOf('response')).length, 2);
  });

  it('keeps the time of each request', async () => {
    await using logs = await openTestLogs();
    const times = [
      '2026-01-31T08:59:59.999Z',
      '2026-01-31T09:00:00.000Z',
      '1970-01-01T00:00:00.007Z',
    ];
    for (const time of times) logs.access.write({ ...ENTRY, atMs: Date.parse(time) });
    await logs.close();
    assert.deepEqual(
      (await logs.linesOf('response')).map(({ time }) => time),
      times,
    );
  });

  it('writes a full buffer at once', async () => {
    await using logs = await openTestLogs();
    for (let length = 0; length < 64 * 1024; length += 150) logs.access.write(ENTRY);
    logs.clock.atMs += HOUR_MS;
    logs.access.write({ ...ENTRY, requestID: 'last' });
    await logs.close();
    assert.deepEqual(await logs.filesOf('response'), [
      'response-2026-01-31-09.log',
      'response-2026-01-31-10.log',
    ]);
  });

  it('writes a lonely line soon, with a timer that keeps no process alive', async () => {
    await using logs = await openTestLogs();
    const timersBefore = timersAlive();
    logs.access.write(ENTRY);
    assert.equal(timersAlive(), timersBefore);
    await until(async () => (await logs.linesOf('response')).length === 1);
  });

  it('shows no credential a client put into a path, an id or a header', async () => {
    await using logs = await openTestLogs();
    logs.access.write({ ...ENTRY, path: `/weapp/${SECRET}/x?token=abcd`, roomID: `r${SECRET}` });
    logs.access.write({ ...ENTRY, userID: USER_SIG, requestID: SECRET, ip: SECRET });
    logs.access.write({ ...ENTRY, path: `/${'x'.repeat(250)}${SECRET}`, method: SECRET });
    await logs.close();
    const [first, second, third] = await logs.linesOf('response');
    assert.equal(first?.path, '/weapp/[masked]/x?token=[masked]');
    assert.equal(first?.room, 'r[masked]');
    assert.deepEqual([second?.user, second?.id, second?.ip], Array(3).fill('[masked]'));
    assert.equal(third?.path, `/${'x'.repeat(250)}[mask`);
    assert.equal(third?.method, '[masked]');
  });

  it('keeps one line a line, whatever a client sends', async () => {
    await using logs = await openTestLogs();
    const userID = '"\\\n\r\t\u0000\u001b[2J\u0085\u2028\u2029\u{1f600}\ud800中';
    logs.access.write({ ...ENTRY, userID });
    await logs.close();
    const [content = ''] = await logs.contentsOf('response');
    assert.doesNotMatch(content.slice(0, -1), /[\p{Cc}\p{Zl}\p{Zp}]/u);
    assert.deepEqual(
      (await logs.linesOf('response')).map(({ user }) => user),
      [userID],
    );
  });

  it('cuts what is too long', async () => {
    await using logs = await openTestLogs();
    logs.access.write({ ...ENTRY, path: `/${'p'.repeat(9_000)}`, userID: 'u'.repeat(9_000) });
    await logs.close();
    const [line] = await logs.linesOf('response');
    assert.equal(line?.path, `/${'p'.repeat(255)}`);
    assert.equal(line?.user, 'u'.repeat(256));
  });

  it('takes nothing after it was closed', async () => {
    await using logs = await openTestLogs();
    await logs.close();
    logs.access.write(ENTRY);
    await logs.close();
    assert.deepEqual(await logs.linesOf('response'), []);
  });
});

describe('The event logs', () => {
  it('keep what the service did apart from what went wrong', async () => {
    await using logs = await openTestLogs();
    logs.log.info('room_created', { roomID: 'r1' });
    logs.log.warn('im_slow', { tookMs: 3000 });
    await logs.close();
    const warning = { time: NINE, level: 'warn', event: 'im_slow', tookMs: 3000 };
    assert.deepEqual(await logs.linesOf('service'), [
      { time: NINE, level: 'info', event: 'room_created', roomID: 'r1' },
    ]);
    assert.deepEqual(await logs.linesOf('error'), [warning]);
    assert.deepEqual(logs.shown, [`${JSON.stringify(warning)}\n`]);
    assert.deepEqual(await logs.filesOf('response'), []);
  });

  it('describe an error with its stack and its causes, on one line', async () => {
    await using logs = await openTestLogs();
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', config: { x: 1 } });
    const error = new TypeError('IM did\nnot answer.', { cause });
    logs.log.error('im_failed', error, { roomID: 'r1' });
    await logs.close();
    assert.deepEqual(await logs.linesOf('error'), [
      {
        time: NINE,
        level: 'error',
        event: 'im_failed',
        roomID: 'r1',
        error: {
          name: 'TypeError',
          message: 'IM did\nnot answer.',
          stack: error.stack,
          cause: { name: 'Error', message: 'refused', code: 'ECONNREFUSED', stack: cause.stack },
        },
      },
    ]);
    assert.equal(logs.shown.join('').split('\n').length, 2);
  });

  it('follow causes three deep and list the errors of an aggregate', async () => {
    await using logs = await openTestLogs();
    const endless = new Error('endless');
    endless.cause = endless;
    logs.log.error('a', endless);
    logs.log.error('b', new AggregateError([new Error('one'), 'two'], 'both'));
    await logs.close();
    const [chain, both] = await logs.linesOf('error');
    assert.equal(JSON.stringify(chain).split('"message":"endless"').length - 1, 4);
    assert.match(
      JSON.stringify(both),
      /"errors":\[\{"name":"Error","message":"one",.*\},"'two'"\]/,
    );
  });

  it('show no credential, in a field, a message, a stack or a thrown object', async () => {
    await using logs = await openTestLogs();
    logs.log.info('a', {
      token: 'abcd',
      nested: [{ userSig: 'abcd', url: `rtmp://h/?txSecret=abcd` }],
    });
    logs.log.error('b', new Error(`GET /x?secret=abcd&x=${SECRET} failed`));
    logs.log.error('c', { password: 'abcd', text: SECRET });
    logs.log.warn('d', { code: 'abcd', errno: 'ENOSPC', text: '{"token":"abcd"}' });
    await logs.close();
    const all = [...(await logs.contentsOf('service')), ...(await logs.contentsOf('error'))];
    for (const content of [...all, ...logs.shown]) assert.doesNotMatch(content, /abcd|configured/);
    assert.match(all.join(''), /ENOSPC/);
  });

  it('let no field pass for the head of the line', async () => {
    await using logs = await openTestLogs();
    logs.log.info('real', { event: 'forged', level: 'error', time: 0, x: 1 });
    await logs.close();
    assert.deepEqual(await logs.linesOf('service'), [
      { time: NINE, level: 'info', event: 'real', x: 1 },
    ]);
  });

  it('never throw, whatever they are given', async () => {
    await using logs = await openTestLogs();
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const trap = {
      get trap() {
        throw new Error('no');
      },
    };
    for (const value of [
      circular,
      trap,
      1n,
      Symbol('s'),
      () => 0,
      Object.create(null),
      undefined,
    ]) {
      logs.log.info('a', { value });
      logs.log.error('a', value);
    }
    logs.log.info('a', { long: Array(100_000).fill('x') });
    logs.log.info('a', trap);
    await logs.close();
    assert.equal((await logs.linesOf('service')).length, 9);
    assert.equal((await logs.linesOf('error')).length, 7);
    for (const content of await logs.contentsOf('service')) assert.ok(content.length < 10_000);
  });

  it('keep only what the level asks for, while the response log stays complete', async () => {
    await using logs = await openTestLogs({ level: 'error' });
    logs.log.info('a');
    logs.log.warn('b');
    logs.log.error('c', new Error('d'));
    logs.access.write(ENTRY);
    await logs.close();
    assert.deepEqual(await logs.filesOf('service'), []);
    assert.deepEqual(
      (await logs.linesOf('error')).map(({ event }) => event),
      ['c'],
    );
    assert.equal((await logs.linesOf('response')).length, 1);
  });
});

describe('Hourly log files', () => {
  it('stay 168 when the 169th appears, and the oldest goes', async () => {
    for (const series of LOG_SERIES) {
      await using logs = await openTestLogs({
        old: hoursBefore(NINE_MS, LOG_HOURS_MAX),
        oldIn: [series],
      });
      writeTo(logs, series);
      await logs.close();
      const files = await logs.filesOf(series);
      assert.equal(files.length, LOG_HOURS_MAX);
      assert.equal(files[0], `${series}-2026-01-24-10.log`);
      assert.equal(files.at(-1), `${series}-2026-01-31-09.log`);
    }
  });

  it('stay 168 while hours pass', async () => {
    await using logs = await openTestLogs({ old: hoursBefore(NINE_MS, LOG_HOURS_MAX - 1) });
    for (let hour = 0; hour < 3; hour++) {
      writeTo(logs, 'error');
      logs.clock.atMs += HOUR_MS;
    }
    await logs.close();
    const files = await logs.filesOf('error');
    assert.equal(files.length, LOG_HOURS_MAX);
    assert.equal(files[0], 'error-2026-01-24-12.log');
    assert.equal(files.at(-1), 'error-2026-01-31-11.log');
  });

  it('of earlier runs are thinned out at the start', async () => {
    await using logs = await openTestLogs({ old: hoursBefore(NINE_MS, LOG_HOURS_MAX + 40) });
    await logs.close();
    const files = await logs.filesOf('error');
    assert.equal(files.length, LOG_HOURS_MAX);
    assert.equal(files.at(-1), 'error-2026-01-31-08.log');
  });

  it('appear only for hours that have lines', async () => {
    await using logs = await openTestLogs({ old: hoursBefore(NINE_MS, 2) });
    logs.clock.atMs += 48 * HOUR_MS;
    writeTo(logs, 'error');
    await logs.close();
    assert.deepEqual(await logs.filesOf('error'), [
      'error-2026-01-31-07.log',
      'error-2026-01-31-08.log',
      'error-2026-02-02-09.log',
    ]);
    assert.deepEqual(await logs.filesOf('response'), []);
  });

  it('of a wrong clock go before good ones, and never the running one', async () => {
    const future = hoursBefore(NINE_MS + 9_000 * HOUR_MS, LOG_HOURS_MAX);
    await using logs = await openTestLogs({ old: [...future, ...hoursBefore(NINE_MS, 3)] });
    writeTo(logs, 'error');
    await logs.close();
    const files = await logs.filesOf('error');
    assert.equal(files.length, LOG_HOURS_MAX);
    assert.deepEqual(
      files.slice(0, 4),
      hoursBefore(NINE_MS + HOUR_MS, 4).map((hour) => `error-${hour}.log`),
    );
  });

  it('belong to one worker each and are thinned out together', async () => {
    const old = hoursBefore(NINE_MS, LOG_HOURS_MAX);
    await using logs = await openTestLogs({ worker: 2, old, oldStem: (series) => `${series}-w7` });
    writeTo(logs, 'error');
    await logs.close();
    const files = await logs.filesOf('error');
    assert.equal(files.length, LOG_HOURS_MAX);
    assert.equal(files[0], 'error-w2-2026-01-31-09.log');
    assert.equal(files[1], 'error-w7-2026-01-24-10.log');
  });

  it('do not touch what is not theirs', async () => {
    await using logs = await openTestLogs({ old: hoursBefore(NINE_MS, LOG_HOURS_MAX + 1) });
    const foreign = ['notes.txt', 'error-2018-02-27-15.log.gz', 'response-2018-02-27-15.log'];
    for (const name of foreign) await writeFile(join(logs.dir, 'error', name), 'x');
    await mkdir(join(logs.dir, 'error/error-2018-02-27-15.log'));
    writeTo(logs, 'error');
    await logs.close();
    const files = await logs.filesOf('error');
    assert.equal(files.length, LOG_HOURS_MAX + 4);
    for (const name of foreign) assert.ok(files.includes(name));
  });

  it('may be deleted while the service runs', async () => {
    await using logs = await openTestLogs();
    writeTo(logs, 'error');
    await until(async () => (await logs.linesOf('error')).length === 1);
    await rm(join(logs.dir, 'error'), { recursive: true });
    writeTo(logs, 'error');
    await logs.close();
    assert.equal((await logs.linesOf('error')).length, 1);
  });
});

describe('A log that cannot be written', () => {
  it('is reported once, and its lines follow into their hours when it can', async () => {
    await using logs = await openTestLogs();
    await writeFile(join(logs.dir, 'service'), 'in the way');
    writeTo(logs, 'service');
    await until(() => logs.shown.length === 1);
    writeTo(logs, 'service');
    logs.clock.atMs += HOUR_MS;
    writeTo(logs, 'service');
    await delay(0);
    await rm(join(logs.dir, 'service'));
    writeTo(logs, 'service');
    await logs.close();
    const contents = await logs.contentsOf('service');
    assert.deepEqual(
      contents.map((content) => content.split('\n').length - 1),
      [2, 2],
    );
    assert.deepEqual(reportsOf(logs.shown), [
      ['log_write_failed', 'service', undefined],
      ['log_write_resumed', 'service', 0],
    ]);
    assert.match(logs.shown[0] ?? '', /EEXIST/);
  });

  it('says at the end how many lines are lost, and lets the process end', async () => {
    await using logs = await openTestLogs();
    await writeFile(join(logs.dir, 'response'), 'in the way');
    for (let index = 0; index < 3; index++) logs.access.write(ENTRY);
    await logs.close();
    assert.deepEqual(reportsOf(logs.shown), [
      ['log_write_failed', 'response', undefined],
      ['log_lines_lost', 'response', 3],
    ]);
  });

  it('holds back a bounded number of lines', async () => {
    await using logs = await openTestLogs();
    await writeFile(join(logs.dir, 'response'), 'in the way');
    // A control character takes six in JSON.
    const path = `/${'\u0001'.repeat(255)}`;
    for (let index = 0; index < 6_000; index++) logs.access.write({ ...ENTRY, path });
    await delay(0);
    await rm(join(logs.dir, 'response'));
    await logs.close();
    const kept = (await logs.linesOf('response')).length;
    const [failure, resumed] = reportsOf(logs.shown);
    assert.deepEqual(failure, ['log_write_failed', 'response', undefined]);
    assert.ok(kept > 3_000 && kept < 6_000, `${kept}`);
    assert.deepEqual(resumed, ['log_write_resumed', 'response', 6_000 - kept]);
  });
});

describe('The list of log files', () => {
  it('shows the newest hour first, with sizes', async () => {
    await using logs = await openTestLogs({
      old: ['2018-02-27-15', '2018-02-27-16'],
      oldIn: LOG_SERIES,
    });
    await writeFile(join(logs.dir, 'error/error-2018-02-27-16.log'), '12345');
    await writeFile(join(logs.dir, 'error/error-w12-2018-02-27-16.log'), '1');
    assert.deepEqual(await listLogFiles(logs.dir), [
      { name: './error/error-2018-02-27-16.log', bytes: 5 },
      { name: './error/error-w12-2018-02-27-16.log', bytes: 1 },
      { name: './response/response-2018-02-27-16.log', bytes: 0 },
      { name: './service/service-2018-02-27-16.log', bytes: 0 },
      { name: './error/error-2018-02-27-15.log', bytes: 0 },
      { name: './response/response-2018-02-27-15.log', bytes: 0 },
      { name: './service/service-2018-02-27-15.log', bytes: 0 },
    ]);
  });

  it('is empty while there is no folder', async () => {
    await using logs = await openTestLogs();
    assert.deepEqual(await listLogFiles(join(logs.dir, 'nowhere')), []);
  });

  it('shows no link, no folder and no other name', async () => {
    await using logs = await openTestLogs();
    const inError = (name: string) => join(logs.dir, 'error', name);
    await mkdir(inError('error-2018-02-27-15.log'), { recursive: true });
    await writeFile(join(logs.dir, 'secrets.json'), '{}');
    await symlink('../secrets.json', inError('error-2018-02-27-16.log'));
    const names = [
      'x.log',
      'error-2018-02-27.log',
      'error-2018-02-27-17.log ',
      'error-2018-02-27-17.log.gz',
    ];
    for (const name of [...names, 'response-2018-02-27-17.log'])
      await writeFile(inError(name), 'x');
    await mkdir(join(logs.dir, 'elsewhere'));
    await writeFile(join(logs.dir, 'elsewhere/service-2018-02-27-15.log'), 'x');
    await symlink('elsewhere', join(logs.dir, 'service'));
    assert.deepEqual(await listLogFiles(logs.dir), []);
  });
});

describe('A log file', () => {
  const name = './error/error-2018-02-27-15.log';

  it('opens by its listed name', async () => {
    await using logs = await openTestLogs({ old: ['2018-02-27-15'] });
    await writeFile(join(logs.dir, name), 'one\ntwo\n');
    const opened = await openLogFile(logs.dir, name);
    assert.equal(opened?.bytes, 8);
    assert.equal(await text(opened.stream), 'one\ntwo\n');
  });

  it('gives what was promised, while it grows', async () => {
    await using logs = await openTestLogs({ old: ['2018-02-27-15'] });
    await writeFile(join(logs.dir, name), 'one\n');
    const opened = await openLogFile(logs.dir, name);
    await appendFile(join(logs.dir, name), 'two\n');
    assert.equal(opened?.bytes, 4);
    assert.equal(await text(opened.stream), 'one\n');
  });

  it('may be empty', async () => {
    await using logs = await openTestLogs({ old: ['2018-02-27-15'] });
    const opened = await openLogFile(logs.dir, name);
    assert.equal(opened?.bytes, 0);
    assert.equal(await text(opened.stream), '');
  });

  it('gives its end when it is too big', async () => {
    await using logs = await openTestLogs({ old: ['2018-02-27-15'] });
    await writeFile(join(logs.dir, name), 'start');
    await truncate(join(logs.dir, name), LOG_DOWNLOAD_BYTES_MAX);
    await appendFile(join(logs.dir, name), 'the end\n');
    const opened = await openLogFile(logs.dir, name);
    assert.equal(opened?.bytes, LOG_DOWNLOAD_BYTES_MAX);
    // Eight bytes are left out, and they are the first.
    const first: Buffer = (await opened.stream[Symbol.asyncIterator]().next()).value;
    assert.equal(first.includes('start'), false);
    opened.stream.destroy();
  });

  it('is not found by any other name', async () => {
    await using logs = await openTestLogs({ old: ['2018-02-27-15'] });
    await writeFile(join(logs.dir, 'secrets.json'), '{}');
    await mkdir(join(logs.dir, 'error/error-2018-02-27-16.log'));
    await symlink('error-2018-02-27-15.log', join(logs.dir, 'error/error-2018-02-27-17.log'));
    for (const trick of [
      '',
      '.',
      './',
      './error',
      './error/',
      'secrets.json',
      './secrets.json',
      '../config.js',
      './error/../secrets.json',
      './error/../error/error-2018-02-27-15.log',
      './/error/error-2018-02-27-15.log',
      'error/error-2018-02-27-15.log',
      'error-2018-02-27-15.log',
      '/etc/passwd',
      join(logs.dir, name),
      `file://${join(logs.dir, name)}`,
      encodeURIComponent(name),
      './error%2Ferror-2018-02-27-15.log',
      '.\\error\\error-2018-02-27-15.log',
      './error\u2215error-2018-02-27-15.log',
      './error\uff0ferror-2018-02-27-15.log',
      `${name} `,
      ` ${name}`,
      `${name}\n`,
      `${name}\0`,
      `${name}\0.txt`,
      `${name}/`,
      `${name}.gz`,
      name.toUpperCase(),
      './error/error-2018-02-27-16.log',
      './error/error-2018-02-27-17.log',
      './error/error-2018-02-27-18.log',
      '__proto__',
    ]) {
      assert.equal(await openLogFile(logs.dir, trick), undefined, JSON.stringify(trick));
    }
  });
});

describe('The logs of a process', () => {
  it('are open once at a time', async () => {
    await using logs = await openTestLogs();
    await assert.rejects(openTestLogs(), {
      message: 'The logs are open already, and a process has one.',
    });
    await logs.close();
  });

  it('can be opened again after they were closed, and still write each line once', async () => {
    await using folder = await openTestLogs();
    await folder.close();
    for (let round = 0; round < 3; round++) {
      const logs = openLogs({ dir: folder.dir, level: 'info', secrets: [], clock: folder.clock });
      logs.access.write(ENTRY);
      logs.log.info('round', { round });
      await logs.close();
    }
    assert.equal((await folder.linesOf('response')).length, 3);
    assert.deepEqual(
      (await folder.linesOf('service')).map(({ round }) => round),
      [0, 1, 2],
    );
  });

  it('need a level that exists', async () => {
    await assert.rejects(openTestLogs({ level: 'loud' }), {
      message: 'log.level must be trace, debug, info, warn, error or off, got "loud".',
    });
  });
});

type Line = Readonly<Record<string, unknown>>;

interface TestSettings extends Partial<Pick<LogSettings, 'level' | 'worker'>> {
  /** Hours that have a file when the logs are opened, in these series. */
  readonly old?: readonly string[];
  readonly oldIn?: readonly LogSeries[];
  readonly oldStem?: (series: LogSeries) => string;
}

interface TestLogs extends Logs, AsyncDisposable {
  readonly dir: string;
  readonly clock: { atMs: number; nowMs(): number } & LogSettings['clock'];
  /** What went to stderr. */
  readonly shown: readonly string[];
  filesOf(series: LogSeries): Promise<readonly string[]>;
  contentsOf(series: LogSeries): Promise<readonly string[]>;
  linesOf(series: LogSeries): Promise<readonly Line[]>;
}

/** Logs in a folder of their own, at nine o'clock until told otherwise. */
async function openTestLogs(settings: TestSettings = {}): Promise<TestLogs> {
  const {
    old = [],
    oldIn = ['error'],
    oldStem = (series) => series,
    level = 'info',
    worker,
  } = settings;
  const dir = await mkdtemp(join(tmpdir(), 'roomkeep-logs-'));
  const removeDir = () => rm(dir, { recursive: true, force: true });
  for (const series of old.length > 0 ? oldIn : []) {
    await mkdir(join(dir, series));
    const files = old.map((hour) => join(dir, series, `${oldStem(series)}-${hour}.log`));
    await Promise.all(files.map((file) => writeFile(file, '')));
  }
  const shown: string[] = [];
  const clock = stoppedClock();
  const stderr = { write: (line: string) => shown.push(line) };
  try {
    const logs = openLogs({ dir, level, worker, secrets: [SECRET], clock, stderr });
    const dispose = () => logs.close().then(removeDir);
    return { ...logs, ...readersOf(dir), dir, clock, shown, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await removeDir();
    throw error;
  }
}

function stoppedClock(): TestLogs['clock'] {
  return {
    atMs: NINE_MS,
    nowMs() {
      return this.atMs;
    },
    monotonicMs: () => 0,
    sleep: () => Promise.reject(new Error('Logs do not sleep.')),
  };
}

function readersOf(dir: string): Pick<TestLogs, 'filesOf' | 'contentsOf' | 'linesOf'> {
  const filesOf = async (series: LogSeries) => {
    const names = await readdir(join(dir, series)).catch((): string[] => []);
    return names.sort();
  };
  const contentsOf = async (series: LogSeries) => {
    const names = await filesOf(series);
    return Promise.all(names.map((name) => readFile(join(dir, series, name), 'utf8')));
  };
  const linesOf = async (series: LogSeries) => {
    const lines = (await contentsOf(series)).join('').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Line);
  };
  return { filesOf, contentsOf, linesOf };
}

/** Event, series and lost lines of what a log said about itself. */
function reportsOf(shown: readonly string[]): readonly unknown[] {
  const lines = shown.map((line) => JSON.parse(line) as Line);
  return lines.map(({ event, series, linesLost }) => [event, series, linesLost]);
}

function writeTo(logs: Logs, series: LogSeries): void {
  if (series === 'response') logs.access.write(ENTRY);
  if (series === 'service') logs.log.info('tick');
  if (series === 'error') logs.log.error('tick', new Error('tock'));
}

/** As file names spell them, oldest first. */
function hoursBefore(atMs: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const at = new Date(atMs - (count - index) * HOUR_MS);
    const parts = [at.getMonth() + 1, at.getDate(), at.getHours()].map((part) =>
      `${part}`.padStart(2, '0'),
    );
    return [at.getFullYear(), ...parts].join('-');
  });
}

function timersAlive(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
}

/** Polls for what happens in the background. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (await isTrue()) return;
    await delay(10);
  }
  assert.fail('It has not happened within five seconds.');
}
