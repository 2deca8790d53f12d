import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startFakeCloud } from './fake_cloud.ts';
import { startTestApp } from './support.ts';

describe('a notice that survived a restart', () => {
  it('goes out only when whoever hears it can ask what changed', async () => {
    await using cloud = await startFakeCloud();
    const folder = await mkdtemp(join(tmpdir(), 'roomkeep-test-'));
    const settings = {
      auth: { mode: 'open' },
      im: { sdkAppID: 1_400_000_001, secretKey: 'k', host: cloud.url },
      sqlite: { file: join(folder, 'rooms.db') },
      port: await freePort(),
    };
    try {
      {
        await using app = await startTestApp(settings);
        const pushURL = 'rtmp://localhost:1935/live/x';
        const person = { userName: 'n', userAvatar: '', pushURL, roomID: 'r1' };
        await app.post('/create_room', { ...person, roomName: 'r', userID: 'ann' });
        cloud.imMode = ({ api }) => (api === 'create_group' ? 'ok' : 'http500');
        await app.post('/add_pusher', { ...person, userID: 'bob' });
      }
      const asked: Promise<number>[] = [];
      cloud.imMode = () => {
        asked.push(codeOfPushers(settings.port));
        return 'ok';
      };
      await using app = await startTestApp(settings);
      await app.clock.advance(15_000);
      await cloud.waitFor(() => asked.length > 0);
      assert.deepEqual(new Set(await Promise.all(asked)), new Set([0]));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** What a client does that hears a notice; -1 when nobody listens. */
async function codeOfPushers(port: number): Promise<number> {
  const request = { method: 'POST', body: '{"roomID":"r1"}' };
  const response = await fetch(`http://127.0.0.1:${port}/get_pushers`, request).catch(
    () => undefined,
  );
  return response === undefined ? -1 : ((await response.json()) as { code: number }).code;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
