import { expect, test } from 'vitest';
import { startRedis, startRedisCluster, startSentinel } from '../src/redis.ts';
import { redisCall } from '../src/redis-call.ts';

test('Redis keeps what it acknowledged over kill and restart, at the same port', async () => {
  const server = await startRedis({ appendOnly: true, password: 'a b' });
  try {
    const { port } = server;
    expect(await redisCall(server.url, ['SET', 'k', 'väl'])).toBe('+OK\r\n');
    await server.kill();
    await server.restart();
    expect(server.port).toBe(port);
    expect(await redisCall(server.url, ['GET', 'k'])).toBe('$4\r\nväl\r\n');
    await expect(redisCall(server.url, ['NONSENSE'])).rejects.toThrow('unknown command');
    await expect(redisCall(`redis://127.0.0.1:${port}`, ['GET', 'k'])).rejects.toThrow('NOAUTH');
  } finally {
    await server.stop();
  }
});

test('a cluster serves all slots', async () => {
  const cluster = await startRedisCluster();
  try {
    expect(cluster.servers).toHaveLength(3);
    for (const { url } of cluster.servers) {
      expect(await redisCall(url, ['CLUSTER', 'INFO'])).toContain('cluster_slots_ok:16384');
    }
  } finally {
    await cluster.stop();
  }
});

test('Sentinel knows the master, which has a replica', async () => {
  const { sentinel, master, stop } = await startSentinel();
  try {
    const address = await redisCall(sentinel.url, ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main']);
    expect(address).toContain(String(master.port));
    expect(await redisCall(master.url, ['INFO', 'replication'])).toContain('connected_slaves:1');
  } finally {
    await stop();
  }
});
