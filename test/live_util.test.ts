import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import type { Clock } from '../logic/clock.ts';
import { type LiveSettings, LiveUtil, txSecretOf, txTimeOf } from '../logic/live_util.ts';
import { Secret } from '../logic/secret.ts';
import { LIVE_VECTORS } from './vectors.ts';

const { nowMs: NOW_MS, validTimeMs } = LIVE_VECTORS;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STREAM = '8525_alice_9f3c';
const PUSH_HOST = '8525.livepush.myqcloud.com';
const PLAY_HOST = '8525.liveplay.myqcloud.com';

/** Any code units, also halves of pairs. */
const anyText = fc
  .uint16Array({ maxLength: 60, size: 'medium' })
  .map((units) => String.fromCharCode(...units));

describe('the formulas', () => {
  it('write the end of a signature in upper-case hex seconds', () => {
    assert.equal(txTimeOf({ signedAtMs: NOW_MS, validTimeMs }), LIVE_VECTORS.txTime);
    assert.equal(txTimeOf({ signedAtMs: NOW_MS + 999, validTimeMs }), LIVE_VECTORS.txTime);
    assert.equal(txTimeOf({ signedAtMs: NOW_MS + 1000, validTimeMs }), '655D2B81');
  });

  it('sign as the examples of the cloud do, push and play', () => {
    const push = { key: new Secret('e12c46f2612d5106e2034781ab261ca3'), streamID: 'test' };
    const play = { key: new Secret('ngoeiq03'), streamID: 'test01' };
    assert.equal(txSecretOf({ ...push, txTime: '5C271099' }), 'f85a2ab363fe4deaffef9754d79da6fe');
    assert.equal(txSecretOf({ ...play, txTime: '5C01D608' }), 'ce797dc6238156d548ef945e6ad1ea20');
  });

  for (const { streamID, md5Input, txSecret } of LIVE_VECTORS.urls) {
    it(`sign ${md5Input}`, () => {
      const key = new Secret('EXAMPLE_PUSH_KEY');
      assert.equal(txSecretOf({ key, streamID, txTime: LIVE_VECTORS.txTime }), txSecret);
    });
  }
});

describe('URLs of a stream', () => {
  for (const vector of LIVE_VECTORS.urls) {
    it(`accelerate and play ${vector.streamID}`, () => {
      const { live } = newLive();
      const { streamID } = vector;
      assert.equal(live.accelerateURL({ streamID, signedAtMs: NOW_MS }), vector.accelerateURL);
      assert.equal(live.mixedPlayURL(streamID), vector.mixedPlayURL);
    });
  }

  for (const vector of LIVE_VECTORS.urls) {
    const match = /^8525_(.+)_([0-9a-f]{4})$/.exec(vector.streamID);
    if (match === null) continue;
    const [, userID = '', random = ''] = match;
    it(`push ${vector.streamID} for ${userID}`, () => {
      const { live } = newLive({}, [random]);
      assert.equal(live.newPushURL({ userID }), vector.pushURL);
    });
  }

  it('are empty for a stream that is not known', () => {
    const { live } = newLive({ playKey: new Secret('ngoeiq03') });
    assert.equal(live.mixedPlayURL(''), '');
    assert.equal(live.accelerateURL({ streamID: '', signedAtMs: NOW_MS }), '');
  });

  it('carry no signature without keys, and no prefix without a bizid', () => {
    const bare = { bizid: 0, pushSecretKey: new Secret('') };
    const { live } = newLive(bare, ['9f3c']);
    assert.equal(live.newPushURL({ userID: 'alice' }), `rtmp://${PUSH_HOST}/live/alice_9f3c`);
    assert.equal(
      live.accelerateURL({ streamID: 'alice_9f3c', signedAtMs: NOW_MS }),
      `rtmp://${PLAY_HOST}/live/alice_9f3c`,
    );
    assert.equal(live.testAccelerateURL(), `rtmp://${PLAY_HOST}/live/testclock_rtmpacc`);
  });

  it('name the bizid even unsigned, and sign without one', () => {
    const unsigned = newLive({ pushSecretKey: new Secret('') }, ['9f3c']).live;
    assert.equal(
      unsigned.newPushURL({ userID: 'alice' }),
      `rtmp://${PUSH_HOST}/live/8525_alice_9f3c?bizid=8525`,
    );
    const modern = newLive({ bizid: 0 }, ['9f3c']).live;
    const txSecret = txSecretOf({
      key: new Secret('EXAMPLE_PUSH_KEY'),
      streamID: 'alice_9f3c',
      txTime: '655D2B80',
    });
    assert.equal(
      modern.newPushURL({ userID: 'alice' }),
      `rtmp://${PUSH_HOST}/live/alice_9f3c?txSecret=${txSecret}&txTime=655D2B80`,
    );
  });

  it('keep hosts with ports and put IPv6 addresses in brackets', () => {
    const hosts = { pushHost: '[::1]:1935', playHost: '::1', accelerateHost: '127.0.0.1:1935' };
    const { live } = newLive({ ...hosts, bizid: 0, pushSecretKey: new Secret('') }, ['9f3c']);
    const pushURL = live.newPushURL({ userID: 'a' });
    assert.equal(pushURL, 'rtmp://[::1]:1935/live/a_9f3c');
    assert.equal(live.readPushURL(pushURL)?.streamID, 'a_9f3c');
    assert.equal(live.mixedPlayURL('a_9f3c'), 'https://[::1]/live/a_9f3c.flv');
    const accelerateURL = live.accelerateURL({ streamID: 'a_9f3c', signedAtMs: NOW_MS });
    assert.equal(accelerateURL, 'rtmp://127.0.0.1:1935/live/a_9f3c');
  });

  it('show no key when printed with all around them', () => {
    const { live } = newLive({ playKey: new Secret('ngoeiq03') });
    const shown = inspect(live, { depth: 10, showHidden: true });
    assert.ok(!/EXAMPLE_PUSH_KEY|ngoeiq03/.test(shown));
  });
});

describe('a play URL with a play key', () => {
  const playKey = new Secret('ngoeiq03');

  it('is signed for at least the valid time, over the name without its extension', () => {
    const { live, clock } = newLive({ playKey, playScheme: 'http' });
    const endsAtS = Math.ceil(clock.nowMs() / HOUR_MS) * 3600 + validTimeMs / 1000;
    const txTime = endsAtS.toString(16).toUpperCase();
    const txSecret = txSecretOf({ key: playKey, streamID: STREAM, txTime });
    assert.equal(
      live.mixedPlayURL(STREAM),
      `http://${PLAY_HOST}/live/${STREAM}.flv?txSecret=${txSecret}&txTime=${txTime}`,
    );
  });

  it('stays the same within an hour, so that no player restarts', () => {
    const { live, clock } = newLive({ playKey });
    clock.set(Math.ceil(NOW_MS / HOUR_MS) * HOUR_MS + 1);
    const first = live.mixedPlayURL(STREAM);
    clock.advance(HOUR_MS - 1);
    assert.equal(live.mixedPlayURL(STREAM), first);
    clock.advance(1);
    assert.notEqual(live.mixedPlayURL(STREAM), first);
  });
});

describe('an accelerate URL', () => {
  const accelerate = (live: LiveUtil) =>
    live.accelerateURL({ streamID: STREAM, signedAtMs: NOW_MS });

  it('keeps its signature until a day of it is left', () => {
    const { live, clock } = newLive();
    const first = accelerate(live);
    clock.advance(validTimeMs - DAY_MS);
    assert.equal(accelerate(live), first);
    clock.advance(1);
    assert.notEqual(accelerate(live), first);
  });

  it('is signed anew as of the coming full hour, over and over', () => {
    const { live, clock } = newLive();
    for (const elapsedMs of [validTimeMs - DAY_MS + 1, validTimeMs, 10 * validTimeMs]) {
      clock.set(NOW_MS + elapsedMs);
      const signedAtMs = Math.ceil(clock.nowMs() / HOUR_MS) * HOUR_MS;
      assert.equal(endOf(accelerate(live)), signedAtMs + validTimeMs);
      assert.equal(accelerate(live), accelerate(newLive({}, [], clock).live));
    }
  });

  it('changes once an hour at most when it is renewed', () => {
    const { live, clock } = newLive();
    clock.set(Math.ceil((NOW_MS + validTimeMs) / HOUR_MS) * HOUR_MS + 1);
    const urls = new Set<string>();
    for (let minute = 0; minute < 120; minute += 1) {
      urls.add(accelerate(live));
      clock.advance(60_000);
    }
    assert.equal(urls.size, 2);
  });

  it('is not worn from the start when signatures live shorter than two days', () => {
    const { live, clock } = newLive({ validTimeMs: 60_000 });
    const first = accelerate(live);
    assert.equal(endOf(first), NOW_MS + 60_000);
    clock.advance(30_000);
    assert.equal(accelerate(live), first);
    clock.advance(1_000);
    const leftMs = endOf(accelerate(live)) - clock.nowMs();
    assert.ok(leftMs >= 60_000 && leftMs <= 90_000, `${leftMs} ms are left`);
  });

  it('is never one of another stream or another time', () => {
    const { live } = newLive();
    const urls = [STREAM, '8525_bob_1d2e'].flatMap((streamID) =>
      [NOW_MS, NOW_MS + 1000].map((signedAtMs) => live.accelerateURL({ streamID, signedAtMs })),
    );
    assert.equal(new Set([...urls, accelerate(live)]).size, 4);
  });

  it('needs signatures that live at all', () => {
    assert.throws(() => newLive({ validTimeMs: 0 }), /validTimeMs must be above 0, got 0/);
  });
});

describe('the name of a new stream', () => {
  const { live } = newLive({}, () => '9f3c');
  const nameFor = (userID: string) => live.readPushURL(live.newPushURL({ userID }))?.streamID;

  it('keeps a clean id as it is', () => {
    assert.equal(nameFor('user_58ba64d6_92ae'), '8525_user_58ba64d6_92ae_9f3c');
    assert.equal(nameFor('x'.repeat(36)), `8525_${'x'.repeat(36)}_9f3c`);
  });

  it('replaces what would cut the URL, and stays distinct', () => {
    const ids = ['a.b', 'a/b', 'a?b', 'a&b', 'a#b', 'a b', 'a%2e', 'a\nb', 'a房b', 'a_b', '', '..'];
    ids.push('x'.repeat(37), `${'x'.repeat(36)}y`, 'x'.repeat(36));
    const names = ids.map(nameFor);
    assert.equal(new Set(names).size, ids.length);
    assert.match(String(nameFor('x'.repeat(37))), /^8525_x{36}_[0-9a-f]{8}_9f3c$/);
    assert.match(String(names[0]), /^8525_a_b_[0-9a-f]{8}_9f3c$/);
  });

  it('is readable, ours and at most 64 long for every id', () => {
    fc.assert(
      fc.property(anyText, (userID) => {
        const stream = live.readPushURL(live.newPushURL({ userID }));
        assert.ok(stream?.isOurs);
        assert.ok(stream.streamID.length <= 64);
      }),
      { numRuns: 100, seed: 2_018 },
    );
  });

  it('differs from call to call', () => {
    const two = newLive({}, ['9f3c', '1d2e']).live;
    assert.notEqual(two.newPushURL({ userID: 'a' }), two.newPushURL({ userID: 'a' }));
  });
});

describe('reading a push URL', () => {
  const { live } = newLive();

  for (const { url, streamID, subID } of LIVE_VECTORS.parse) {
    it(`finds ${streamID ?? 'nothing'} in ${url === '' ? 'an empty text' : url}`, () => {
      const stream = live.readPushURL(url);
      assert.equal(stream?.streamID ?? null, streamID);
      assert.equal(stream?.isOurs ?? false, subID !== undefined);
    });
  }

  it('gives the URL back without its query', () => {
    for (const { pushURL, streamID } of LIVE_VECTORS.urls) {
      const bareURL = `rtmp://${PUSH_HOST}/live/${streamID}`;
      assert.deepEqual(live.readPushURL(pushURL), { streamID, isOurs: true, bareURL });
    }
  });

  it('takes the schemes of pushing, hosts with ports, and any path', () => {
    for (const start of [
      'rtmps://h:443/live',
      'webrtc://h/live',
      'RTMP://H/live',
      'rtmp://[::1]:1935/a/b/c',
      'rtmp://h',
      'rtmp://h//live/',
    ]) {
      const bareURL = `${start}/8525_a`;
      const stream = live.readPushURL(`${bareURL}?x=/a.b/c?d#e`);
      assert.deepEqual(stream, { streamID: '8525_a', isOurs: true, bareURL });
    }
  });

  it('counts only a whole prefix with a name after it as ours', () => {
    const isOurs = (name: string) => live.readPushURL(`rtmp://h/live/${name}`)?.isOurs;
    assert.deepEqual(['8525_a', '8525_', '8525', '85255_a', '18525_a', 'a_8525_b'].map(isOurs), [
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    const modern = newLive({ bizid: 0 }).live;
    assert.equal(modern.readPushURL('rtmp://h/live/anything')?.isOurs, true);
  });
});

describe('a push URL', () => {
  const { live } = newLive();

  it('is refused when it does not look like one', () => {
    const refused = [
      'http://8525.liveplay.myqcloud.com/live/8525_alice_9f3c.flv',
      'http://h/live/8525_a',
      'srt://h/live/8525_a',
      'rtmp:/h/live/8525_a',
      'rtmp://8525_a',
      'rtmp:///8525_a',
      ' rtmp://h/live/8525_a',
      'xrtmp://h/live/8525_a',
      'rtmp://user:pass@h/live/8525_a',
      'rtmp://h\\@evil/live/8525_a',
      'rtmp://h/live/8525_a#b',
      'rtmp://h/live/x#y/8525_a',
      'rtmp://h/live/8525_a/',
      'rtmp://h/live/8525_%41',
      'rtmp://h/live/8525_房',
      'rtmp://h/live/8525_a&x=1',
      'rtmp://h/live/8525_a\n?x=1',
      'rtmp://h/live/8525_a?x=\0',
      'rtmp://h/live/8525_a?x= 1',
      'rtmp://h/live/8525_a?x=\u2028',
      'javascript:alert(1)//rtmp://h/live/8525_a',
      `rtmp://h/live/${'a'.repeat(129)}`,
      `rtmp://h/live/8525_a?${'x'.repeat(1_024)}`,
    ];
    for (const url of refused) assert.equal(live.readPushURL(url), undefined, url);
  });

  it('may have a name of 128 and a length of 1,024 characters', () => {
    const name = 'a'.repeat(128);
    assert.equal(live.readPushURL(`rtmp://h/live/${name}`)?.streamID, name);
    assert.equal(live.readPushURL('rtmp://h/live/a?'.padEnd(1_024, 'x'))?.streamID, 'a');
    assert.equal(live.readPushURL('rtmp://h/live/a?'.padEnd(1_025, 'x')), undefined);
  });

  it('never throws, and has only names that every client reads the same way', () => {
    const part = fc.constantFrom('rtmp://', 'webrtc://', 'h', '/', 'live', '?', '#', '.', '8525_a');
    const almost = fc.array(fc.oneof(part, fc.string())).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(almost, anyText), (url) => {
        const stream = live.readPushURL(url);
        if (stream === undefined) return;
        const [head = ''] = url.split('?');
        const clientsName = head.slice(head.lastIndexOf('/') + 1).split('.')[0];
        assert.equal(stream.streamID, clientsName);
        assert.equal(stream.bareURL, head);
      }),
      { numRuns: 1_000, seed: 2_018 },
    );
  });
});

describe('the test URLs', () => {
  const { play } = LIVE_VECTORS;

  it('all name the same new stream', () => {
    const { live } = newLive({}, ['58ba64d6', '92ae']);
    const urls = live.testURLs();
    assert.deepEqual(urls, {
      url_push: play.acc.replace('liveplay', 'livepush'),
      url_play_flv: play.flv,
      url_play_rtmp: play.rtmp,
      url_play_hls: play.hls,
      url_play_acc: play.acc,
    });
  });

  it('are signed for playing too when there is a play key', () => {
    const { live } = newLive({ playKey: new Secret('ngoeiq03') }, ['58ba64d6', '92ae']);
    const urls = live.testURLs();
    const query = /\?txSecret=[0-9a-f]{32}&txTime=[0-9A-F]{8}$/;
    for (const url of [urls.url_play_flv, urls.url_play_rtmp, urls.url_play_hls]) {
      assert.match(url, query);
    }
    assert.equal(urls.url_play_acc, play.acc, 'this one has the push signature');
  });

  it('play RTMP where RTMP is played, when that is not the HTTP host', () => {
    const hosts = { playHost: 'h:8080', accelerateHost: 'h:1935' };
    const urls = newLive(hosts, ['58ba64d6', '92ae']).live.testURLs();
    assert.match(urls.url_play_flv, /^http:\/\/h:8080\//);
    assert.match(urls.url_play_rtmp, /^rtmp:\/\/h:1935\//);
    assert.match(urls.url_play_acc, /^rtmp:\/\/h:1935\//);
  });

  it('include the running clock', () => {
    const clockVector = LIVE_VECTORS.urls.find(({ streamID }) => streamID.includes('testclock'));
    assert.equal(newLive().live.testAccelerateURL(), clockVector?.accelerateURL);
  });
});

interface TestClock extends Clock {
  advance(ms: number): void;
  set(ms: number): void;
}

function newClock(): TestClock {
  let nowMs = NOW_MS;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => Promise.reject(new Error('Nothing here sleeps.')),
    advance: (ms) => {
      nowMs += ms;
    },
    set: (ms) => {
      nowMs = ms;
    },
  };
}

/** `random` is what the generator gives, one after another; each of the length asked for. */
function newLive(
  settings: Partial<LiveSettings> = {},
  random: readonly string[] | (() => string) = [],
  clock: TestClock = newClock(),
): { live: LiveUtil; clock: TestClock } {
  const left = typeof random === 'function' ? [] : [...random];
  const next = typeof random === 'function' ? random : () => left.shift() ?? '';
  const live = new LiveUtil({
    clock,
    randomHex: (bytes) => {
      const hex = next();
      assert.equal(hex.length, bytes * 2, 'as many random bytes as the test has ready');
      return hex;
    },
    settings: {
      bizid: 8525,
      pushSecretKey: new Secret('EXAMPLE_PUSH_KEY'),
      playKey: new Secret(''),
      validTimeMs,
      pushHost: PUSH_HOST,
      playHost: PLAY_HOST,
      playScheme: 'https',
      accelerateHost: PLAY_HOST,
      ...settings,
    },
  });
  return { live, clock };
}

function endOf(url: string): number {
  const txTime = /txTime=([0-9A-F]+)$/.exec(url)?.[1] ?? '';
  return Number.parseInt(txTime, 16) * 1000;
}
