import { redisCall } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { Cluster } from './cluster.ts';

/** Seen to fail before: every CONNECT was refused, the nodes said that they were ready, and reading freed nothing. */
test('Redis is full: ephemeral clients are served, publishes to durable sessions wait and are said to, and reading makes room', {
  timeout: 90_000,
}, async () => {
  await using cluster = await Cluster.start({ nodes: 2, workers: 1 });
  const [a, b] = cluster.nodes;
  const session = { cleanStart: false, sessionExpirySeconds: 3600 };
  const reader = await b.connect({ clientId: 'reader', ...session });
  await reader.subscribe('orders', 1);
  await reader.drop();
  const publisher = await a.connect({ clientId: 'publisher' });
  const padding = 'x'.repeat(10_000);
  const count = 1000;
  for (let number = 0; number < count; number++) {
    publisher.sendPublish({ topic: 'orders', payload: `${number} ${padding}`, qos: 1 }, number + 1);
    if (number % 100 === 99) for (let at = 0; at < 100; at++) await publisher.expectPacket({ type: 'puback' });
  }
  const { url } = cluster.redis;
  const used = /used_memory:(\d+)/.exec(String(await redisCall(url, ['INFO', 'memory'])))?.[1];
  // Less than it has: what connections use is counted, and comes and goes.
  await redisCall(url, ['CONFIG', 'SET', 'maxmemory', String(Number(used) - 1_000_000)]);

  publisher.sendPublish({ topic: 'orders', payload: 'waits', qos: 1 }, 2000);
  await a.says('redis.writes-refused');
  await a.says('"event":"node.became-unready","reasons":"the store takes no writes');
  expect(await a.readiness()).toEqual({ code: 503, reasons: ['store-writes'] });
  const ephemeral = await b.connect({ clientId: 'ephemeral' });
  await ephemeral.subscribe('live', 1);
  await (await a.connect({ clientId: 'live' })).publish({ topic: 'live', payload: 'x', qos: 1 });
  expect(await ephemeral.receiveTexts(1)).toEqual(['x']);

  const back = await b.connect({ clientId: 'reader', ...session });
  const texts = await back.receiveTexts(count);
  expect(texts.map((text) => text.split(' ')[0])).toEqual(Array.from({ length: count }, (_, number) => String(number)));
  await publisher.expectPacket({ type: 'puback', packetId: 2000 }, 40_000);
  expect(await back.receiveTexts(1)).toEqual(['waits']);
  await a.says('redis.writes-accepted');
  await a.says('node.became-ready');
});
