import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { ClusterLoad, nothingWrong } from './cluster-load.ts';

/** Nodes are started from their sources, on a machine that other tests want too; alone each takes a fraction of it. */
const timeout = 60_000;

/** A will is published by another node within the failure time-out. */
const willMilliseconds = 6000;
/** The dead are known to be dead within this. */
const routesGoneMilliseconds = 5000;

describe.each([1, 2])('a node of %s workers is killed', (workers) => {
  test('its routes go, and another node publishes the wills of its clients, once', { timeout }, async () => {
    await using cluster = await Cluster.start({ nodes: 3, workers });
    const [a, b, c] = cluster.nodes;
    const watcher = await b.connect({ clientId: 'watcher' });
    await watcher.subscribe('wills/#', 1);
    const will = { topic: 'wills/now', payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} } as const;
    const mortal = await a.connect({ clientId: 'mortal', will });
    const delayed = { ...will, topic: 'wills/later', properties: { willDelayInterval: 3600 } };
    await a.connect({ clientId: 'patient', sessionExpirySeconds: 7200, will: delayed });
    const doomed = await a.connect({ clientId: 'doomed' });
    await doomed.subscribe('dead/end', 1);
    const publisher = await c.connect({ clientId: 'publisher' });
    await publisher.publish({ topic: 'dead/end', payload: 'alive', qos: 1 });
    const died = performance.now();
    await a.kill();
    publisher.sendPublish({ topic: 'dead/end', payload: 'into the void', qos: 1 }, 2);
    await publisher.expectPacket({ type: 'puback', packetId: 2 }, routesGoneMilliseconds);
    expect(performance.now() - died).toBeLessThan(routesGoneMilliseconds);
    const message = await watcher.expectPacket({ type: 'publish', topic: 'wills/now', qos: 1 }, willMilliseconds);
    expect(performance.now() - died).toBeLessThan(willMilliseconds);
    watcher.send({ type: 'puback', packetId: message.packetId, reasonCode: 0, properties: null });
    await mortal.expectClosed();
    // Back before its time: the delayed will is not published.
    const patient = await b.connect({ clientId: 'patient', cleanStart: false, sessionExpirySeconds: 0 });
    patient.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    await publisher.publish({ topic: 'wills/end', payload: '', qos: 1 }, 3);
    const rest = await watcher.receive((received) => received.some(({ topic }) => topic === 'wills/end'));
    expect(rest.map(({ topic }) => topic)).toEqual(['wills/end']);
  });
});

test('a node is killed, under load and started again: nothing acknowledged is lost, nothing of QoS 2 comes twice', {
  timeout,
}, async () => {
  await using cluster = await Cluster.start({ nodes: 3, workers: 2 });
  const load = new ClusterLoad(cluster.nodes);
  try {
    await load.start();
    for (const node of cluster.nodes.slice(0, 2)) {
      await load.packets(1000);
      await node.kill();
      await load.packets(1000);
      await node.start();
    }
    await load.packets(500);
    expect(await load.finish()).toMatchObject(nothingWrong);
  } finally {
    await load.stop();
  }
});
