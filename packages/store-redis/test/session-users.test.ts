/** Owners that a release without them leaves behind are found, and sessions counted again. */
import { redisCall } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { Keys } from '../src/keys.ts';
import { now, owner, redis, watched } from './watched-store.ts';

const unlimited = { countMax: 1e9, bytesMax: 1e12, userCountMax: 1e9, userBytesMax: 1e12 };

test('sessions that a node of 0.2 has ended do not count for their users for ever', async () => {
  const server = await redis();
  const { store } = watched({ url: server.url });
  await store.open();
  const keys = new Keys('dunlin');
  const claim = (clientId: string, user: string, sessionExpirySeconds = 3600) =>
    store.sessions.claim(
      { clientId, owner, cleanStart: false, sessionExpirySeconds, user, quota: { ...unlimited, userCountMax: 3 } },
      now,
    );
  for (const clientId of ['a1', 'a2', 'a3']) await claim(clientId, 'alice');
  await claim('b1', 'bob');
  await claim('connected', 'bob', 0);
  // As 0.2 ends a session: it knows neither its owner nor the owner's count.
  for (const clientId of ['a1', 'a2']) {
    const { start } = keys.shardOf('s', clientId);
    await redisCall(server.url, ['DEL', `${start}session:${clientId}`]);
    await redisCall(server.url, ['HINCRBY', `${start}counters`, 'sessions', '-1']);
  }
  const refused = { code: 'quota-exceeded', message: expect.stringContaining('limits.sessionsPerUserMax is 3') };
  await expect(claim('a4', 'alice')).rejects.toMatchObject(refused);
  // The leader counts every five seconds, and looks at one shard each time.
  for (const _shard of keys.s) expect(await store.sessions.count()).toBe(2);
  // Amounts that were read hold for a second.
  const { store: other } = watched({ url: server.url });
  await other.open();
  const request = { owner, cleanStart: false, sessionExpirySeconds: 3600, user: 'alice' };
  const quota = { ...unlimited, userCountMax: 3 };
  for (const clientId of ['a4', 'a5']) await other.sessions.claim({ ...request, clientId, quota }, now);
  await expect(other.sessions.claim({ ...request, clientId: 'a6', quota }, now)).rejects.toMatchObject(refused);
  // What stands is as it was: the owner of a session, and of a connection without one.
  const strict = { owner, cleanStart: false, sessionExpirySeconds: 3600, user: 'mallory', isOwnersOnly: true };
  for (const clientId of ['a3', 'b1', 'connected'])
    await expect(other.sessions.claim({ ...strict, clientId }, now)).rejects.toMatchObject({ code: 'other-user' });
});
