import assert from 'node:assert/strict';
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  verify as verifySignature,
} from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { Secret } from '../logic/secret.ts';
import { USER_SIG_LIFE_MAX_MS, type UserSigKeys, UserSigs } from '../logic/user_sig.ts';
import { startTestApp, TravelClock } from './support.ts';
import { PACKAGE_VECTORS, USER_SIG_VECTORS } from './vectors.ts';

const NOW_S = 1_700_000_000;
const HOUR_MS = 3_600_000;
const APP = 1_400_000_000;
const SECRET = 'EXAMPLE_SECRET_KEY';
const ALICE = { userID: 'alice', roomNumber: 1001, privileges: 255, expireMs: HOUR_MS };
const ALICE_USERBUF_HEX = '000005616c69636553724e00000003e96553ff10000000ff00000000';

describe('a privateMapKey of version 2', () => {
  it('is what the known answers say', (t) => {
    const { userbuf, hmac } = USER_SIG_VECTORS.roomTicket;
    assert.deepEqual(unpacked(madeAt(t, NOW_S, newSigs({ secretKey: new Secret(SECRET) }))), {
      'TLS.ver': '2.0',
      'TLS.identifier': 'alice',
      'TLS.sdkappid': APP,
      'TLS.time': NOW_S,
      'TLS.expire': 3600,
      'TLS.userbuf': userbuf,
      'TLS.sig': hmac,
    });
    assert.equal(Buffer.from(userbuf, 'base64').toString('hex'), ALICE_USERBUF_HEX);
  });

  it('is what the demonstration of the package says', (t) => {
    const { secretKey, userID, timeS, expireS, room } = PACKAGE_VECTORS;
    const sigs = newSigs({ secretKey: new Secret(secretKey) });
    const ticket = { userID, roomNumber: 10_000, privileges: 255, expireMs: expireS * 1000 };
    const document = unpacked(madeAt(t, timeS, sigs, ticket));
    assert.equal(document['TLS.userbuf'], room.userbuf);
    assert.equal(document['TLS.sig'], room.sig);
  });

  it('is preferred where there are keys of both versions', () => {
    const { privateKey } = newEcKeys();
    const sigs = newSigs({ secretKey: new Secret(SECRET), privateKey: secretPem(privateKey) });
    assert.equal(unpacked(sigs.signPrivateMapKey(ALICE))['TLS.ver'], '2.0');
  });

  it('is made anew each time, because it says when it ends', (t) => {
    const sigs = newSigs({ secretKey: new Secret(SECRET) });
    const ends = [0, 1, 60].map((laterS) => {
      const ticket = ticketOf(madeAt(t, NOW_S + laterS, sigs));
      return ticket.endsAtS;
    });
    assert.deepEqual(ends, [NOW_S + 3600, NOW_S + 3601, NOW_S + 3660]);
  });
});

describe('a privateMapKey of version 1', () => {
  const kinds: Readonly<Record<string, () => { privateKey: KeyObject }>> = {
    RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    EC: newEcKeys,
  };
  for (const [name, newKeys] of Object.entries(kinds)) {
    it(`is signed with the ${name} key over seven lines, with zeros for accounts`, () => {
      const { privateKey } = newKeys();
      const sigs = newSigs({ privateKey: secretPem(privateKey) });
      const { 'TLS.sig': signature, ...document } = unpacked(sigs.signPrivateMapKey(ALICE));
      assert.deepEqual(document, {
        'TLS.appid_at_3rd': '0',
        'TLS.account_type': '0',
        'TLS.identifier': 'alice',
        'TLS.sdk_appid': String(APP),
        'TLS.time': String(NOW_S),
        'TLS.expire_after': '3600',
        'TLS.userbuf': USER_SIG_VECTORS.roomTicket.userbuf,
      });
      const signed = Buffer.from(
        'TLS.appid_at_3rd:0\nTLS.account_type:0\nTLS.identifier:alice\n' +
          `TLS.sdk_appid:${APP}\nTLS.time:${NOW_S}\nTLS.expire_after:3600\n` +
          `TLS.userbuf:${USER_SIG_VECTORS.roomTicket.userbuf}\n`,
      );
      const bytes = Buffer.from(String(signature), 'base64');
      assert.ok(verifySignature('sha256', signed, createPublicKey(privateKey), bytes));
    });
  }

  it('ends by the calendar of the service', () => {
    const sigs = newSigs({ privateKey: secretPem(newEcKeys().privateKey) }, NOW_S + 7.9);
    const { issuedAtS, lifeS, endsAtS } = ticketOf(sigs.signPrivateMapKey(ALICE));
    assert.deepEqual([issuedAtS, lifeS, endsAtS], [NOW_S + 7, 3600, NOW_S + 3607]);
  });
});

describe('a privateMapKey of either version', () => {
  const keys: Readonly<Record<string, Partial<UserSigKeys>>> = {
    v2: { secretKey: new Secret(SECRET) },
    v1: { privateKey: secretPem(newEcKeys().privateKey) },
  };
  for (const [name, key] of Object.entries(keys)) {
    it(`says what it was asked to, ${name}`, (t) => {
      const uint32 = fc.integer({ min: 0, max: 4_294_967_295 });
      const asked = fc.record({
        userID: fc.stringMatching(/^[\x20-\x7e]{1,64}$/),
        roomNumber: uint32,
        privileges: uint32,
        expireMs: fc.integer({ min: 1, max: USER_SIG_LIFE_MAX_MS }),
        sdkAppID: fc.integer({ min: 1, max: 4_294_967_295 }),
      });
      t.mock.method(Date, 'now', () => NOW_S * 1000);
      const property = fc.property(asked, ({ sdkAppID, ...request }) => {
        const made = ticketOf(newSigs({ ...key, sdkAppID }).signPrivateMapKey(request));
        const lifeS = Math.ceil(request.expireMs / 1000);
        assert.deepEqual(made, {
          user: request.userID,
          issuedAtS: NOW_S,
          lifeS,
          version: 0,
          account: request.userID,
          sdkAppID,
          roomNumber: request.roomNumber,
          endsAtS: NOW_S + lifeS,
          privileges: request.privileges,
          accountType: 0,
        });
      });
      fc.assert(property, { numRuns: 200, seed: 2_018 });
    });

    it(`is genuine for its user and nobody else, and says what it is, ${name}`, async (t) => {
      const sigs = newSigs(key);
      const privateMapKey = madeAt(t, NOW_S, sigs);
      const verdict = await sigs.verify({ userSig: privateMapKey, userID: 'alice' });
      const expiresAtMs = NOW_S * 1000 + HOUR_MS;
      assert.deepEqual(verdict, { ok: true, expiresAtMs, isRoomTicket: true });
      const other = await sigs.verify({ userSig: privateMapKey, userID: 'bobby' });
      assert.deepEqual(other, { ok: false, reason: 'other_user' });
    });

    it(`is refused for what cannot be signed, ${name}`, () => {
      const sigs = newSigs(key);
      const refusals: readonly (readonly [RegExp, Partial<typeof ALICE>])[] = [
        ...['', 'a'.repeat(65), '房间', 'a\nb', 'a\0b', 'é', '\x7f'].map(
          (userID) => [/^userID must be/, { userID }] as const,
        ),
        ...[-1, 0.5, 4_294_967_296, Number.NaN, Number.POSITIVE_INFINITY].flatMap((number) => [
          [/^roomNumber must be/, { roomNumber: number }] as const,
          [/^privileges must be/, { privileges: number }] as const,
        ]),
        ...[0, -1, USER_SIG_LIFE_MAX_MS + 1, Number.NaN, Number.POSITIVE_INFINITY].map(
          (expireMs) => [/^expireMs must be/, { expireMs }] as const,
        ),
      ];
      for (const [message, wrong] of refusals)
        assert.throws(() => sigs.signPrivateMapKey({ ...ALICE, ...wrong }), { message });
    });
  }

  it('cannot be made without a key', () => {
    const message = /^No userSig can be signed/;
    assert.throws(() => newSigs({}).signPrivateMapKey(ALICE), { message });
    const { publicKey } = newEcKeys();
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    assert.throws(() => newSigs({ publicKey: pem }).signPrivateMapKey(ALICE), { message });
  });
});

describe('the privateMapKey that a client is answered', () => {
  const places = [
    { base: '/webrtc/weapp/webrtc_room', lifeS: 3_600 },
    { base: '/weapp/webrtc_room', lifeS: 3_600 },
    { base: '/roomlist/weapp/webrtc_room', lifeS: 3_600 },
    { base: '/roomlist/weapp/webexe_room', lifeS: 86_400 },
    { base: '/weapp/webexe_room', lifeS: 86_400 },
  ] as const;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    v2: { secretKey: SECRET },
    v1: { privateKey: pemOf(privateKey) },
  };

  for (const { base, lifeS } of places)
    for (const [name, key] of Object.entries(keys))
      it(`lets nobody else in, nor anywhere else, nor after ${lifeS} s: ${base}, ${name}`, async (t) => {
        t.mock.method(Date, 'now', () => NOW_S * 1000);
        const im = { driver: 'local', sdkAppID: APP, accountType: '12345', ...key };
        const clock = new TravelClock(NOW_S * 1000);
        await using app = await startTestApp({ im, auth: { mode: 'open' } }, { clock });
        const created = await app.post(`${base}/create_room`, { userID: 'alice', roomInfo: 'm' });
        const { roomID } = created;
        const entered = await app.post(`${base}/enter_room`, { userID: 'bobby', roomID });
        const again = await app.post(`${base}/enter_room`, { userID: 'alice', roomID });
        const answers = Object.entries({ alice: created, bobby: entered }).concat([
          ['alice', again],
        ]);
        for (const [user, { privateMapKey }] of answers) {
          assert.match(String(privateMapKey), /^[A-Za-z0-9*_-]+$/);
          const ticket = ticketOf(String(privateMapKey));
          assert.ok(Math.abs(ticket.issuedAtS - NOW_S) <= 60, 'it is of now');
          assert.deepEqual(ticket, {
            user,
            issuedAtS: ticket.issuedAtS,
            lifeS,
            version: 0,
            account: user,
            sdkAppID: APP,
            roomNumber: Number(roomID),
            endsAtS: ticket.issuedAtS + lifeS,
            privileges: 255,
            accountType: 0,
          });
          assert.equal(String(ticket.roomNumber), roomID);
          assertGenuine(String(privateMapKey), privateKey);
        }
      });

  it('says the number that the room got, where the one asked for was taken', async () => {
    await using app = await startTestApp();
    const request = { userID: 'alice', roomInfo: 'm', roomID: '2147483647' };
    const first = await app.post('/weapp/webexe_room/create_room', request);
    const second = await app.post('/weapp/webexe_room/create_room', request);
    const numbers = [first, second].map(({ privateMapKey }) => {
      const { roomNumber } = ticketOf(String(privateMapKey));
      return String(roomNumber);
    });
    assert.deepEqual(numbers, [first.roomID, second.roomID]);
    assert.equal(first.roomID, '2147483647');
    assert.notEqual(second.roomID, first.roomID);
  });
});

type Fields = Readonly<Record<string, unknown>>;

function newSigs(keys: Partial<UserSigKeys>, nowS = NOW_S): UserSigs {
  const none = new Secret('');
  return new UserSigs({
    keys: {
      sdkAppID: APP,
      accountType: '12345',
      administrator: 'admin',
      secretKey: none,
      privateKey: none,
      publicKey: '',
      ...keys,
    },
    clock: {
      nowMs: () => nowS * 1000,
      monotonicMs: () => nowS * 1000,
      sleep: () => Promise.reject(new Error('Nothing here may sleep.')),
    },
  });
}

/** The package looks at the wall clock. */
function madeAt(t: TestContext, nowS: number, sigs: UserSigs, ticket = ALICE): string {
  const { mock } = t.mock.method(Date, 'now', () => nowS * 1000);
  try {
    return sigs.signPrivateMapKey(ticket);
  } finally {
    mock.restore();
  }
}

function newEcKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function secretPem(key: KeyObject): Secret {
  return new Secret(pemOf(key));
}

function unpacked(privateMapKey: string): Fields {
  const base64 = privateMapKey.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=');
  return JSON.parse(inflateSync(Buffer.from(base64, 'base64')).toString());
}

/** Everything a privateMapKey says, the ticket inside byte by byte. */
function ticketOf(privateMapKey: string) {
  const document = unpacked(privateMapKey);
  const bytes = Buffer.from(String(document['TLS.userbuf']), 'base64');
  const length = bytes.readUInt16BE(1);
  assert.equal(bytes.length, 3 + length + 20);
  const numberAt = (index: number) => bytes.readUInt32BE(3 + length + index * 4);
  return {
    user: document['TLS.identifier'],
    issuedAtS: Number(document['TLS.time']),
    lifeS: Number(document['TLS.expire'] ?? document['TLS.expire_after']),
    version: bytes.readUInt8(0),
    account: bytes.toString('latin1', 3, 3 + length),
    sdkAppID: numberAt(0),
    roomNumber: numberAt(1),
    endsAtS: numberAt(2),
    privileges: numberAt(3),
    accountType: numberAt(4),
  };
}

/** Checks the signature as Tencent does, over the fields in their order. */
function assertGenuine(privateMapKey: string, privateKey: KeyObject): void {
  const { 'TLS.ver': version, 'TLS.sig': signature, ...signed } = unpacked(privateMapKey);
  const order =
    version === '2.0'
      ? ['identifier', 'sdkappid', 'time', 'expire', 'userbuf']
      : [
          'appid_at_3rd',
          'account_type',
          'identifier',
          'sdk_appid',
          'time',
          'expire_after',
          'userbuf',
        ];
  const text = order.map((name) => `TLS.${name}:${signed[`TLS.${name}`]}\n`).join('');
  assert.equal(Object.keys(signed).length, order.length);
  if (version === '2.0') {
    assert.equal(signature, createHmac('sha256', SECRET).update(text).digest('base64'));
    return;
  }
  const bytes = Buffer.from(String(signature), 'base64');
  const publicKey = createPublicKey(privateKey);
  assert.ok(verifySignature('sha256', Buffer.from(text), publicKey, bytes));
}
