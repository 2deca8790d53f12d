import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startTestApp } from './support.ts';

describe('logging in', () => {
  it('takes a userSig, and no privateMapKey in its place', async () => {
    await using app = await startTestApp({ auth: { mode: 'open' } });
    const path = '/weapp/webrtc_room';
    const { userSig, sdkAppID } = await app.post(`${path}/get_login_info`, { userID: 'alice' });
    const room = { userID: 'alice', roomInfo: 'a meeting' };
    const { privateMapKey } = await app.post(`${path}/create_room`, room);
    const login = async (sig: unknown) => {
      const claim = { sdkAppID: String(sdkAppID), accountType: '0', userID: 'alice' };
      const query = new URLSearchParams({ ...claim, userSig: String(sig) });
      return (await app.post(`/weapp/multi_room/login?${query}`)).code;
    };
    assert.equal(await login(userSig), 0);
    assert.equal(await login(privateMapKey), 7);
  });
});
