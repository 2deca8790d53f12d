import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isCredential, newMask } from '../logic/mask.ts';

const USER_SIG = `eJw1${'jN3QKwjAMRl-l5FbpktBFC7vzDYKhq5'.repeat(4)}_*-`;

const MASKED_TEXTS: readonly (readonly [text: string, masked: string])[] = [
  ['/a?userID=u1&token=abc.d_e-f&x=1', '/a?userID=u1&token=[masked]&x=1'],
  ['/a?userSig=abc*-_&usersig=def', '/a?userSig=[masked]&usersig=[masked]'],
  [
    'rtmp://h/live/1_a?bizid=1&txSecret=ab12&txTime=5F',
    'rtmp://h/live/1_a?bizid=1&txSecret=[masked]&txTime=5F',
  ],
  [
    '?appid=wx1&secret=s3cr3t&js_code=0a1B&grant_type=x',
    '?appid=wx1&secret=[masked]&js_code=[masked]&grant_type=x',
  ],
  ['?code=0a1B', '?code=[masked]'],
  [
    '?sign=abc&signature=def&access_token=ghi',
    '?sign=[masked]&signature=[masked]&access_token=[masked]',
  ],
  ['%3Ftoken%3Dabc%26x', '%3Ftoken%3D[masked]'],
  ['%253Ftoken%253Dabc', '%253Ftoken%253D[masked]'],
  ['{"token":"a\\"b c","x":1}', '{"token":"[masked]","x":1}'],
  ['{"token" : "abc"}', '{"token" : "[masked]"}'],
  [
    '{"body":"{\\"userSig\\":\\"a b\\",\\"x\\":1}"}',
    '{"body":"{\\"userSig\\":\\"[masked]\\",\\"x\\":1}"}',
  ],
  ['%7B%22token%22%3A%22abc', '%7B%22token%22%3A%22[masked]'],
  ["{ password: 'a b', x: 1 }", "{ password: '[masked]', x: 1 }"],
  ['{"APIKey":"k1","pushSecretKey":"k2"}', '{"APIKey":"[masked]","pushSecretKey":"[masked]"}'],
  ['{"password":123456}', '{"password":[masked]'],
  ['Authorization: Basic YWRtaW46cHc=\r\nHost: h', 'Authorization: [masked]\r\nHost: h'],
  ['{"authorization":"Bearer a.b.c","x":1}', '{"authorization":"[masked]","x":1}'],
  ['Cookie: a=b; c=d', 'Cookie: [masked]'],
  ['http://user:pa55word@host/x', 'http://user:[masked]@host/x'],
  [`/weapp/${USER_SIG}/x`, '/weapp/[masked]/x'],
];

const HARMLESS_TEXTS: readonly string[] = [
  '/weapp/double_room/create_room',
  '{"code":0,"message":"请求成功"}',
  '{"code":70001,"errcode":-1,"statusCode":"502"}',
  "{ code: 'ECONNREFUSED', errno: -111 }",
  'Unexpected token } in JSON at position 4',
  'file:///srv/roomkeep/dist/app.js:12:34',
  'http://127.0.0.1:8080/a@b',
  'token=',
  '{"token":""}',
];

const HOSTILE_PIECES = [
  'token',
  'token=',
  'token"',
  'token:"\\',
  '"token":"',
  '%25',
  'token%25',
  '://',
  '://a:',
  'eJ',
  'eJ*',
  '\\',
  '"',
  'code',
  'js_code',
  'Cookie: ',
  'authorization',
  'signsign=',
  'api_key',
  ' ',
  'a-configured-secre',
];

describe('The mask', () => {
  for (const [text, masked] of MASKED_TEXTS) {
    it(`turns ${JSON.stringify(text.slice(0, 60))} into ${JSON.stringify(masked.slice(0, 60))}`, () => {
      assert.equal(newMask([])(text), masked);
    });
  }

  for (const text of HARMLESS_TEXTS) {
    it(`leaves ${JSON.stringify(text)} alone`, () => {
      assert.equal(newMask(['a-configured-secret'])(text), text);
    });
  }
});

describe('The mask of configured secrets', () => {
  it('hides every occurrence of a configured secret, whatever stands around it', () => {
    const mask = newMask(['pass(w)or$d', 'pass(w)or$d-longer']);
    assert.equal(
      mask('/pass(w)or$d/xpass(w)or$d-longerx?q=PASS(W)OR$D'),
      '/[masked]/x[masked]x?q=[masked]',
    );
  });

  it('hides a secret that travels percent-encoded or inside JSON text', () => {
    const mask = newMask(['a "b"/c+d']);
    assert.equal(mask(`/x/${encodeURIComponent('a "b"/c+d')}`), '/x/[masked]');
    assert.equal(mask(JSON.stringify({ x: 'a "b"/c+d' })), '{"x":"[masked]"}');
  });

  it('hides a key of many lines, each line for itself and written on one', () => {
    const mask = newMask(['-----BEGIN-----\nAAAABBBB\r\nCCCCDDDD\n-----END-----\n']);
    assert.equal(mask('x AAAABBBB y'), 'x [masked] y');
    assert.doesNotMatch(mask('-----BEGIN-----\\nAAAABBBB\\nCCCCDDDD\\n'), /AAAA|CCCC/);
  });

  it('ignores secrets that are empty or too short to be one', () => {
    assert.equal(newMask(['', '\n', 'abc'])('abc, and nothing else'), 'abc, and nothing else');
  });

  it('hides any secret in any text', () => {
    const secret = fc.string({ minLength: 4, maxLength: 40, unit: 'binary' });
    const text = fc.string({ maxLength: 60, unit: 'binary' });
    const property = fc.property(secret, text, text, (value, before, after) => {
      const masked = newMask([value])(before + value + after);
      // What is shorter may stand in `[masked]` itself.
      const lines = value.split(/\r?\n|\\n/).filter(({ length }) => length > '[masked]'.length);
      for (const line of lines) assert.ok(!masked.includes(line));
    });
    fc.assert(property, { seed: 1, numRuns: 500 });
  });
});

describe('The mask of any text', () => {
  it('finds nothing more to hide in what it has masked', () => {
    const words = [
      'token',
      'code',
      '"',
      "'",
      '\\',
      '=',
      ':',
      ' ',
      '&',
      'abc',
      '%3D',
      '%22',
      'Cookie',
    ];
    const text = fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((all) => all.join(''));
    const mask = newMask(['a-configured-secret']);
    const property = fc.property(text, (value) => {
      assert.equal(mask(mask(value)), mask(value));
    });
    fc.assert(property, { seed: 1, numRuns: 2_000 });
  });

  it('needs time in proportion to the text, however it is made', { timeout: 20_000 }, () => {
    const mask = newMask(['a-configured-secret', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaab']);
    for (const piece of [...HOSTILE_PIECES, 'a']) {
      const startedAtMs = performance.now();
      mask(piece.repeat(300_000 / piece.length));
      mask(`token="${piece.repeat(300_000 / piece.length)}`);
      const tookMs = performance.now() - startedAtMs;
      // Quadratic time would be minutes.
      assert.ok(tookMs < 2_000, `${piece}: ${tookMs} ms`);
    }
  });
});

describe('A field', () => {
  it('is a credential when its name says so', () => {
    for (const name of ['token', 'userSig', 'txSecret', 'accessToken', 'js_code', 'Authorization'])
      assert.equal(isCredential({ name, value: 'x' }), true, name);
    for (const name of ['roomID', 'tokens', 'errcode', 'signal', 'message'])
      assert.equal(isCredential({ name, value: 'x' }), false, name);
  });

  it('named code is a credential unless it looks like a result', () => {
    assert.equal(isCredential({ name: 'code', value: '0a1Bc' }), true);
    assert.equal(isCredential({ name: 'code', value: 'ECONNREFUSED' }), false);
    assert.equal(isCredential({ name: 'code', value: '70001' }), false);
  });
});
