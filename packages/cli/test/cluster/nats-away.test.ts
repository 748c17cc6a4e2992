import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { ClusterLoad, nothingWrong } from './cluster-load.ts';

/** Nodes are started from their sources, on a machine that other tests want too; alone each takes a fraction of it. */
const timeout = 60_000;

describe.each([1, 2])('NATS is away, nodes of %s workers', (workers) => {
  test('restarted: QoS 1 between nodes waits, then flows', { timeout }, async () => {
    await using cluster = await Cluster.start({ nodes: 2, workers });
    const [a, b] = cluster.nodes;
    const subscriber = await b.connect({ clientId: 'subscriber' });
    await subscriber.subscribe('orders', 1);
    const publisher = await a.connect({ clientId: 'publisher' });
    await publisher.publish({ topic: 'orders', payload: 'before', qos: 1 });
    await cluster.nats.kill();
    await a.says('"event":"node.became-unready","reasons":"backplane unavailable');
    publisher.sendPublish({ topic: 'orders', payload: 'meanwhile', qos: 1 }, 7);
    expect(await a.readiness()).toEqual({ code: 503, reasons: ['backplane'] });
    // Its own clients are served.
    const neighbour = await a.connect({ clientId: 'neighbour' });
    await neighbour.subscribe('local', 1);
    await neighbour.publish({ topic: 'local', payload: 'x', qos: 0 });
    expect(await neighbour.receiveTexts(1)).toEqual(['x']);
    await cluster.nats.restart();
    await publisher.expectPacket({ type: 'puback', packetId: 7 }, 15_000);
    expect(await subscriber.receiveTexts(2)).toEqual(['before', 'meanwhile']);
    await a.says('node.became-ready');
    await publisher.publish({ topic: 'orders', payload: 'after', qos: 1 });
    expect(await subscriber.receiveTexts(1)).toEqual(['after']);
  });

  test('for one node alone: durable sessions get everything, and its lease keeps it', { timeout }, async () => {
    await using cluster = await Cluster.start({ nodes: 2, workers });
    const [a, b] = cluster.nodes;
    const session = { cleanStart: false, sessionExpirySeconds: 3600 };
    const subscriber = await a.connect({ clientId: 'subscriber', ...session });
    await subscriber.subscribe('orders', 1);
    const publisher = await b.connect({ clientId: 'publisher' });
    cluster.ways(a).nats.cut();
    await a.says('"event":"node.became-unready","reasons":"backplane unavailable');
    const texts = Array.from({ length: 20 }, (_, number) => `${number}`);
    for (const payload of texts) await publisher.publish({ topic: 'orders', payload, qos: 1 });
    expect(await subscriber.receiveTexts(texts.length)).toEqual(texts);
    cluster.ways(a).nats.heal();
    await a.says('node.became-ready');
    await publisher.publish({ topic: 'orders', payload: 'healed', qos: 1 });
    expect(await subscriber.receiveTexts(1)).toEqual(['healed']);
    expect(a.output).not.toMatch(/endpoint\.evicted|given up/);
  });
});

test('NATS is away, restarted under load: nothing acknowledged is lost', { timeout }, async () => {
  await using cluster = await Cluster.start({ nodes: 3, workers: 2 });
  const load = new ClusterLoad(cluster.nodes);
  try {
    await load.start();
    await load.packets(1000);
    await cluster.nats.kill();
    await load.packets(300);
    await cluster.nats.restart();
    await load.packets(1000);
    expect(await load.finish()).toMatchObject(nothingWrong);
  } finally {
    await load.stop();
  }
});
