import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { ClusterLoad, nothingWrong } from './cluster-load.ts';
import type { ClusterNode } from './cluster-node.ts';

/** Nodes are started from their sources, on a machine that other tests want too; alone each takes a fraction of it. */
const timeout = 60_000;

const serverUnavailable = 0x88;

describe.each([1, 2])('Redis is away, nodes of %s workers', (workers) => {
  test('acknowledgements wait, durable connects are refused, ephemeral clients are served; then all is as before', {
    timeout,
  }, async () => {
    await using cluster = await Cluster.start({ nodes: 2, workers, appendOnly: true });
    const [a, b] = cluster.nodes;
    const session = { cleanStart: false, sessionExpirySeconds: 3600 };
    const subscriber = await b.connect({ clientId: 'subscriber', ...session });
    await subscriber.subscribe('orders', 1);
    const publisher = await a.connect({ clientId: 'publisher' });
    await publisher.publish({ topic: 'orders', payload: 'before', qos: 1 });
    expect(await subscriber.receiveTexts(1)).toEqual(['before']);
    await cluster.redis.kill();
    await a.says('"event":"node.became-unready","reasons":"store unavailable');
    await b.says('"event":"node.became-unready","reasons":"store unavailable');
    expect(await a.readiness()).toEqual({ code: 503, reasons: ['store'] });
    publisher.sendPublish({ topic: 'orders', payload: 'meanwhile', qos: 1 }, 7);
    await publisher.expectNothing();
    const refused = await a.open();
    refused.sendConnect({ clientId: 'refused', ...session });
    await refused.expectPacket({ type: 'connack', reasonCode: serverUnavailable });
    const ephemeral = await b.connect({ clientId: 'ephemeral' });
    await ephemeral.subscribe('live', 1);
    await (await a.connect({ clientId: 'live' })).publish({ topic: 'live', payload: 'x', qos: 1 });
    expect(await ephemeral.receiveTexts(1)).toEqual(['x']);
    await cluster.redis.restart();
    await publisher.expectPacket({ type: 'puback', packetId: 7 }, 15_000);
    expect(await subscriber.receiveTexts(1)).toEqual(['meanwhile']);
    await Promise.all([a.says('node.became-ready'), b.says('node.became-ready')]);
    expect(saidAgain(a)).toEqual([]);
    expect(saidAgain(b)).toEqual([]);
    const outages = [...(await a.metrics())].filter(([series]) => series === 'dunlin_store_outages_total');
    expect(outages).toEqual([['dunlin_store_outages_total', workers]]);
  });
});

/** Failures of the store that a worker has written more than once in the one outage. */
function saidAgain(node: ClusterNode): string[] {
  const failures = node.process
    .log()
    .filter(({ error }) => (error as { type?: string } | undefined)?.type === 'StoreError');
  const said = failures.map(({ worker, event, job }) => `worker ${worker}: ${event} ${job}`);
  return said.filter((line, at) => said.indexOf(line) !== at);
}

test('Redis is away, restarted under load: nothing acknowledged is lost', { timeout }, async () => {
  await using cluster = await Cluster.start({ nodes: 3, workers: 2, appendOnly: true });
  const load = new ClusterLoad(cluster.nodes);
  try {
    await load.start();
    await load.packets(1000);
    await cluster.redis.kill();
    await Promise.all(
      cluster.nodes.map((node) => node.says('"event":"node.became-unready","reasons":"store unavailable')),
    );
    await cluster.redis.restart();
    await load.packets(1000);
    expect(await load.finish()).toMatchObject(nothingWrong);
  } finally {
    await load.stop();
  }
});
