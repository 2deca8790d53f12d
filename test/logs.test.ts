import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type LogSettings, type Logs, openLogs } from '../log_config.ts';
import type { AccessEntry } from '../logic/log.ts';
import { LOG_HOURS_MAX, LOG_SERIES, type LogSeries } from '../logic/log_files.ts';

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
    const times = ['2026-01-31T08:59:59.999Z', '2026-01-31T09:00:00.000Z', '1970-01-01T00:00:00.007Z'];
    for (const time of times) logs.access.write({ ...ENTRY, atMs: Date.parse(time) });
    await logs.close();
    assert.deepEqual(
      (await logs.linesOf('response')).map(({ time }) => time),
      times,
    );
  });

  it('writes a full buffer at once', async () => {
    await using logs = await openTestLogs();
    for (let length = 0; length < 64 * 1024; length += 200) logs.access.write(ENTRY);
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
    const [content] = await logs.contentsOf('response');
    assert.equal(content?.split(/[\n\r\u0085\u2028\u2029\u001b]/).length, 2);
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
    assert.equal(line?.user, 'u'.repeat(64));
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
    const { stack, ...shown } = error;
    assert.deepEqual(shown, {});
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
    const { errors } = both?.error as { errors: unknown[] };
    assert.equal((errors[0] as Line).message, 'one');
    assert.equal(errors[1], "'two'");
  });

  it('show no credential, in a field, a message, a stack or a thrown object', async () => {
    await using logs = await openTestLogs();
    logs.log.info('a', { token: 'abcd', nested: [{ userSig: 'abcd', url: `rtmp://h/?txSecret=abcd` }] });
    logs.log.error('b', new Error(`GET /x?secret=abcd&x=${SECRET} failed`));
    logs.log.error('c', { password: 'abcd', text: SECRET });
    logs.log.warn('d', { code: 'abcd', errno: 'ENOSPC', text: '{"token":"abcd"}' });
    await logs.close();
    const all = [...(await logs.contentsOf('service')), ...(await logs.contentsOf('error'))];
    for (const text of [...all, ...logs.shown]) assert.doesNotMatch(text, /abcd|configured/);
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
    for (const value of [circular, trap, 1n, Symbol('s'), () => 0, Object.create(null), undefined]) {
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
      await using logs = await openTestLogs({ old: hoursBefore(NINE_MS, LOG_HOURS_MAX) });
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
    const files = await logs.filesOf('service');
    assert.equal(files.length, LOG_HOURS_MAX);
    assert.equal(files.at(-1), 'service-2026-01-31-08.log');
  });

  it('appear only for hours that have lines', async () => {
    await using logs = await openTestLogs({ old: hoursBefore(NINE_MS, 2) });
    logs.clock.atMs += 48 * HOUR_MS;
    writeTo(logs, 'service');
    await logs.close();
    assert.deepEqual(await logs.filesOf('service'), [
      'service-2026-01-31-07.log',
      'service-2026-01-31-08.log',
      'service-2026-02-02-09.log',
    ]);
    assert.deepEqual(await logs.filesOf('response'), [
      'response-2026-01-31-07.log',
      'response-2026-01-31-08.log',
    ]);
  });

  it('of a wrong clock go before good ones, and never the running one', async () => {
    const future = hoursBefore(NINE_MS + 9_000 * HOUR_MS, LOG_HOURS_MAX);
    await using logs = await openTestLogs({ old: [...future, ...hoursBefore(NINE_MS, 3)] });
    writeTo(logs, 'error');
    await logs.close();
    const files = await logs.filesOf('error');
    assert.equal(files.length, LOG_HOURS_MAX);
    assert.deepEqual(files.slice(0, 4), hoursBefore(NINE_MS + HOUR_MS, 4).map(nameOf('error')));
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
    assert.deepEqual(logs.reports(), [
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
    assert.deepEqual(logs.reports(), [
      ['log_write_failed', 'response', undefined],
      ['log_lines_lost', 'response', 3],
    ]);
  });

  it('holds back a bounded number of lines', async () => {
    await using logs = await openTestLogs();
    await writeFile(join(logs.dir, 'response'), 'in the way');
    const path = `/${'"'.repeat(255)}`;
    for (let index = 0; index < 20_000; index++) logs.access.write({ ...ENTRY, path });
    await delay(0);
    await rm(join(logs.dir, 'response'));
    await logs.close();
    const kept = (await logs.linesOf('response')).length;
    const [failure, resumed] = logs.reports();
    assert.equal(failure?.[0], 'log_write_failed');
    assert.ok(kept > 5_000 && kept < 20_000, `${kept}`);
    assert.deepEqual(resumed, ['log_write_resumed', 'response', 20_000 - kept]);
  });
});

describe('The logs of a process', () => {
  it('are open once at a time', async () => {
    await using logs = await openTestLogs();
    await assert.rejects(openTestLogs(), { message: 'The logs are open already, and a process has one.' });
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
      message: 'log.level must be debug, info, warn, error or off, got "loud".',
    });
  });
});

type Line = Readonly<Record<string, unknown>>;

interface TestSettings extends Partial<Pick<LogSettings, 'level' | 'worker'>> {
  /** Hours that have a file in every series when the logs are opened. */
  readonly old?: readonly string[];
  readonly oldStem?: (series: LogSeries) => string;
}

interface TestLogs extends Logs, AsyncDisposable {
  readonly dir: string;
  readonly clock: { atMs: number; nowMs(): number } & LogSettings['clock'];
  /** What went to stderr. */
  readonly shown: readonly string[];
  reports(): readonly unknown[];
  filesOf(series: LogSeries): Promise<readonly string[]>;
  contentsOf(series: LogSeries): Promise<readonly string[]>;
  linesOf(series: LogSeries): Promise<readonly Line[]>;
}

/** Logs in a folder of their own, at nine o'clock until told otherwise. */
async function openTestLogs(settings: TestSettings = {}): Promise<TestLogs> {
  const { old = [], oldStem = (series) => series, ...rest } = settings;
  const dir = await mkdtemp(join(tmpdir(), 'roomkeep-logs-'));
  for (const series of old.length > 0 ? LOG_SERIES : []) {
    await mkdir(join(dir, series));
    for (const hour of old) await writeFile(join(dir, series, `${oldStem(series)}-${hour}.log`), '{}\n');
  }
}

function writeTo(logs: Logs, series: LogSeries): void {
  if (series === 'response') logs.access.write(ENTRY);
  if (series === 'service') logs.log.info('tick');
  if (series === 'error') logs.log.error('tick', new Error('tock'));
}
