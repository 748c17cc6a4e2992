import { ackPacket, withDeadline } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import type { ClusterNode } from './cluster-node.ts';

const sessionTakenOver = 0x8e;

function durable(clientId: string) {
  return { clientId, cleanStart: false, sessionExpirySeconds: 3600 };
}

describe.each([1, 2])('durable sessions among nodes of %s workers', (workers) => {
  let cluster: Cluster;
  let a: ClusterNode;
  let b: ClusterNode;
  let c: ClusterNode;
  beforeAll(async () => {
    cluster = await Cluster.start({ nodes: 3, workers });
    [a, b, c] = cluster.nodes;
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  test.each([1, 2] as const)('subscribed at one, published at another, received at a third, QoS %s', async (qos) => {
    const greeting = durable(`traveller-${qos}`);
    const first = await a.connect(greeting);
    await first.subscribe(`letters/${qos}/#`, qos);
    first.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    await first.expectClosed();
    const publisher = await b.connect({ clientId: `writer-${qos}` });
    const texts = Array.from({ length: 50 }, (_, number) => `${number}`);
    for (const payload of texts) await publisher.publish({ topic: `letters/${qos}/x`, payload, qos });
    const again = await c.open();
    expect(await again.connect(greeting)).toMatchObject({ sessionPresent: true });
    expect(await again.receiveTexts(texts.length)).toEqual(texts);
    // Live from here on, and where it left it at the next node.
    await publisher.publish({ topic: `letters/${qos}/x`, payload: 'live', qos });
    expect(await again.receiveTexts(1)).toEqual(['live']);
    again.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    await again.expectClosed();
    const home = await b.connect(greeting);
    await home.expectNothing();
  });

  test('a takeover: the old one is told, the new one has the session and what was in flight', async () => {
    const greeting = durable('twin');
    const publisher = await c.connect({ clientId: 'twin-publisher' });
    let owner = await a.connect(greeting);
    await owner.subscribe('orders/#', 2);
    for (const node of [b, c, a]) {
      for (const payload of ['1', '2', '3']) await publisher.publish({ topic: 'orders/x', payload, qos: 2 });
      const before = [];
      while (before.length < 3) before.push(await owner.expect('publish'));
      const next = await node.open();
      expect(await next.connect(greeting)).toMatchObject({ sessionPresent: true });
      await owner.expectPacket({ type: 'disconnect', reasonCode: sessionTakenOver });
      await owner.expectClosed();
      for (const { packetId, payload } of before) {
        await next.expectPacket({ type: 'publish', dup: true, qos: 2, packetId, payload }); // [MQTT-4.4.0-1]
        next.send(ackPacket('pubrec', packetId));
      }
      for (const { packetId } of before) {
        await next.expectPacket({ type: 'pubrel', packetId });
        next.send(ackPacket('pubcomp', packetId));
      }
      await next.expectNothing();
      owner = next;
    }
  });

  test('one client identifier at three nodes at once: one of them has it in the end', async () => {
    const wires = await Promise.all([a, b, c, a, b, c].map((node) => node.open()));
    for (const wire of wires) wire.sendConnect(durable('everywhere'));
    const left = new Set(wires);
    const oneLeft = Promise.withResolvers<void>();
    for (const wire of wires) {
      // Sent away by the next one, or overtaken by it before it was there.
      const closed = wire.untilClosed(20_000).then((packets) => {
        left.delete(wire);
        if (left.size === 1) oneLeft.resolve();
        return packets;
      });
      closed.catch(() => undefined); // The one that is left, at the end of the test.
    }
    await withDeadline(oneLeft.promise, () => `${left.size} are left`, 15_000);
    const [owner] = left;
    await owner.expectPacket({ type: 'connack', reasonCode: 0 });
    await owner.subscribe('everywhere', 1);
    await (await b.connect({ clientId: 'finder' })).publish({ topic: 'everywhere', payload: 'found', qos: 1 });
    expect(await owner.receiveTexts(1)).toEqual(['found']);
  });
});
