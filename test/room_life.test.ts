import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startTestApp } from './support.ts';

describe('the life of a room', () => {
  it('goes from creation to the last one out on the flat paths', async () => {
    await using app = await startTestApp();
    const { pushURL } = await app.post('/weapp/get_push_url', { userID: 'ann' });
    const created = await app.post('/weapp/create_room', {
      roomName: 'demo',
      userID: 'ann',
      userName: 'Ann',
      userAvatar: '1',
      pushURL,
    });
    assert.equal(created.code, 0);
    const { roomID } = created;
    assert.equal((await app.post('/weapp/pusher_heartbeat', { roomID, userID: 'ann' })).code, 0);
    const joined = await app.post('/add_pusher', {
      roomID,
      userID: 'bob',
      userName: 'Bob',
      userAvatar: '',
      pushURL,
    });
    assert.deepEqual(joined, { status: 200, code: 0, message: '请求成功', roomID });
    const members = await app.post('/get_pushers', { roomID });
    assert.deepEqual(
      (members.pushers as { userID: string }[]).map(({ userID }) => userID),
      ['ann', 'bob'],
    );
    const list = await app.post('/get_room_list', { index: '0', cnt: '10' });
    assert.equal((list.rooms as unknown[]).length, 1);
    assert.equal((await app.post('/delete_pusher', { roomID, userID: 'ann' })).code, 0);
    assert.deepEqual(await app.post('/get_pushers', { roomID }).then(({ code }) => code), 3);
  });

  it('ends for who falls silent within the time-out and one sweep, and not before', async () => {
    await using app = await startTestApp();
    const pushURL = 'rtmp://localhost:1935/live/x';
    const person = { userName: '', userAvatar: '', pushURL };
    const { roomID } = await app.post('/create_room', {
      ...person,
      roomName: 'r',
      userName: 'a',
      userID: 'ann',
    });
    await app.post('/add_pusher', { ...person, roomID, userID: 'bob' });
    for (let round = 0; round < 3; round++) {
      await app.clock.advance(7_000);
      assert.equal((await app.post('/pusher_heartbeat', { roomID, userID: 'ann' })).code, 0);
    }
    await app.clock.advance(5_000);
    const { pushers } = await app.post('/get_pushers', { roomID });
    assert.deepEqual(
      (pushers as { userID: string }[]).map(({ userID }) => userID),
      ['ann'],
    );
    assert.equal((await app.post('/pusher_heartbeat', { roomID, userID: 'bob' })).code, 5);
    await app.clock.advance(26_000);
    assert.equal((await app.post('/get_pushers', { roomID })).code, 3);
  });
});
