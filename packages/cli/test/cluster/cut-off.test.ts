import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { ClusterLoad, nothingWrong } from './cluster-load.ts';

/** Nodes are started from their sources, on a machine that other tests want too; alone each takes a fraction of it. */
const timeout = 60_000;

const serverUnavailable = 0x88;
const serverBusy = 0x89;

describe.each([1, 2])('a node of %s workers is cut off from NATS and Redis', (workers) => {
  test('it gives up its durable sessions, serves its ephemeral clients, and comes back under a new name', {
    timeout,
  }, async () => {
    await using cluster = await Cluster.start({ nodes: 2, workers });
    const [a, b] = cluster.nodes;
    const session = { clientId: 'durable', cleanStart: false, sessionExpirySeconds: 3600 };
    const old = await a.connect(session);
    await old.subscribe('orders', 1);
    const ephemeral = await a.connect({ clientId: 'ephemeral' });
    await ephemeral.subscribe('local', 1);
    const publisher = await b.connect({ clientId: 'publisher' });
    cluster.ways(a).redis.cut();
    cluster.ways(a).nats.cut();
    await old.expectPacket({ type: 'disconnect', reasonCode: serverBusy }, 10_000);
    await old.expectClosed();
    const refused = await a.open();
    refused.sendConnect(session);
    await refused.expectPacket({ type: 'connack', reasonCode: serverUnavailable });
    await ephemeral.publish({ topic: 'local', payload: 'x', qos: 0 });
    expect(await ephemeral.receiveTexts(1)).toEqual(['x']);
    // Elsewhere the session goes on.
    const next = await b.open();
    expect(await next.connect(session)).toMatchObject({ sessionPresent: true });
    await publisher.publish({ topic: 'orders', payload: 'meanwhile', qos: 1 });
    expect(await next.receiveTexts(1)).toEqual(['meanwhile']);
    await b.says('endpoint.released');
    cluster.ways(a).redis.heal();
    cluster.ways(a).nats.heal();
    await a.says('"event":"worker.replaced"');
    await a.says('node.became-ready');
    const back = await a.open();
    expect(await back.connect(session)).toMatchObject({ sessionPresent: true });
    await publisher.publish({ topic: 'orders', payload: 'after', qos: 1 });
    expect(await back.receiveTexts(1)).toEqual(['after']);
    await back.expectNothing();
  });
});

test('a node is cut off from NATS and Redis, under load: nothing acknowledged is lost', { timeout }, async () => {
  await using cluster = await Cluster.start({ nodes: 3, workers: 2 });
  const [a] = cluster.nodes;
  const load = new ClusterLoad(cluster.nodes);
  try {
    await load.start();
    await load.packets(1000);
    cluster.ways(a).redis.cut();
    cluster.ways(a).nats.cut();
    await a.says('durable sessions are given up');
    await load.packets(1000);
    cluster.ways(a).redis.heal();
    cluster.ways(a).nats.heal();
    await a.says('node.became-ready');
    await load.packets(1000);
    expect(await load.finish()).toMatchObject(nothingWrong);
  } finally {
    await load.stop();
  }
});
