import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Clock } from '../logic/clock.ts';
import { ImError, type ImGroups, localImGroups } from '../logic/im_mgr.ts';
import { type NotifyMode, openTencentIm } from '../logic/im_tencent.ts';
import type { Log, LogFields } from '../logic/log.ts';
import {
  type CloudBehaviour,
  type CloudMode,
  type FakeCloud,
  startFakeCloud,
} from './fake_cloud.ts';

const GROUP = 'room_2c198bd9_be07';
const ADMIN_SIG =
  'eJwtjMEKgkAURX*lZh0y45tRE1oI0SLcWdDWGCcek*LMqEXRv5fm8p577vmwa1kFIzmWMxFwtp03amo93nHHAFICUinSZSsgE_';
const NOTICE = '{"cmd":"notifyPusherChange","data":""}';
/** Ends in "}}", where old mini-programs cut it. */
const MESSAGE = '{"cmd":"notifyPusherChange","data":{}}';

class ManualClock implements Clock {
  #ms = 1_700_000_000_000;

  nowMs(): number {
    return this.#ms;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  async sleep(): Promise<void> {
    throw new Error('Nothing here sleeps.');
  }

  advance(ms: number): void {
    this.#ms += ms;
  }
}

interface Bench extends AsyncDisposable {
  readonly cloud: FakeCloud;
  readonly im: ImGroups;
  readonly clock: ManualClock;
  readonly warnings: { readonly event: string; readonly fields: LogFields }[];
}

interface BenchOptions {
  readonly notifyMode?: NotifyMode;
  readonly imMode?: CloudMode;
  readonly callLimitMs?: number;
  readonly hostSuffix?: string;
  readonly adminSig?: () => string;
}

async function openBench(options: BenchOptions = {}): Promise<Bench> {
  const cloud = await startFakeCloud();
  cloud.imMode = options.imMode ?? 'ok';
  const clock = new ManualClock();
  const warnings: Bench['warnings'] = [];
  const log: Log = {
    info() {},
    warn: (event, fields = {}) => warnings.push({ event, fields }),
    error() {},
  };
  let random = 7;
  const im = openTencentIm({
    settings: {
      host: cloud.url + (options.hostSuffix ?? ''),
      sdkAppID: 1400000000,
      administrator: 'admin',
      notifyMode: options.notifyMode ?? 'auto',
    },
    adminSig: options.adminSig ?? (() => ADMIN_SIG),
    log,
    clock,
    randomUint32: () => random++,
    callLimitMs: options.callLimitMs ?? 2000,
  });
  const close = async () => {
    await im.close();
    await cloud.close();
  };
  return { cloud, im, clock, warnings, [Symbol.asyncDispose]: close };
}

const notify = (im: ImGroups, dedupeKey = 'event-1') =>
  im.notifyPusherChange({ groupID: GROUP, dedupeKey });

async function failureOf(promise: Promise<unknown>): Promise<ImError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ImError, `An ImError was expected, got ${inspect(error)}.`);
  return error;
}

const verdictOf = ({ kind, about, errorCode }: ImError) => ({ kind, about, errorCode });
const unreachable = { kind: 'retry', about: 'network', errorCode: undefined };

/** Answers with each behaviour once and is well afterwards. */
function inTurn(...behaviours: CloudBehaviour[]): CloudMode {
  return () => behaviours.shift() ?? 'ok';
}

async function breakDown({ cloud, im }: Bench): Promise<void> {
  cloud.imMode = 'http500';
  for (let failures = 0; failures < 5; failures += 1) {
    await failureOf(im.destroyGroup(GROUP));
    await failureOf(im.createGroup(GROUP));
  }
  cloud.forgetCalls();
}

describe('The form of IM calls', () => {
  it('creates a group with the exact request of the contract', async () => {
    await using bench = await openBench();
    assert.equal(await bench.im.createGroup(GROUP), 'created');
    const { method, path, query, contentType, text } = bench.cloud.calls[0] ?? assert.fail();
    assert.equal(method, 'POST');
    assert.equal(path, '/v4/group_open_http_svc/create_group');
    assert.match(contentType, /^application\/json/);
    assert.deepEqual(query, {
      sdkappid: '1400000000',
      identifier: 'admin',
      usersig: ADMIN_SIG,
      random: '7',
      contenttype: 'json',
    });
    assert.equal(
      text,
      `{"Owner_Account":"admin","Type":"AVChatRoom","GroupId":"${GROUP}","Name":"group_name"}`,
    );
  });

  it('destroys a group and sends the system notification letter by letter', async () => {
    await using bench = await openBench();
    bench.cloud.groups.add(GROUP);
    await notify(bench.im);
    await bench.im.destroyGroup(GROUP);
    assert.deepEqual(
      bench.cloud.calls.map(({ path, body }) => ({ path, body })),
      [
        {
          path: '/v4/group_open_http_svc/send_group_system_notification',
          body: { GroupId: GROUP, Content: NOTICE },
        },
        { path: '/v4/group_open_http_svc/destroy_group', body: { GroupId: GROUP } },
      ],
    );
  });

  it('takes a fresh random number for every call and keeps one connection open', async () => {
    await using bench = await openBench();
    await bench.im.createGroup('r1');
    await bench.im.createGroup('r2');
    await bench.im.destroyGroup('r1');
    assert.equal(new Set(bench.cloud.calls.map(({ query }) => query.random)).size, 3);
    assert.equal(bench.cloud.connectionCount, 1);
  });

  it('accepts a host with a path and a slash at its end', async () => {
    await using bench = await openBench({ hostSuffix: '/relay/' });
    await failureOf(bench.im.destroyGroup(GROUP));
    assert.equal(bench.cloud.calls[0]?.path, '/relay/v4/group_open_http_svc/destroy_group');
  });

  it('goes straight to the host, whatever proxy the environment names', async () => {
    await using bench = await openBench();
    const before = process.env.http_proxy;
    process.env.http_proxy = 'http://127.0.0.1:9';
    try {
      assert.equal(await bench.im.createGroup(GROUP), 'created');
    } finally {
      if (before === undefined) delete process.env.http_proxy;
      else process.env.http_proxy = before;
    }
  });
});

describe('Creating a group', () => {
  it('succeeds when the group is already ours', async () => {
    await using bench = await openBench();
    bench.cloud.groups.add(GROUP);
    assert.equal(await bench.im.createGroup(GROUP), 'created');
  });

  it('says so when the id belongs to somebody else', async () => {
    await using bench = await openBench();
    bench.cloud.foreignGroups.add(GROUP);
    assert.equal(await bench.im.createGroup(GROUP), 'taken');
    assert.deepEqual(bench.cloud.callsOf(GROUP), ['create_group']);
  });

  for (const passing of ['http500', 'reset', 'html', { errorCode: 60008 }] as const) {
    it(`repeats once, at once, after ${inspect(passing)}`, async () => {
      await using bench = await openBench({ imMode: inTurn(passing) });
      assert.equal(await bench.im.createGroup(GROUP), 'created');
      assert.deepEqual(bench.cloud.callsOf(GROUP), ['create_group', 'create_group']);
    });
  }

  for (const errorCode of [10002, 10004, 10006, 10015, 10036, 60020, 70009, 99999]) {
    it(`never asks more than twice while IM answers ${errorCode}`, async () => {
      await using bench = await openBench({ imMode: { errorCode } });
      const failure = await failureOf(bench.im.createGroup(GROUP));
      assert.equal(failure.errorCode, errorCode);
      assert.equal(bench.cloud.calls.length, errorCode === 10002 ? 2 : 1);
    });
  }

  it('gives up at its time limit, repeat included', async () => {
    await using bench = await openBench({ callLimitMs: 300, imMode: inTurn('http500', 'hang') });
    const startedMs = performance.now();
    assert.deepEqual(verdictOf(await failureOf(bench.im.createGroup(GROUP))), unreachable);
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs > 250 && tookMs < 2000, `It took ${tookMs} ms.`);
    assert.equal(bench.cloud.calls.length, 2);
  });

  it('does not repeat a call that used up the time', async () => {
    await using bench = await openBench({ callLimitMs: 60, imMode: 'hang' });
    await failureOf(bench.im.createGroup(GROUP));
    assert.equal(bench.cloud.calls.length, 1);
  });
});

describe('What is known of a group that could not be created', () => {
  const certainties: readonly [string, boolean, CloudMode][] = [
    ['nothing after a lost answer', true, 'reset'],
    ['nothing after no answer', true, 'hang'],
    ['nothing after an unreadable answer', true, 'html'],
    ['nothing after trouble inside the cloud', true, { errorCode: 60008 }],
    ['that it does not exist after a refusal for good', false, { errorCode: 70009 }],
    ['that it does not exist after too many calls', false, { errorCode: 10006 }],
  ];
  for (const [knowledge, mayBeDone, imMode] of certainties) {
    it(`is ${knowledge}`, async () => {
      await using bench = await openBench({ imMode, callLimitMs: 200 });
      assert.equal((await failureOf(bench.im.createGroup(GROUP))).mayBeDone, mayBeDone);
    });
  }

  it('is nothing when a refusal follows on a lost answer', async () => {
    await using bench = await openBench({ imMode: inTurn('reset', { errorCode: 10036 }) });
    const { errorCode, kind, mayBeDone } = await failureOf(bench.im.createGroup(GROUP));
    assert.deepEqual(
      { errorCode, kind, mayBeDone },
      { errorCode: 10036, kind: 'final', mayBeDone: true },
    );
  });

  it('is that it does not exist when IM was not even asked', async () => {
    await using bench = await openBench();
    await breakDown(bench);
    assert.equal((await failureOf(bench.im.createGroup(GROUP))).mayBeDone, false);
  });
});

describe('Destroying a group', () => {
  it('succeeds when there is no such group', async () => {
    await using bench = await openBench();
    await bench.im.destroyGroup(GROUP);
    await bench.im.destroyGroup(GROUP);
    assert.deepEqual(bench.cloud.callsOf(GROUP), ['destroy_group', 'destroy_group']);
  });

  it('makes one attempt and leaves repeating to the caller', async () => {
    await using bench = await openBench({ imMode: 'http500' });
    await failureOf(bench.im.destroyGroup(GROUP));
    assert.equal(bench.cloud.calls.length, 1);
  });
});

describe('The verdict on a failure', () => {
  const verdicts = [
    ['retry', 'request', [10002, 10006, 10023, 60007, 60008, 60011, 60014, 60018, 60019]],
    ['retry', 'request', [70169, 70202, 70500, 90992, 90994, 90995, 91000]],
    ['final', 'group', [10015]],
    ['final', 'credentials', [60002, 60004, 60006, 60010, 60012, 60017, 60020, 60021]],
    ['final', 'credentials', [70001, 70003, 70009, 70016, 70020, 70050, 70107]],
    ['final', 'request', [10004, 10007, 10016, 10021, 10036, 10058, 11000, 60009, -5]],
  ] as const;
  for (const [kind, about, errorCodes] of verdicts) {
    it(`is ${kind} about the ${about} for ${errorCodes.join(', ')}`, async () => {
      await using bench = await openBench();
      for (const errorCode of errorCodes) {
        bench.cloud.imMode = { errorCode };
        const failure = await failureOf(bench.im.destroyGroup(GROUP));
        assert.deepEqual(verdictOf(failure), { kind, about, errorCode });
      }
    });
  }

  it('is final about the group when a notice finds none', async () => {
    await using bench = await openBench();
    const failure = await failureOf(notify(bench.im));
    assert.deepEqual(verdictOf(failure), { kind: 'final', about: 'group', errorCode: 10010 });
  });

  const unreadable: readonly CloudBehaviour[] = [
    'reset',
    'http500',
    'html',
    'huge',
    'redirect',
    ...['', '[]', 'null', '7', '{}', '{"ErrorCode":"0"}', '{"ErrorCode":0.5}', '{"ErrorCode":'].map(
      (body) => ({ status: 200, body }),
    ),
    { status: 404, body: '{"ErrorCode":0}' },
  ];
  for (const behaviour of unreadable) {
    it(`is to retry over the network for ${inspect(behaviour)}`, async () => {
      await using bench = await openBench({ imMode: behaviour });
      assert.deepEqual(verdictOf(await failureOf(bench.im.destroyGroup(GROUP))), unreachable);
      assert.equal(bench.cloud.calls.length, 1, 'No redirect was followed.');
    });
  }

  it('is to retry over the network when nobody listens', async () => {
    await using bench = await openBench();
    await bench.cloud.close();
    const failure = await failureOf(bench.im.destroyGroup(GROUP));
    assert.deepEqual(verdictOf(failure), unreachable);
    assert.match(failure.message, /ECONNREFUSED/);
  });

  it('never shows the userSig, whatever went wrong', async () => {
    await using bench = await openBench({ callLimitMs: 60 });
    const echo = { ErrorCode: 70003, ErrorInfo: `line one\nbad sig ${ADMIN_SIG.repeat(9)}` };
    const modes = ['reset', 'http500', 'huge', 'hang', JSON.stringify(echo)] as const;
    for (const mode of modes) {
      bench.cloud.imMode = mode.startsWith('{') ? { status: 200, body: mode } : (mode as 'reset');
      const failure = await failureOf(bench.im.destroyGroup(GROUP));
      const shown = inspect(failure, { depth: 9, showHidden: true }) + inspect(bench.warnings);
      assert.ok(!shown.includes(ADMIN_SIG.slice(0, 20)), shown);
      assert.ok(!failure.message.includes('\n'));
    }
  });
});

describe('Telling the members', () => {
  it('sends a custom message in the mode groupMessage', async () => {
    await using bench = await openBench({ notifyMode: 'groupMessage' });
    bench.cloud.groups.add(GROUP);
    await notify(bench.im, 'room:7:12');
    const random = createHash('sha256').update('room:7:12').digest().readUInt32BE(0);
    assert.deepEqual(bench.cloud.calls[0]?.body, {
      GroupId: GROUP,
      From_Account: 'admin',
      Random: random,
      MsgBody: [{ MsgType: 'TIMCustomElem', MsgContent: { Data: MESSAGE, Desc: '', Ext: '' } }],
    });
  });

  it('repeats a message under the same number, and another event under another', async () => {
    await using bench = await openBench({ notifyMode: 'groupMessage' });
    bench.cloud.groups.add(GROUP);
    for (const dedupeKey of ['event-1', 'event-1', 'event-2']) await notify(bench.im, dedupeKey);
    const [first, again, other] = bench.cloud.calls.map(({ body }) => body.Random);
    assert.equal(first, again);
    assert.notEqual(first, other);
  });

  it('counts a dropped message as a failure to retry', async () => {
    const body = '{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","MsgDropReason":"MsgFreqCtrl"}';
    await using bench = await openBench({
      notifyMode: 'groupMessage',
      imMode: { status: 200, body },
    });
    const failure = await failureOf(notify(bench.im));
    assert.deepEqual(verdictOf(failure), { kind: 'retry', about: 'request', errorCode: undefined });
    assert.match(failure.message, /MsgFreqCtrl/);
  });
});

describe('Choosing how to tell the members', () => {
  it('changes to messages by itself when notifications are refused for good, and says so once', async () => {
    await using bench = await openBench({
      imMode: ({ api }) => (api === 'send_group_system_notification' ? { errorCode: 10007 } : 'ok'),
    });
    bench.cloud.groups.add(GROUP);
    await Promise.all([notify(bench.im, 'a'), notify(bench.im, 'b')]);
    await notify(bench.im, 'c');
    assert.deepEqual(bench.cloud.callsOf(GROUP).toSorted(), [
      'send_group_msg',
      'send_group_msg',
      'send_group_msg',
      'send_group_system_notification',
      'send_group_system_notification',
    ]);
    assert.deepEqual(
      bench.warnings.map(({ event, fields }) => [event, fields.to, fields.errorCode]),
      [['im_notify_mode_changed', 'groupMessage', 10007]],
    );
  });

  it('stays with notifications when messages are refused too', async () => {
    await using bench = await openBench({ imMode: { errorCode: 10007 } });
    await failureOf(notify(bench.im));
    await failureOf(notify(bench.im));
    assert.deepEqual(bench.cloud.callsOf(GROUP), [
      'send_group_system_notification',
      'send_group_msg',
      'send_group_system_notification',
      'send_group_msg',
    ]);
    assert.deepEqual(bench.warnings, []);
  });

  for (const errorCode of [10010, 10015, 10004, 10016, 10002, 60007, 60010, 70001]) {
    it(`does not change the way over ${errorCode}`, async () => {
      await using bench = await openBench({ imMode: { errorCode } });
      await failureOf(notify(bench.im));
      assert.deepEqual(bench.cloud.callsOf(GROUP), ['send_group_system_notification']);
    });
  }

  it('changes to messages when the plan lacks notifications', async () => {
    await using bench = await openBench({
      imMode: (call) => (call.api === 'send_group_msg' ? 'ok' : { errorCode: 60020 }),
    });
    await bench.im.createGroup(GROUP).catch(() => undefined);
    bench.cloud.groups.add(GROUP);
    await notify(bench.im);
    assert.equal(bench.cloud.callsOf(GROUP).at(-1), 'send_group_msg');
  });

  it('does not change the way when told to stay', async () => {
    await using bench = await openBench({
      notifyMode: 'systemNotification',
      imMode: { errorCode: 10007 },
    });
    await failureOf(notify(bench.im));
    assert.deepEqual(bench.cloud.callsOf(GROUP), ['send_group_system_notification']);
  });

  it('keeps its time limit over both ways together', async () => {
    await using bench = await openBench({
      callLimitMs: 300,
      imMode: inTurn({ errorCode: 10007 }, 'hang'),
    });
    assert.deepEqual(verdictOf(await failureOf(notify(bench.im))), unreachable);
    assert.equal(bench.cloud.calls.length, 2);
  });
});

describe('While IM is down', () => {
  it('fails at once after five failures in a row, without asking', async () => {
    await using bench = await openBench();
    await breakDown(bench);
    const failures = await Promise.all([
      failureOf(bench.im.createGroup(GROUP)),
      failureOf(bench.im.destroyGroup(GROUP)),
      failureOf(notify(bench.im)),
    ]);
    assert.deepEqual(failures.map(verdictOf), [unreachable, unreachable, unreachable]);
    assert.equal(bench.cloud.calls.length, 0);
    assert.deepEqual(
      bench.warnings.map(({ event }) => event),
      ['im_unreachable', 'im_unreachable'],
    );
  });

  it('goes on making groups while only the rest fails, and the other way round', async () => {
    await using bench = await openBench();
    bench.cloud.imMode = ({ api }) => (api === 'create_group' ? 'ok' : 'http500');
    for (let calls = 0; calls < 8; calls += 1) await failureOf(bench.im.destroyGroup(GROUP));
    assert.equal(await bench.im.createGroup(GROUP), 'created');
    bench.cloud.imMode = ({ api }) => (api === 'create_group' ? 'http500' : 'ok');
    for (let calls = 0; calls < 8; calls += 1) await failureOf(bench.im.createGroup('other'));
    bench.clock.advance(1000);
    await bench.im.destroyGroup(GROUP);
  });

  it('asks again after a second and is back with the first answer', async () => {
    await using bench = await openBench();
    await breakDown(bench);
    bench.cloud.imMode = 'ok';
    bench.clock.advance(999);
    await failureOf(bench.im.createGroup(GROUP));
    assert.equal(bench.cloud.calls.length, 0);
    bench.clock.advance(1);
    assert.equal(await bench.im.createGroup(GROUP), 'created');
    await Promise.all([notify(bench.im), bench.im.createGroup('other')]);
    assert.equal(bench.cloud.calls.length, 3);
  });

  it('sends one call ahead to try, and nobody who creates a room waits for it', async () => {
    await using bench = await openBench();
    await breakDown(bench);
    bench.cloud.imMode = 'slow';
    bench.clock.advance(1000);
    const scout = bench.im.createGroup(GROUP);
    assert.deepEqual(verdictOf(await failureOf(bench.im.createGroup('other'))), unreachable);
    assert.equal(await scout, 'created');
    assert.equal(bench.cloud.calls.length, 1);
  });

  it('lets what runs in the background wait for the try and go on after it', async () => {
    await using bench = await openBench({ callLimitMs: 600 });
    bench.cloud.groups.add(GROUP);
    await breakDown(bench);
    bench.cloud.imMode = 'slow';
    bench.cloud.slowMs = 400;
    bench.clock.advance(1000);
    const scout = bench.im.destroyGroup('other');
    // Together they take longer than one call may: the wait is not part of it.
    await Promise.all([notify(bench.im), scout]);
    assert.deepEqual(
      bench.cloud.calls.map(({ api }) => api),
      ['destroy_group', 'send_group_system_notification'],
    );
  });

  it('refuses what waited for a try that hung, without asking for it too', async () => {
    await using bench = await openBench({ callLimitMs: 150 });
    await breakDown(bench);
    bench.cloud.imMode = 'hang';
    bench.clock.advance(1000);
    const failures = await Promise.all([
      failureOf(bench.im.destroyGroup('other')),
      failureOf(notify(bench.im)),
      failureOf(bench.im.destroyGroup(GROUP)),
    ]);
    assert.deepEqual(failures.map(verdictOf), [unreachable, unreachable, unreachable]);
    assert.deepEqual(
      failures.map(({ mayBeDone }) => mayBeDone),
      [true, false, false],
    );
    assert.equal(bench.cloud.calls.length, 1);
  });

  it('leaves the quiet connections after one of them hung', async () => {
    await using bench = await openBench({ callLimitMs: 200, imMode: 'slow' });
    await Promise.all(['r1', 'r2', 'r3'].map((groupID) => bench.im.createGroup(groupID)));
    assert.equal(bench.cloud.connectionCount, 3);
    bench.cloud.imMode = inTurn('hang');
    await failureOf(bench.im.destroyGroup('r1'));
    await bench.im.destroyGroup('r1');
    assert.equal(bench.cloud.connectionCount, 4);
  });

  it('does not take the failure of an earlier call for that of the try', async () => {
    await using bench = await openBench({ callLimitMs: 300, imMode: inTurn('hang') });
    const early = failureOf(bench.im.destroyGroup('early'));
    await bench.cloud.waitFor(({ calls }) => calls.length === 1);
    await delay(150);
    await breakDown(bench);
    bench.clock.advance(1000);
    bench.cloud.imMode = inTurn('hang');
    const scout = failureOf(bench.im.destroyGroup('scout'));
    assert.deepEqual(verdictOf(await early), unreachable);
    bench.clock.advance(1000);
    await failureOf(bench.im.destroyGroup('waiting'));
    await scout;
    assert.deepEqual(
      bench.cloud.calls.map(({ body }) => body.GroupId),
      ['scout'],
    );
  });

  it('takes a signature that cannot be made for no answer of IM', async () => {
    const signer = { fails: false };
    const adminSig = () => {
      if (signer.fails) throw new Error('There is no key to sign with.');
      return ADMIN_SIG;
    };
    await using bench = await openBench({ adminSig });
    await breakDown(bench);
    bench.clock.advance(1000);
    signer.fails = true;
    await assert.rejects(bench.im.destroyGroup(GROUP), /no key to sign with/);
    signer.fails = false;
    await failureOf(bench.im.destroyGroup(GROUP));
    await failureOf(bench.im.destroyGroup(GROUP));
    assert.equal(bench.cloud.calls.length, 1);
  });

  it('waits another second after a try that failed', async () => {
    await using bench = await openBench();
    await breakDown(bench);
    bench.clock.advance(1000);
    await failureOf(bench.im.destroyGroup(GROUP));
    bench.cloud.imMode = 'ok';
    await failureOf(bench.im.destroyGroup(GROUP));
    assert.equal(bench.cloud.calls.length, 1);
    bench.clock.advance(1000);
    await bench.im.destroyGroup(GROUP);
    assert.deepEqual(
      bench.warnings.map(({ event }) => event),
      ['im_unreachable', 'im_unreachable'],
    );
  });

  it('does not take refusals for an outage', async () => {
    await using bench = await openBench({ imMode: { errorCode: 10002 } });
    for (let calls = 0; calls < 8; calls += 1) await failureOf(bench.im.destroyGroup(GROUP));
    assert.equal(bench.cloud.calls.length, 8);
  });
});

describe('Hints on credentials', () => {
  it('come in plain words, at most once a minute for each code', async () => {
    await using bench = await openBench({ imMode: { errorCode: 70009 } });
    await failureOf(bench.im.createGroup(GROUP));
    await failureOf(notify(bench.im));
    bench.cloud.imMode = { errorCode: 60021 };
    await failureOf(bench.im.createGroup(GROUP));
    bench.clock.advance(60_000);
    await failureOf(bench.im.createGroup(GROUP));
    assert.deepEqual(
      bench.warnings.map(({ event, fields }) => [event, fields.errorCode]),
      [
        ['im_credentials_refused', 70009],
        ['im_credentials_refused', 60021],
        ['im_credentials_refused', 60021],
      ],
    );
    assert.match(String(bench.warnings[0]?.fields.hint), /im\.secretKey/);
    assert.match(String(bench.warnings[1]?.fields.hint), /allow-list/);
  });
});

describe('Closing', () => {
  it('ends a call that hangs', async () => {
    await using bench = await openBench({ imMode: 'hang' });
    const failure = failureOf(bench.im.destroyGroup(GROUP));
    await bench.cloud.waitFor(({ calls }) => calls.length === 1);
    await bench.im.close();
    assert.deepEqual(verdictOf(await failure), unreachable);
  });

  it('leaves no connection for a repeat or a later call', async () => {
    await using bench = await openBench({ imMode: 'hang' });
    const failure = failureOf(bench.im.createGroup(GROUP));
    await bench.cloud.waitFor(({ calls }) => calls.length === 1);
    await bench.im.close();
    await failure;
    assert.deepEqual(verdictOf(await failureOf(bench.im.destroyGroup(GROUP))), unreachable);
    assert.equal(bench.cloud.connectionCount, 1);
  });
});

describe('Groups without a cloud', () => {
  it('always succeed', async () => {
    const im = localImGroups();
    assert.equal(im.driver, 'local');
    assert.equal(await im.createGroup(GROUP), 'created');
    await notify(im);
    await im.destroyGroup(GROUP);
    await im.close();
  });
});

describe('The fake cloud', () => {
  it('refuses calls that do not have the form of IM calls', async () => {
    await using cloud = await startFakeCloud();
    const post = async (query: string, contentType = 'application/json') => {
      const url = `${cloud.url}/v4/group_open_http_svc/destroy_group?${query}`;
      const headers = { 'content-type': contentType };
      const response = await fetch(url, { method: 'POST', headers, body: '{"GroupId":"r1"}' });
      return ((await response.json()) as { ErrorCode: number }).ErrorCode;
    };
    const good = 'sdkappid=1&identifier=admin&usersig=s&random=4294967295&contenttype=json';
    assert.equal(await post(good), 10010);
    assert.equal(await post(good, 'application/x-www-form-urlencoded'), 60003);
    assert.equal(await post(good.replace('sdkappid=1', '')), 60012);
    assert.equal(await post(good.replace('identifier=admin', '')), 60004);
    assert.equal(await post(good.replace('usersig=s', '')), 60004);
    assert.equal(await post(good.replace('4294967295', '4294967296')), 60003);
    assert.equal(await post(good.replace('4294967295', '1f-2b')), 60003);
    assert.equal(await post(good.replace('contenttype=json', '')), 60003);
  });

  it('plays the live API and has no other paths', async () => {
    await using cloud = await startFakeCloud();
    const status = `${cloud.url}/common_access?interface=Live_Channel_GetStatus`;
    assert.deepEqual(await (await fetch(status)).json(), { ret: 0, output: [{ status: 1 }] });
    cloud.liveMode = { status: 200, body: '<html>' };
    assert.equal(await (await fetch(status)).text(), '<html>');
    assert.equal((await fetch(`${cloud.url}/nothing`)).status, 404);
  });

  it('names the calls so far when it waits in vain', async () => {
    await using bench = await openBench();
    await bench.im.createGroup(GROUP);
    await assert.rejects(
      bench.cloud.waitFor(({ calls }) => calls.length > 1, 10),
      new RegExp(`create_group ${GROUP}`),
    );
  });
});
