import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { ClusterLoad, nothingWrong } from './cluster-load.ts';

/** Nodes are started from their sources, on a machine that other tests want too; alone each takes a fraction of it. */
const timeout = 60_000;

const serverShuttingDown = 0x8b;

describe.each([1, 2])('a node of %s workers is stopped (SIGTERM)', (workers) => {
  test('the others know at once: no lease has to run out, and its session is free', { timeout }, async () => {
    await using cluster = await Cluster.start({ nodes: 2, workers });
    const [a, b] = cluster.nodes;
    const session = { clientId: 'mover', cleanStart: false, sessionExpirySeconds: 3600 };
    const mover = await a.connect(session);
    await mover.subscribe('orders', 1);
    const ephemeral = await a.connect({ clientId: 'ephemeral' });
    await ephemeral.subscribe('live', 1);
    const stopped = a.stop();
    await mover.expectPacket({ type: 'disconnect', reasonCode: serverShuttingDown });
    const next = await b.open();
    expect(await next.connect(session)).toMatchObject({ sessionPresent: true });
    expect(await stopped).toBe(0);
    const publisher = await b.connect({ clientId: 'publisher' });
    const begun = performance.now();
    await publisher.publish({ topic: 'live', payload: 'nobody', qos: 1 });
    // Well below the silence after which a node is suspected.
    expect(performance.now() - begun).toBeLessThan(1000);
    await publisher.publish({ topic: 'orders', payload: 'x', qos: 1 });
    expect(await next.receiveTexts(1)).toEqual(['x']);
  });

  test('without its store and NATS it ends in time, too', { timeout }, async () => {
    // Without the wait for load balancers, which is the operator's.
    await using cluster = await Cluster.start({ nodes: 1, workers, arguments: ['--set', 'drain.delaySeconds=0'] });
    const [a] = cluster.nodes;
    const session = { cleanStart: false, sessionExpirySeconds: 3600 };
    const subscriber = await a.connect({ clientId: 'subscriber', ...session });
    await subscriber.subscribe('orders', 1);
    cluster.ways(a).redis.freeze();
    cluster.ways(a).nats.freeze();
    subscriber.sendPublish({ topic: 'orders', payload: 'never safe', qos: 1 }, 7);
    const begun = performance.now();
    expect(await a.stop()).toBe(0);
    // Not acknowledged: its publisher knows.
    const packets = await subscriber.untilClosed();
    expect(packets.map(({ type }) => type)).toEqual(['disconnect']);
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

test('a node is stopped (SIGTERM), under load, in time and with code 0; its clients go on elsewhere, nothing is lost', {
  timeout,
}, async () => {
  await using cluster = await Cluster.start({ nodes: 3, workers: 2 });
  const [a, b] = cluster.nodes;
  const load = new ClusterLoad(cluster.nodes);
  try {
    await load.start();
    for (const node of [a, b]) {
      await load.packets(1000);
      const begun = performance.now();
      expect(await node.stop()).toBe(0);
      expect(performance.now() - begun).toBeLessThan(5000);
      await load.packets(1000);
      await node.start();
    }
    expect(await load.finish()).toMatchObject(nothingWrong);
  } finally {
    await load.stop();
  }
});
