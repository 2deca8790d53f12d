import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { Log, LogFields } from '../logic/log.ts';
import { Secret } from '../logic/secret.ts';
import { openWechat, userIDOfOpenID, type Wechat } from '../logic/wechat.ts';
import {
  type CloudBehaviour,
  type CloudMode,
  type FakeCloud,
  startFakeCloud,
} from './fake_cloud.ts';

const OPEN_ID = 'oGZUI0egBJY1zhBYw2KhdUfwVJJE';
const APP_SECRET = 'wx-app-secret-0123456789abcdef';
const CODE = '033MBv0w3Jk9dY2ioe2w3mTLe43MBv0L';

interface Bench extends AsyncDisposable {
  readonly cloud: FakeCloud;
  readonly wechat: Wechat;
  readonly warnings: { readonly event: string; readonly fields: LogFields }[];
}

async function openBench(
  options: { readonly wechatMode?: CloudMode; readonly callLimitMs?: number } = {},
): Promise<Bench> {
  const cloud = await startFakeCloud();
  cloud.codes.set(CODE, OPEN_ID);
  cloud.wechatMode = options.wechatMode ?? 'ok';
  const warnings: Bench['warnings'] = [];
  const log: Log = {
    info() {},
    warn: (event, fields = {}) => warnings.push({ event, fields }),
    error() {},
  };
  const wechat = openWechat({
    settings: { appId: 'wx1234567890', appSecret: new Secret(APP_SECRET), host: cloud.url },
    log,
    callLimitMs: options.callLimitMs ?? 2000,
  });
  const close = async () => {
    await wechat.close();
    await cloud.close();
  };
  return { cloud, wechat, warnings, [Symbol.asyncDispose]: close };
}

describe('Asking WeChat for an openid', () => {
  it('exchanges a login code with the request of the contract', async () => {
    await using bench = await openBench();
    assert.equal(await bench.wechat.fetchOpenID(CODE), OPEN_ID);
    assert.deepEqual(
      bench.cloud.calls.map(({ method, path, query }) => ({ method, path, query })),
      [
        {
          method: 'GET',
          path: '/sns/jscode2session',
          query: {
            appid: 'wx1234567890',
            secret: APP_SECRET,
            js_code: CODE,
            grant_type: 'authorization_code',
          },
        },
      ],
    );
    assert.deepEqual(bench.warnings, []);
  });

  it('takes errcode 0 for success as well as none', async () => {
    const body = JSON.stringify({ errcode: 0, errmsg: 'ok', openid: OPEN_ID, session_key: 's' });
    await using bench = await openBench({ wechatMode: { status: 200, body } });
    assert.equal(await bench.wechat.fetchOpenID(CODE), OPEN_ID);
  });

  it('refuses an unknown code and one used before, naming the errcode', async () => {
    await using bench = await openBench();
    assert.equal(await bench.wechat.fetchOpenID('unknown-code'), undefined);
    await bench.wechat.fetchOpenID(CODE);
    assert.equal(await bench.wechat.fetchOpenID(CODE), undefined);
    assert.deepEqual(
      bench.warnings.map(({ event, fields }) => [event, fields.errcode]),
      [
        ['wechat_login_refused', 40029],
        ['wechat_login_refused', 40163],
      ],
    );
  });

  it('repeats once when WeChat is busy, and not twice', async () => {
    const busyOnce: CloudBehaviour[] = [{ errorCode: -1 }];
    await using bench = await openBench({ wechatMode: () => busyOnce.shift() ?? 'ok' });
    assert.equal(await bench.wechat.fetchOpenID(CODE), OPEN_ID);
    assert.equal(bench.cloud.calls.length, 2);

    bench.cloud.forgetCalls();
    bench.cloud.wechatMode = { errorCode: -1 };
    assert.equal(await bench.wechat.fetchOpenID(CODE), undefined);
    assert.equal(bench.cloud.calls.length, 2);
  });
});

describe('Asking a WeChat that is not well', () => {
  const odd: readonly CloudBehaviour[] = [
    'reset',
    'http500',
    'html',
    'huge',
    'redirect',
    ...[
      '',
      'null',
      '{}',
      '{"openid":7}',
      '{"openid":""}',
      '{"openid":"a b\\nc-and-more"}',
      '{"errcode":"0","openid":"oGZUI0egBJY1zhBYw2KhdUfwVJJE"}',
    ].map((body) => ({ status: 200, body })),
  ];
  for (const behaviour of odd) {
    it(`gives nobody, after one question, for ${inspect(behaviour)}`, async () => {
      await using bench = await openBench({ wechatMode: behaviour });
      assert.equal(await bench.wechat.fetchOpenID(CODE), undefined);
      assert.equal(bench.cloud.calls.length, 1);
      assert.deepEqual(
        bench.warnings.map(({ event }) => event),
        ['wechat_unreachable'],
      );
    });
  }

  it('gives up at its time limit', async () => {
    await using bench = await openBench({ wechatMode: 'hang', callLimitMs: 50 });
    assert.equal(await bench.wechat.fetchOpenID(CODE), undefined);
    assert.deepEqual(bench.warnings, [
      { event: 'wechat_unreachable', fields: { trouble: 'no answer in time' } },
    ]);
  });
});

describe('Asking WeChat carefully', () => {
  for (const code of ['', ' ', 'a\nb', 'é', 'x'.repeat(257)]) {
    it(`does not trouble WeChat with the code ${JSON.stringify(code.slice(0, 5))}`, async () => {
      await using bench = await openBench();
      assert.equal(await bench.wechat.fetchOpenID(code), undefined);
      assert.equal(bench.cloud.calls.length, 0);
      assert.equal(bench.warnings.length, 1);
    });
  }

  it('logs neither secret nor code nor session key', async () => {
    await using bench = await openBench({ callLimitMs: 50 });
    const modes: CloudBehaviour[] = ['reset', 'hang', 'huge', { errorCode: 40125 }];
    modes.push({ status: 200, body: '{"session_key":"the-session-key"}' });
    for (const mode of modes) {
      bench.cloud.wechatMode = mode;
      await bench.wechat.fetchOpenID(CODE);
    }
    assert.equal(bench.warnings.length, modes.length);
    const shown = inspect(bench.warnings, { depth: 9, showHidden: true });
    for (const secret of [APP_SECRET, CODE, 'the-session-key']) assert.ok(!shown.includes(secret));
  });
});

describe('The user id of an openid', () => {
  it('is stable, opaque and fits every client', () => {
    const userID = userIDOfOpenID({ openID: OPEN_ID, key: 'k1' });
    assert.equal(userID, userIDOfOpenID({ openID: OPEN_ID, key: 'k1' }));
    assert.match(userID, /^user_[0-9a-f]{18}$/);
    assert.match(userID, /^[A-Za-z][A-Za-z0-9_-]{3,31}$/);
  });

  it('differs by openid and by key', () => {
    const ids = [
      userIDOfOpenID({ openID: OPEN_ID, key: 'k1' }),
      userIDOfOpenID({ openID: OPEN_ID, key: 'k2' }),
      userIDOfOpenID({ openID: `${OPEN_ID}x`, key: 'k1' }),
    ];
    assert.equal(new Set(ids).size, 3);
  });
});
