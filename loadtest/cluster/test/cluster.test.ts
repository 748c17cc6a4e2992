import { expect, test } from 'vitest';
import { Cluster } from '../src/cluster.ts';
import { startMilliseconds } from './cluster-command.ts';
import { publishThrough } from './patient-client.ts';

const timeoutMilliseconds = 5 * startMilliseconds;

test('nodes reach their servers through proxies that can be cut', { timeout: timeoutMilliseconds }, async () => {
  const cluster = await Cluster.start({ nodes: 2, proxies: true });
  try {
    const { links, mqtt } = cluster.node('b');
    expect(links?.nats.connections).toBeGreaterThan(0);
    expect(links?.redis.connections).toBeGreaterThan(0);
    links?.nats.cut();
    links?.redis.cut();
    links?.nats.heal();
    links?.redis.heal();
    await publishThrough(mqtt, 'through/b');
  } finally {
    await cluster.stop();
  }
});
