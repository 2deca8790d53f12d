import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { Clock } from '../logic/clock.ts';
import { ConfigCheck } from '../logic/config_check.ts';
import { localImGroups } from '../logic/im_mgr.ts';
import { openTencentIm } from '../logic/im_tencent.ts';
import type { Log } from '../logic/log.ts';
import { Secret } from '../logic/secret.ts';
import {
  type CloudBehaviour,
  type CloudMode,
  type FakeCloud,
  startFakeCloud,
} from './fake_cloud.ts';

const API_KEY = 'EXAMPLE_API_KEY';
const ADMIN_SIG = 'signature-of-the-administrator';
const RANDOM = '0123456789abcdef';
const GROUP = `check_${RANDOM}`;
const WARNINGS = ['admin.password is short.'];

const ALL_IS_WELL = { result: '检查正确', warnings: WARNINGS };
const LIVE_IS_WRONG = {
  appID: '请检查 server/config.js 文件 live.appID的填写是否正确',
  APIKey: '请检查 server/config.js 文件 live.APIKey的填写是否正确',
};

/** The moment of the known-good signature below. */
const standingClock: Clock = {
  nowMs: () => 1_700_000_000_999,
  monotonicMs: () => 0,
  sleep: () => Promise.reject(new Error('Nothing here sleeps.')),
};

interface Bench extends AsyncDisposable {
  readonly cloud: FakeCloud;
  readonly check: ConfigCheck;
  readonly logged: { readonly event: string; readonly error: unknown }[];
}

interface BenchOptions {
  readonly imDriver?: 'tencent' | 'local';
  readonly imMode?: CloudMode;
  readonly liveMode?: CloudMode;
  readonly appID?: number;
  readonly APIKey?: string;
  readonly adminSig?: () => string;
  readonly callLimitMs?: number;
}

async function openBench(options: BenchOptions = {}): Promise<Bench> {
  const { appID = 1250000000, APIKey = API_KEY, imDriver = 'tencent' } = options;
  const { adminSig = () => ADMIN_SIG, callLimitMs = 2000 } = options;
  const cloud = await startFakeCloud();
  cloud.imMode = options.imMode ?? 'ok';
  cloud.liveMode = options.liveMode ?? 'ok';
  const logged: Bench['logged'] = [];
  const log: Log = {
    info() {},
    warn() {},
    error: (event, error) => logged.push({ event, error }),
  };
  const clock = standingClock;
  const settings = {
    host: cloud.url,
    sdkAppID: 1400000000,
    administrator: 'admin',
    notifyMode: 'auto',
  } as const;
  const tencentIm = { settings, adminSig, log, clock, randomUint32: () => 7, callLimitMs };
  const im = imDriver === 'local' ? localImGroups() : openTencentIm(tencentIm);
  const check = new ConfigCheck({
    im,
    imDriver,
    live: { appID, APIKey: new Secret(APIKey), apiHost: cloud.url },
    warnings: WARNINGS,
    clock,
    log,
    randomHex: (bytes) => RANDOM.slice(0, bytes * 2),
    callLimitMs,
  });
  const close = async () => {
    await check.close();
    await im.close();
    await cloud.close();
  };
  return { cloud, check, logged, [Symbol.asyncDispose]: close };
}

const imCallsOf = ({ cloud }: Bench) => cloud.callsOf(GROUP);
const liveCallsOf = ({ cloud }: Bench) => cloud.calls.filter(({ api }) => api === 'common_access');

/** IM misbehaves in one command and is well in the others. */
const badAt =
  (api: string, behaviour: CloudBehaviour): CloudMode =>
  (call) =>
    call.api === api ? behaviour : 'ok';

describe('Checking a configuration that is right', () => {
  it('makes a random group, destroys it, and asks the live API after a random stream', async () => {
    await using bench = await openBench();
    assert.deepEqual(await bench.check.run(), ALL_IS_WELL);
    assert.deepEqual(imCallsOf(bench), ['create_group', 'destroy_group']);
    assert.equal(bench.cloud.groups.size, 0);
    assert.deepEqual(
      liveCallsOf(bench).map(({ method, query }) => ({ method, query })),
      [
        {
          method: 'GET',
          query: {
            appid: '1250000000',
            interface: 'Live_Channel_GetStatus',
            'Param.s.channel_id': `check_${RANDOM}`,
            t: '1700000300',
            sign: '6fd0a7fd9d81d4f2a52a1e0eca7eaf96',
          },
        },
      ],
    );
    assert.deepEqual(bench.logged, []);
  });

  it('asks no cloud that is not in use', async () => {
    await using bench = await openBench({ imDriver: 'local', appID: 0, APIKey: '' });
    assert.deepEqual(await bench.check.run(), ALL_IS_WELL);
    assert.deepEqual(bench.cloud.calls, []);
  });

  for (const half of [{ appID: 0 }, { APIKey: '' }]) {
    it(`leaves the live API alone with ${JSON.stringify(half)}`, async () => {
      await using bench = await openBench({ ...half, liveMode: 'html' });
      assert.deepEqual(await bench.check.run(), ALL_IS_WELL);
      assert.deepEqual(liveCallsOf(bench), []);
    });
  }

  it('does not destroy a group of somebody else', async () => {
    await using bench = await openBench();
    bench.cloud.foreignGroups.add(GROUP);
    assert.deepEqual(await bench.check.run(), ALL_IS_WELL);
    assert.deepEqual(imCallsOf(bench), ['create_group']);
  });
});

describe('Checking IM', () => {
  const findings: readonly [number, Readonly<Record<string, string>>][] = [
    [70020, { sdkAppID: '请检查，server/config.js im.sdkAppID的填写是否正确' }],
    [60010, { administrator: '请检查, server/config.js im.administrator的填写是否正确' }],
    [
      70009,
      {
        privateKey:
          '请检查, server/config.js im.privateKey的填写是否正确, private_key 文件名以及位置放置正确',
      },
    ],
  ];
  for (const [errorCode, im] of findings) {
    it(`names im.${Object.keys(im)} for the ErrorCode ${errorCode}`, async () => {
      await using bench = await openBench({ imMode: { errorCode } });
      const { doc, ...report } = await bench.check.run();
      assert.deepEqual(report, { result: '检查失败', im, warnings: WARNINGS });
      assert.match(doc ?? '', /docs\/configuration\.md/);
      assert.deepEqual(imCallsOf(bench), ['create_group'], 'No group came to exist.');
    });
  }

  for (const errorCode of [60020, 60021, 10036, 10007, 60011, 70050, 11000, 99999, -5]) {
    it(`names the ErrorCode ${errorCode} with a hint, and blames no key`, async () => {
      await using bench = await openBench({ imMode: { errorCode } });
      const { im } = await bench.check.run();
      assert.deepEqual(Object.keys(im ?? {}), ['other']);
      assert.match(im?.other ?? '', new RegExp(`ErrorCode ${errorCode}\\. [A-Z].{20,}\\.$`));
      assert.ok(!im?.other?.includes('refused with'), 'These are words of the cloud.');
    });
  }

  for (const behaviour of ['reset', 'html', 'http500', 'huge', 'redirect'] as const) {
    it(`destroys the group all the same when ${behaviour} hid how creating it ended`, async () => {
      await using bench = await openBench();
      bench.cloud.imMode = (call) => {
        if (call.api !== 'create_group') return 'ok';
        bench.cloud.groups.add(String(call.body.GroupId));
        return behaviour;
      };
      const { im } = await bench.check.run();
      assert.deepEqual(im, { other: 'Tencent IM gave no answer: check im.host.' });
      assert.equal(bench.cloud.groups.size, 0);
    });
  }

  it('gives up on an IM that hangs', async () => {
    await using bench = await openBench({ imMode: 'hang', callLimitMs: 60 });
    const { im } = await bench.check.run();
    assert.deepEqual(Object.keys(im ?? {}), ['other', 'group']);
    assert.deepEqual(imCallsOf(bench), ['create_group', 'destroy_group']);
  });

  for (const behaviour of ['reset', { errorCode: 10007 }] as const) {
    it(`reports and logs a group it could not destroy for ${inspect(behaviour)}`, async () => {
      await using bench = await openBench({ imMode: badAt('destroy_group', behaviour) });
      const { result, im } = await bench.check.run();
      assert.equal(result, '检查失败');
      assert.deepEqual(Object.keys(im ?? {}), ['group']);
      assert.ok(im?.group?.includes(GROUP));
      assert.deepEqual(
        bench.logged.map(({ event }) => event),
        ['im_check_group_not_destroyed'],
      );
    });
  }

  it('tells nothing of an exception, which the log has', async () => {
    const trouble = new Error('The PEM of the key starts with MIGHAgEAMBMGByqGSM49.');
    const adminSig = () => {
      throw trouble;
    };
    await using bench = await openBench({ adminSig });
    const { im } = await bench.check.run();
    assert.equal(im?.other, 'No test group was made: see the error log.');
    assert.deepEqual(bench.logged[0], { event: 'im_check_failed', error: trouble });
  });
});

describe('Checking the live API', () => {
  const answers = [
    '{"ret":0,"output":[{"status":1}]}',
    '{"ret":0,"output":[{"status":0}]}',
    '{"ret":0,"output":[]}',
    '{"ret":0}',
    '{"ret":20601,"errmsg":"no data"}',
    '{}',
  ];
  for (const body of answers) {
    it(`takes ${body} for a sign that we are known there`, async () => {
      await using bench = await openBench({ liveMode: { status: 200, body } });
      assert.deepEqual(await bench.check.run(), ALL_IS_WELL);
    });
  }

  const oddities: readonly CloudBehaviour[] = [
    'reset',
    'http500',
    'html',
    'huge',
    'redirect',
    ...['<html>', '', 'null', '7', '"ok"', '[]', '{"ret":'].map((body) => ({ status: 200, body })),
    { status: 500, body: '' },
  ];
  for (const liveMode of oddities) {
    it(`blames live.appID and live.APIKey for ${inspect(liveMode)}`, async () => {
      await using bench = await openBench({ liveMode });
      const { doc, ...report } = await bench.check.run();
      assert.deepEqual(report, { result: '检查失败', live: LIVE_IS_WRONG, warnings: WARNINGS });
      assert.match(doc ?? '', /docs\/configuration\.md/);
      assert.equal(liveCallsOf(bench).length, 1, 'No redirect was followed.');
    });
  }

  it('blames them when nobody answers in time, while IM is checked all the same', async () => {
    await using bench = await openBench({ liveMode: 'hang', callLimitMs: 500 });
    const running = bench.check.run();
    await bench.cloud.waitFor(
      ({ calls }) => calls.some(({ api }) => api === 'destroy_group') && calls.length === 3,
      450,
    );
    const { live, im } = await running;
    assert.deepEqual({ live, im }, { live: LIVE_IS_WRONG, im: undefined });
  });

  it('blames them when nobody listens', async () => {
    await using bench = await openBench({ imDriver: 'local' });
    await bench.cloud.close();
    assert.deepEqual((await bench.check.run()).live, LIVE_IS_WRONG);
  });
});

describe('Checking again and again', () => {
  it('gives all who ask at the same time one report, and those who ask later a new one', async () => {
    await using bench = await openBench({ imMode: 'slow', liveMode: 'slow' });
    const reports = await Promise.all([1, 2, 3].map(() => bench.check.run()));
    assert.equal(new Set(reports).size, 1);
    assert.equal(bench.cloud.calls.length, 3);
    assert.deepEqual(await bench.check.run(), ALL_IS_WELL);
    assert.equal(bench.cloud.calls.length, 6);
  });

  it('reports both clouds together', async () => {
    await using bench = await openBench({ imMode: { errorCode: 60010 }, liveMode: 'html' });
    const { live, im } = await bench.check.run();
    assert.deepEqual(live, LIVE_IS_WRONG);
    assert.deepEqual(Object.keys(im ?? {}), ['administrator']);
  });

  it('shows no key and no signature, whatever went wrong', async () => {
    const modes: readonly CloudBehaviour[] = [
      'reset',
      'hang',
      'huge',
      'html',
      { errorCode: 70003 },
    ];
    for (const mode of modes) {
      await using bench = await openBench({ imMode: mode, liveMode: mode, callLimitMs: 60 });
      const report = await bench.check.run();
      const shown = inspect([report, bench.logged], { depth: 9, showHidden: true });
      for (const secret of [API_KEY, ADMIN_SIG, '6fd0a7fd9d81d4f2a52a1e0eca7eaf96'])
        assert.ok(!shown.includes(secret), shown);
    }
  });
});

describe('Closing a check', () => {
  it('waits for the check in hand, so that its group is destroyed', async () => {
    await using bench = await openBench({ imMode: 'slow', liveMode: 'hang' });
    const running = bench.check.run();
    await bench.cloud.waitFor(({ calls }) => calls.length === 2);
    await bench.check.close();
    assert.deepEqual(imCallsOf(bench), ['create_group', 'destroy_group']);
    assert.deepEqual((await running).live, LIVE_IS_WRONG);
  });
});
