import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { inspect, isDeepStrictEqual } from 'node:util';
import { deflateSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import type { Clock } from '../logic/clock.ts';
import { Secret } from '../logic/secret.ts';
import {
  type SigRefusal,
  USER_SIG_LIFE_MAX_MS,
  type UserSigKeys,
  UserSigs,
} from '../logic/user_sig.ts';
import { PACKAGE_VECTORS, USER_SIG_VECTORS } from './vectors.ts';

const NOW_S = 1_700_000_000;
const DAY_MS = 86_400_000;
const APP = 1_400_000_000;
const SECRET = 'EXAMPLE_SECRET_KEY';

describe('userSigs made elsewhere', () => {
  const v1Checks: readonly {
    name: Exclude<keyof typeof USER_SIG_VECTORS.v1, 'canonical'>;
    key?: 'ecPublicKey';
    userID?: string;
    refusal?: SigRefusal;
  }[] = [
    { name: 'ok' },
    { name: 'javaStyleEc', key: 'ecPublicKey' },
    { name: 'expired', refusal: 'expired' },
    { name: 'otherUser', refusal: 'other_user' },
    { name: 'wrongApp', refusal: 'other_app' },
    { name: 'tamperedExpiry', refusal: 'bad_signature' },
    { name: 'issuedInFuture', refusal: 'not_yet_valid' },
    {
      name: 'newlineIdentifier',
      userID: 'alice\nTLS.sdk_appid:1400000000',
      refusal: 'malformed',
    },
  ];
  for (const { name, key = 'rsaPublicKey', userID = 'alice', refusal } of v1Checks) {
    it(`are judged: v1 ${name} is ${refusal ?? 'good'}`, async () => {
      const sigs = newSigs({ publicKey: USER_SIG_VECTORS[key] });
      const verdict = await sigs.verify({ userSig: USER_SIG_VECTORS.v1[name], userID });
      assert.deepEqual(verdict, refusal ? refused(refusal) : good(NOW_S + 2_592_000));
    });
  }

  it('are judged: v2 good and expired', async () => {
    const sigs = newSigs({ secretKey: new Secret(SECRET) });
    const { ok, expired } = USER_SIG_VECTORS.v2;
    assert.deepEqual(await sigs.verify({ userSig: ok, userID: 'alice' }), good(NOW_S + 86_400));
    assert.deepEqual(await sigs.verify({ userSig: expired, userID: 'alice' }), refused('expired'));
  });

  it('count by what they say, not by how they are compressed', async () => {
    const sigs = newSigs({ secretKey: new Secret(SECRET) });
    const userSig = escaped(deflateSync(` ${USER_SIG_VECTORS.v2.json}\n`, { level: 0 }));
    assert.deepEqual(await sigs.verify({ userSig, userID: 'alice' }), good(NOW_S + 86_400));
  });

  it('may hold a room ticket, which is signed too', async () => {
    const sigs = newSigs({ secretKey: new Secret(SECRET) });
    const { hmac, userbuf } = USER_SIG_VECTORS.roomTicket;
    const ticket = { ...v2Fields({ 'TLS.expire': 3600 }), 'TLS.userbuf': userbuf };
    const verdictOf = (document: object) =>
      sigs.verify({ userSig: packed({ ...document, 'TLS.sig': hmac }), userID: 'alice' });
    assert.deepEqual(await verdictOf(ticket), { ...good(NOW_S + 3600), isRoomTicket: true });
    const without = { ...ticket, 'TLS.userbuf': undefined };
    assert.deepEqual(await verdictOf(without), refused('bad_signature'));
    const other = { ...ticket, 'TLS.userbuf': userbuf.replace('A', 'B') };
    assert.deepEqual(await verdictOf(other), refused('bad_signature'));
    assert.deepEqual(await verdictOf({ ...ticket, 'TLS.userbuf': 5 }), refused('malformed'));
  });

  it('are the same as the package makes, plain and with either kind of ticket', async () => {
    const { secretKey, userID, timeS, expireS, plain, room, stringRoom } = PACKAGE_VECTORS;
    const sigs = newSigs({ secretKey: new Secret(secretKey) }, timeS);
    for (const { sig, ...userbuf } of [
      plain,
      { sig: room.sig, 'TLS.userbuf': room.userbuf },
      { sig: stringRoom.sig, 'TLS.userbuf': stringRoom.userbuf },
    ]) {
      const fields = { 'TLS.identifier': userID, 'TLS.time': timeS, 'TLS.expire': expireS };
      const userSig = packed({ ...v2Fields(fields), ...userbuf, 'TLS.sig': sig });
      const isTicket = 'TLS.userbuf' in userbuf;
      const wanted = { ...good(timeS + expireS), ...(isTicket ? { isRoomTicket: true } : {}) };
      assert.deepEqual(await sigs.verify({ userSig, userID }), wanted);
    }
  });
});

describe('signing v2', () => {
  it('writes what the package writes', (t) => {
    const sigs = newSigs({ secretKey: new Secret(SECRET) });
    const userSig = atWallTime(t, NOW_S, () => sigs.sign({ userID: 'alice', expireMs: DAY_MS }));
    assert.deepEqual(unpacked(userSig), JSON.parse(USER_SIG_VECTORS.v2.json));
    assert.match(userSig, /^[A-Za-z0-9*_-]+$/);
  });

  it('gives sigs that verify, for the administrator as for anyone', async (t) => {
    const sigs = newSigs({ secretKey: new Secret(SECRET) });
    for (const userID of ['alice', 'admin', 'a b.c:d', 'x'.repeat(64)]) {
      const userSig = atWallTime(t, NOW_S, () => sigs.sign({ userID, expireMs: DAY_MS }));
      assert.deepEqual(await sigs.verify({ userSig, userID }), good(NOW_S + 86_400));
    }
  });

  it('wins over v1 when both keys are there, and both are verified', async (t) => {
    const { privateKey } = newEcKeys();
    const secretKey = new Secret(SECRET);
    const v1 = newSigs({ privateKey: secretPem(privateKey) });
    const both = newSigs({ secretKey, privateKey: secretPem(privateKey) });
    const request = { userID: 'alice', expireMs: DAY_MS };
    const userSig = atWallTime(t, NOW_S, () => both.sign(request));
    assert.equal(unpacked(userSig)['TLS.ver'], '2.0');
    for (const each of [userSig, v1.sign(request)]) {
      const verdict = await both.verify({ userSig: each, userID: 'alice' });
      assert.deepEqual(verdict, good(NOW_S + 86_400));
    }
  });
});

describe('signing v1', () => {
  it('covers the six lines in their order, with an RSA key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const sigs = newSigs({ privateKey: secretPem(privateKey) });
    const userSig = sigs.sign({ userID: 'alice', expireMs: 30 * DAY_MS });
    const expected = sign('sha256', Buffer.from(USER_SIG_VECTORS.v1.canonical), privateKey);
    assert.deepEqual(unpacked(userSig), {
      ...v1Fields(),
      'TLS.sig': expected.toString('base64'),
    });
    const reader = newSigs({ publicKey: pemOf(publicKey) });
    const verdict = await reader.verify({ userSig, userID: 'alice' });
    assert.deepEqual(verdict, good(NOW_S + 2_592_000));
  });

  it('works with an EC key, whose public half it finds itself', async () => {
    const { privateKey } = newEcKeys();
    const sigs = newSigs({ privateKey: secretPem(privateKey) });
    const userSig = sigs.sign({ userID: 'alice', expireMs: DAY_MS });
    assert.deepEqual(await sigs.verify({ userSig, userID: 'alice' }), good(NOW_S + 86_400));
    assert.deepEqual(await sigs.verify({ userSig, userID: 'bob' }), refused('other_user'));
  });

  it('states account type 0 when the app has none', () => {
    const sigs = newSigs({ privateKey: secretPem(newEcKeys().privateKey), accountType: '' });
    const userSig = sigs.sign({ userID: 'alice', expireMs: DAY_MS });
    assert.equal(unpacked(userSig)['TLS.account_type'], '0');
  });

  it('needs no configured account type to accept any', async () => {
    const { privateKey } = newEcKeys();
    const sigs = newSigs({ privateKey: secretPem(privateKey), accountType: '' });
    const userSig = newV1Sig({ 'TLS.account_type': '777' }, privateKey);
    assert.equal((await sigs.verify({ userSig, userID: 'alice' })).ok, true);
  });
});

describe('a userSig asked for again', () => {
  const request = { userID: 'alice', expireMs: 1_000_000 };

  it('is the same within the first tenth of its life, and a new one after', () => {
    const clock = newClock(NOW_S);
    const sigs = newSigs({ privateKey: secretPem(newEcKeys().privateKey) }, clock);
    const first = sigs.sign(request);
    clock.advance(99_999);
    assert.equal(sigs.sign(request), first);
    clock.advance(1);
    const second = sigs.sign(request);
    assert.equal(unpacked(second)['TLS.time'], String(NOW_S + 100));
    assert.equal(sigs.sign(request), second);
  });

  it('is a new one when the clock was set back', () => {
    const clock = newClock(NOW_S);
    const sigs = newSigs({ privateKey: secretPem(newEcKeys().privateKey) }, clock);
    sigs.sign(request);
    clock.advance(-5_000);
    assert.equal(unpacked(sigs.sign(request))['TLS.time'], String(NOW_S - 5));
  });

  it('is never that of another user or of another life', () => {
    const sigs = newSigs({ privateKey: secretPem(newEcKeys().privateKey) });
    sigs.sign(request);
    assert.equal(unpacked(sigs.sign({ ...request, userID: 'bob' }))['TLS.identifier'], 'bob');
    const longer = unpacked(sigs.sign({ ...request, expireMs: 2_000_000 }));
    assert.equal(longer['TLS.expire_after'], '2000');
  });
});

describe('signing refuses', () => {
  const sigs = newSigs({ secretKey: new Secret(SECRET) });

  it('ids with control characters, foreign letters, no or too many characters', () => {
    const ids = [
      USER_SIG_VECTORS.attackerUserID,
      'a\n',
      'a\r',
      'a\0b',
      'a\x7f',
      '\u0085',
      'ü',
      '房间',
      '',
      'x'.repeat(65),
    ];
    for (const userID of ids) {
      assert.throws(() => sigs.sign({ userID, expireMs: DAY_MS }), /userID must be 1 to 64/);
    }
  });

  it('lives that are none, or longer than the longest', () => {
    for (const expireMs of [
      0,
      -1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      USER_SIG_LIFE_MAX_MS + 1,
    ]) {
      assert.throws(() => sigs.sign({ userID: 'alice', expireMs }), /expireMs must be above 0/);
    }
  });

  it('to do without a key, naming both settings', () => {
    const reader = newSigs({ publicKey: USER_SIG_VECTORS.rsaPublicKey });
    for (const keyless of [newSigs({}), reader]) {
      assert.throws(
        () => keyless.sign({ userID: 'alice', expireMs: DAY_MS }),
        /im\.secretKey nor im\.privateKey/,
      );
    }
  });

  it('nothing of a fraction of a second: it becomes a whole one', (t) => {
    const userSig = atWallTime(t, NOW_S, () => sigs.sign({ userID: 'alice', expireMs: 500 }));
    assert.equal(unpacked(userSig)['TLS.expire'], 1);
  });
});

describe('a genuine v1 sig', () => {
  const { privateKey } = newEcKeys();
  const sigs = newSigs({ privateKey: secretPem(privateKey) });
  const verdictOf = (fields: Fields) =>
    sigs.verify({ userSig: newV1Sig(fields, privateKey), userID: 'alice' });

  const refusals: readonly (readonly [SigRefusal, Fields])[] = [
    ['other_app', { 'TLS.sdk_appid': '1400000001' }],
    ['other_app', { 'TLS.sdk_appid': '01400000000' }],
    ['other_user', { 'TLS.identifier': 'Alice' }],
    ['other_account_type', { 'TLS.account_type': '54321' }],
    ['malformed', { 'TLS.identifier': '' }],
    ['malformed', { 'TLS.identifier': ['alice'] }],
    ['malformed', { 'TLS.sdk_appid': APP }],
    ['malformed', { 'TLS.time': NOW_S }],
    ['malformed', { 'TLS.time': '17e8' }],
    ['malformed', { 'TLS.time': ' 1700000000' }],
    ['malformed', { 'TLS.time': '-1' }],
    ['malformed', { 'TLS.time': '1'.repeat(13) }],
    ['malformed', { 'TLS.expire_after': '+60' }],
    ['malformed', { 'TLS.expire_after': '0' }],
    ['malformed', { 'TLS.expire_after': '' }],
    ['malformed', { 'TLS.expire_after': '60\nTLS.x:1' }],
    ['malformed', { 'TLS.ver': '1.0' }],
    ['malformed', { 'TLS.ver': null }],
    ['malformed', { 'TLS.ver': '2.0' }],
  ];
  for (const [reason, fields] of refusals) {
    it(`is ${reason} with ${JSON.stringify(fields)}`, async () => {
      assert.deepEqual(await verdictOf(fields), refused(reason));
    });
  }

  it('may carry the zeros of the Java servers and unsigned fields of its own', async () => {
    const fields = { 'TLS.account_type': '0', 'TLS.appid_at_3rd': '0', 'TLS.version': '2015' };
    assert.deepEqual(await verdictOf(fields), good(NOW_S + 2_592_000));
  });

  for (const name of Object.keys(v1Fields())) {
    it(`is malformed without ${name}, with a number or a control character in it`, async () => {
      for (const value of [undefined, null, 7, true, {}, 'a\0', '1\n', '\u009f', '\ud800']) {
        assert.deepEqual(await verdictOf({ [name]: value }), refused('malformed'));
      }
    });
  }
});

describe('the life of a sig', () => {
  const { privateKey } = newEcKeys();
  const verdictAt = (nowS: number, fields: Fields) =>
    newSigs({ privateKey: secretPem(privateKey) }, nowS).verify({
      userSig: newV1Sig(fields, privateKey),
      userID: 'alice',
    });

  it('is a sum of numbers and ends at its very second', async () => {
    const fields = { 'TLS.time': '1700000000', 'TLS.expire_after': '60' };
    assert.deepEqual(await verdictAt(NOW_S + 59.999, fields), good(NOW_S + 60));
    assert.deepEqual(await verdictAt(NOW_S + 60, fields), refused('expired'));
  });

  it('may start five minutes ahead of our clock, not later', async () => {
    assert.equal((await verdictAt(NOW_S - 300, {})).ok, true);
    assert.deepEqual(await verdictAt(NOW_S - 301, {}), refused('not_yet_valid'));
  });

  it('may last 180 days, not longer', async () => {
    const lifeS = USER_SIG_LIFE_MAX_MS / 1000;
    const longest = await verdictAt(NOW_S, { 'TLS.expire_after': String(lifeS) });
    assert.deepEqual(longest, good(NOW_S + lifeS));
    for (const expireAfter of [String(lifeS + 1), '315360000', '999999999999']) {
      const verdict = await verdictAt(NOW_S, { 'TLS.expire_after': expireAfter });
      assert.deepEqual(verdict, refused('life_too_long'));
    }
  });
});

describe('a genuine v2 sig', () => {
  const sigs = newSigs({ secretKey: new Secret(SECRET) });
  const verdictOf = (fields: Fields) =>
    sigs.verify({ userSig: newV2Sig(fields, SECRET), userID: 'alice' });

  const refusals: readonly (readonly [SigRefusal, Fields])[] = [
    ['other_app', { 'TLS.sdkappid': APP + 1 }],
    ['other_user', { 'TLS.identifier': 'bob' }],
    ['expired', { 'TLS.time': NOW_S - 86_400 }],
    ['not_yet_valid', { 'TLS.time': NOW_S + 301 }],
    ['life_too_long', { 'TLS.expire': 15_552_001 }],
    ['malformed', { 'TLS.sdkappid': String(APP) }],
    ['malformed', { 'TLS.time': String(NOW_S) }],
    ['malformed', { 'TLS.time': NOW_S + 0.5 }],
    ['malformed', { 'TLS.time': -NOW_S }],
    ['malformed', { 'TLS.time': 1e300 }],
    ['malformed', { 'TLS.expire': 0 }],
    ['malformed', { 'TLS.expire': null }],
    ['malformed', { 'TLS.identifier': 'alice\nTLS.sdkappid:1' }],
    ['malformed', { 'TLS.ver': '3.0' }],
    ['malformed', { 'TLS.ver': 2 }],
    ['malformed', { 'TLS.ver': undefined }],
    ['malformed', { 'TLS.userbuf': 'AA\nTLS.x:1' }],
  ];
  for (const [reason, fields] of refusals) {
    it(`is ${reason} with ${JSON.stringify(fields)}`, async () => {
      assert.deepEqual(await verdictOf(fields), refused(reason));
    });
  }

  it('passes as it is', async () => {
    assert.deepEqual(await verdictOf({}), good(NOW_S + 86_400));
  });
});

describe('a signature', () => {
  const v2 = newSigs({ secretKey: new Secret(SECRET) });

  it('made with another key is bad, v1 and v2', async () => {
    const v1 = newSigs({ privateKey: secretPem(newEcKeys().privateKey) });
    const forgedV1 = newV1Sig({}, newEcKeys().privateKey);
    const rsa = USER_SIG_VECTORS.v1.ok;
    for (const userSig of [forgedV1, rsa]) {
      assert.deepEqual(await v1.verify({ userSig, userID: 'alice' }), refused('bad_signature'));
    }
    const forgedV2 = newV2Sig({}, 'ANOTHER_KEY');
    const verdict = await v2.verify({ userSig: forgedV2, userID: 'alice' });
    assert.deepEqual(verdict, refused('bad_signature'));
  });

  it('that is cut short, too long or no base64 is never good', async () => {
    const { hmac } = USER_SIG_VECTORS.v2;
    const verdictOf = (sig: unknown) =>
      v2.verify({ userSig: packed({ ...v2Fields(), 'TLS.sig': sig }), userID: 'alice' });
    for (const sig of [hmac.slice(0, 40), `${hmac.slice(0, -1)}AAAA`, 'AA==']) {
      assert.deepEqual(await verdictOf(sig), refused('bad_signature'));
    }
    for (const sig of [undefined, null, 5, '', [hmac], 'not base64', `${hmac}\n`]) {
      assert.deepEqual(await verdictOf(sig), refused('malformed'));
    }
  });

  it('is not judged without the key of its version', async () => {
    const { privateKey } = newEcKeys();
    const v1 = newSigs({ privateKey: secretPem(privateKey) });
    const request = { userSig: newV2Sig({}, SECRET), userID: 'alice' };
    assert.deepEqual(await v1.verify(request), refused('no_key'));
    const other = { userSig: newV1Sig({}, privateKey), userID: 'alice' };
    assert.deepEqual(await v2.verify(other), refused('no_key'));
    assert.deepEqual(await newSigs({}).verify(request), refused('no_key'));
  });

  it('cannot be made with the public key as if that were a secret', async () => {
    const { privateKey, publicKey } = newEcKeys();
    const sigs = newSigs({ privateKey: secretPem(privateKey), secretKey: new Secret(SECRET) });
    const userSig = newV2Sig({}, pemOf(publicKey));
    const verdict = await sigs.verify({ userSig, userID: 'alice' });
    assert.deepEqual(verdict, refused('bad_signature'));
  });

  it('over a crafted id cannot be cut again into one of the administrator', async () => {
    const { privateKey } = newEcKeys();
    const sigs = newSigs({ privateKey: secretPem(privateKey) });
    const bought = v1Fields({ 'TLS.identifier': USER_SIG_VECTORS.attackerUserID });
    const rest = 'TLS.sdk_appid:1400000000\nTLS.time:1700000000\nTLS.expire_after:2592000';
    const forged = v1Fields({
      'TLS.identifier': 'admin',
      'TLS.expire_after': `999999999999\n${rest}`,
    });
    assert.equal(linesOf(forged), linesOf(bought), 'the two texts are one, so is the signature');
    const userSig = newV1Sig(forged, privateKey);
    assert.deepEqual(await sigs.verify({ userSig, userID: 'admin' }), refused('malformed'));
  });
});

describe('what is no userSig', () => {
  const { privateKey } = newEcKeys();
  const sigs = newSigs({ privateKey: secretPem(privateKey), secretKey: new Secret(SECRET) });
  const verdictOf = (userSig: string) => sigs.verify({ userSig, userID: 'alice' });

  it('is malformed, whatever its shape', async () => {
    const { ok } = USER_SIG_VECTORS.v2;
    const shapes = [
      '',
      'AAAA',
      '____',
      '*',
      ok.slice(0, -8),
      ok.slice(8),
      `${ok}=`,
      `${ok} `,
      ok.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '='),
      escaped(Buffer.from(USER_SIG_VECTORS.v2.json)),
      escaped(deflateSync('')),
      escaped(deflateSync('{')),
      ...[null, 5, 'text', true, [], [1], {}].map(packed),
      packed({ ...v2Fields(), 'TLS.identifier': { toString: 1, valueOf: 1 } }),
      packed({ ...v1Fields(), 'TLS.time': { toString: 1 } }),
      packed({ ...v2Fields(), 'TLS.userbuf': { toString: 1 } }),
      escaped(deflateSync('['.repeat(8_000))),
      escaped(deflateSync('{"__proto__":{"TLS.ver":"2.0"}}')),
    ];
    for (const shape of shapes) assert.deepEqual(await verdictOf(shape), refused('malformed'));
  });

  it('is malformed when it is long, or long once inflated', async () => {
    const bomb = escaped(deflateSync(Buffer.alloc(3_000_000)));
    assert.ok(bomb.length <= 4_096, 'the bomb must pass as short');
    assert.deepEqual(await verdictOf(bomb), refused('malformed'));
    const genuine = unpacked(newV2Sig({}, SECRET));
    const padded = (bytes: number) => escaped(deflateSync(JSON.stringify(genuine).padEnd(bytes)));
    assert.deepEqual(await verdictOf(padded(8_192)), good(NOW_S + 86_400));
    assert.deepEqual(await verdictOf(padded(8_193)), refused('malformed'));
    const stored = (bytes: number) =>
      escaped(deflateSync(JSON.stringify(genuine).padEnd(bytes), { level: 0 }));
    assert.deepEqual(
      [3_061, 3_062].map((bytes) => stored(bytes).length),
      [4_096, 4_100],
    );
    assert.deepEqual(await verdictOf(stored(3_061)), good(NOW_S + 86_400));
    assert.deepEqual(await verdictOf(stored(3_062)), refused('malformed'));
  });
});

describe('random text and random documents', () => {
  it('never pass and never make it throw', async () => {
    const { privateKey } = newEcKeys();
    const sigs = newSigs({ privateKey: secretPem(privateKey), secretKey: new Secret(SECRET) });
    const strangeText = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[A-Za-z0-9*-]{0,200}_{0,2}$/),
      fc.uint8Array().map((bytes) => escaped(Buffer.from(bytes))),
      fc.uint8Array().map((bytes) => escaped(deflateSync(bytes))),
      fc.json().map((text) => escaped(deflateSync(text))),
    );
    const names = [...Object.keys(v1Fields()), ...Object.keys(v2Fields()), 'TLS.sig'];
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('alice', '2.0', String(APP), APP, NOW_S),
    );
    const strangeDocument = fc.dictionary(fc.constantFrom(...names), value).map(packed);
    await fc.assert(
      fc.asyncProperty(fc.oneof(strangeText, strangeDocument), async (userSig) => {
        assert.equal((await sigs.verify({ userSig, userID: 'alice' })).ok, false);
      }),
      { numRuns: 500, seed: 2_018 },
    );
  });
});

describe('a userSig with one character changed', () => {
  it('passes only where it still says the same', async () => {
    const { privateKey } = newEcKeys();
    const sigs = newSigs({ privateKey: secretPem(privateKey), secretKey: new Secret(SECRET) });
    const originals = [newV1Sig({}, privateKey), newV2Sig({}, SECRET)];
    const change = fc.record({
      original: fc.constantFrom(...originals),
      at: fc.nat(),
      to: fc.stringMatching(/^[A-Za-z0-9*_-]$/),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ original, at, to }) => {
        const index = at % original.length;
        const userSig = original.slice(0, index) + to + original.slice(index + 1);
        const { ok } = await sigs.verify({ userSig, userID: 'alice' });
        if (ok) assert.ok(isDeepStrictEqual(unpacked(userSig), unpacked(original)));
      }),
      { numRuns: 500, seed: 2_018 },
    );
  });

  it('does not pass when the change is within what it says', async () => {
    const { privateKey } = newEcKeys();
    const sigs = newSigs({ privateKey: secretPem(privateKey), secretKey: new Secret(SECRET) });
    const originals = [newV1Sig({}, privateKey), newV2Sig({}, SECRET)].map(unpacked);
    for (const original of originals) {
      const { 'TLS.sig': _, ...fields } = original;
      for (const [name, value] of Object.entries(fields)) {
        const changed = typeof value === 'number' ? value + 1 : `${value}1`;
        const userSig = packed({ ...original, [name]: changed });
        const { ok } = await sigs.verify({ userSig, userID: 'alice' });
        assert.equal(ok, false, name);
      }
    }
  });
});

describe('the PEM of a key', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = newEcKeys();
  const shapes: Readonly<Record<string, string>> = {
    'RSA PKCS#1': pemOf(rsa.privateKey, 'pkcs1'),
    'RSA PKCS#8': pemOf(rsa.privateKey, 'pkcs8'),
    'EC SEC1': pemOf(ec.privateKey, 'sec1'),
    'EC PKCS#8': pemOf(ec.privateKey, 'pkcs8'),
  };
  for (const [name, pem] of Object.entries(shapes)) {
    it(`may be ${name}, with any line ends, also written out`, async () => {
      const bent = [
        pem,
        pem.replaceAll('\n', '\r\n'),
        pem.replaceAll('\n', '\\n'),
        pem.replaceAll('\n', '\\r\\n'),
        `\n  ${pem}\n\n`,
      ];
      for (const privateKey of bent.map((text) => new Secret(text))) {
        const sigs = newSigs({ privateKey });
        const userSig = sigs.sign({ userID: 'alice', expireMs: DAY_MS });
        assert.equal((await sigs.verify({ userSig, userID: 'alice' })).ok, true);
      }
    });
  }

  it('may be given for the public half too, plain or secret, in both forms', async () => {
    const userSig = newV1Sig({}, rsa.privateKey);
    const forms = [pemOf(rsa.publicKey), pemOf(rsa.publicKey, 'pkcs1')];
    for (const form of [...forms, ...forms.map((text) => text.replaceAll('\n', '\\n'))]) {
      for (const publicKey of [form, new Secret(form)]) {
        const sigs = newSigs({ publicKey, privateKey: secretPem(rsa.privateKey) });
        assert.equal((await sigs.verify({ userSig, userID: 'alice' })).ok, true);
      }
    }
  });

  it('may be blank, which is no key', async () => {
    const sigs = newSigs({ privateKey: new Secret(' \n'), publicKey: new Secret('') });
    const verdict = await sigs.verify({ userSig: USER_SIG_VECTORS.v1.ok, userID: 'alice' });
    assert.deepEqual(verdict, refused('no_key'));
  });
});

describe('a key that cannot be used', () => {
  const ec = newEcKeys();

  it('stops with the name of its setting and nothing of its text', () => {
    const body = pemOf(ec.privateKey).split('\n')[1] ?? '';
    const broken = ['hello', body, pemOf(ec.privateKey).replace(body, body.slice(0, 20))];
    for (const pem of broken) {
      const errors = [
        errorOf(() => newSigs({ privateKey: new Secret(pem) })),
        errorOf(() => newSigs({ publicKey: pem })),
      ];
      assert.deepEqual(
        errors.map((error) => error.message.split(' ')[0]),
        ['im.privateKey', 'im.publicKey'],
      );
      for (const error of errors) assert.ok(!inspect(error).includes(pem.slice(0, 20)));
    }
  });

  it('is one with a passphrase, of another kind, or a public one for signing', () => {
    const ed25519 = generateKeyPairSync('ed25519');
    const encrypted = ec.privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    });
    for (const pem of [String(encrypted), pemOf(ed25519.privateKey), pemOf(ec.publicKey)]) {
      assert.throws(
        () => newSigs({ privateKey: new Secret(pem) }),
        /^Error: im\.privateKey must be/,
      );
    }
    assert.throws(() => newSigs({ publicKey: pemOf(ed25519.publicKey) }), /got ed25519/);
  });

  it('is a public key of another pair', () => {
    const keys = { privateKey: secretPem(ec.privateKey), publicKey: pemOf(newEcKeys().publicKey) };
    assert.throws(() => newSigs(keys), /im\.publicKey must belong to im\.privateKey/);
  });

  it('is never shown by printing what holds it', () => {
    const keys = { privateKey: secretPem(ec.privateKey), secretKey: new Secret(SECRET) };
    const shown = inspect(newSigs(keys), { depth: 10, showHidden: true });
    assert.ok(!shown.includes(SECRET) && !shown.includes('PRIVATE KEY'));
  });
});

it('knows the administrator of the app by the exact id', () => {
  const sigs = newSigs({});
  assert.deepEqual(
    ['admin', 'Admin', 'admin ', ''].map((userID) => sigs.isAdministrator(userID)),
    [true, false, false, false],
  );
});

type Fields = Readonly<Record<string, unknown>>;

interface TestClock extends Clock {
  advance(ms: number): void;
}

function newClock(startS: number): TestClock {
  let nowMs = startS * 1000;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => Promise.reject(new Error('Nothing here sleeps.')),
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

function newSigs(keys: Partial<UserSigKeys>, clock: number | Clock = NOW_S): UserSigs {
  const none = new Secret('');
  return new UserSigs({
    clock: typeof clock === 'number' ? newClock(clock) : clock,
    keys: {
      sdkAppID: APP,
      accountType: '12345',
      administrator: 'admin',
      secretKey: none,
      privateKey: none,
      publicKey: '',
      ...keys,
    },
  });
}

/** The v2 package asks `Date` itself. Only for work that does not wait: the process shares `Date`. */
function atWallTime<T>(t: TestContext, nowS: number, act: () => T): T {
  const { mock } = t.mock.method(Date, 'now', () => nowS * 1000);
  try {
    return act();
  } finally {
    mock.restore();
  }
}

function newEcKeys(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function pemOf(key: KeyObject, type?: 'pkcs1' | 'pkcs8' | 'sec1'): string {
  if (key.type === 'public') {
    return String(key.export({ type: type === 'pkcs1' ? 'pkcs1' : 'spki', format: 'pem' }));
  }
  return String(key.export({ type: type ?? 'pkcs8', format: 'pem' }));
}

function secretPem(key: KeyObject): Secret {
  return new Secret(pemOf(key));
}

function good(expiresAtS: number): object {
  return { ok: true, expiresAtMs: expiresAtS * 1000 };
}

function refused(reason: SigRefusal): object {
  return { ok: false, reason };
}

function v1Fields(fields: Fields = {}): Fields {
  return {
    'TLS.appid_at_3rd': String(APP),
    'TLS.account_type': '12345',
    'TLS.identifier': 'alice',
    'TLS.sdk_appid': String(APP),
    'TLS.time': String(NOW_S),
    'TLS.expire_after': '2592000',
    ...fields,
  };
}

function v2Fields(fields: Fields = {}): Fields {
  return {
    'TLS.ver': '2.0',
    'TLS.identifier': 'alice',
    'TLS.sdkappid': APP,
    'TLS.time': NOW_S,
    'TLS.expire': 86_400,
    ...fields,
  };
}

/** Signs anything, as a careless server would. */
function newV1Sig(fields: Fields, privateKey: KeyObject): string {
  const document = v1Fields(fields);
  const signature = sign('sha256', Buffer.from(linesOf(document)), privateKey);
  return packed({ ...document, 'TLS.sig': signature.toString('base64') });
}

function newV2Sig(fields: Fields, secretKey: string): string {
  const document = v2Fields(fields);
  const hmac = createHmac('sha256', secretKey).update(linesOf(document)).digest('base64');
  return packed({ ...document, 'TLS.sig': hmac });
}

function linesOf(document: Fields): string {
  const signed = Object.entries(document).filter(([name]) => !name.startsWith('TLS.ver'));
  return signed.map(([name, value]) => `${name}:${value}\n`).join('');
}

function packed(document: unknown): string {
  return escaped(deflateSync(JSON.stringify(document)));
}

function escaped(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '*').replaceAll('/', '-').replaceAll('=', '_');
}

function unpacked(userSig: string): Fields {
  const base64 = userSig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  return JSON.parse(inflateSync(Buffer.from(base64, 'base64')).toString());
}

function errorOf(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('It was expected to throw an Error.');
}
