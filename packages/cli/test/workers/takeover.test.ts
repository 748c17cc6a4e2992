import { ackPacket, type Conversation, type PacketOf } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import { ConnectedTwins } from './connected-twins.ts';
import { WorkerNode, workerCount } from './worker-node.ts';

const durable = { clientId: 'twin', cleanStart: false, sessionExpirySeconds: 3600 };
const sessionTakenOver = 0x8e;

/** The next messages without a word about them. */
async function takeSilently(wire: Conversation, count: number): Promise<PacketOf<'publish'>[]> {
  const taken: PacketOf<'publish'>[] = [];
  while (taken.length < count) taken.push(await wire.expect('publish'));
  return taken;
}

describe.each(['memory', 'lmdb'] as const)('takeover between workers, store %s', (store) => {
  test('the old client is told, the new one gets the session and what was in flight', async () => {
    await using node = await WorkerNode.start(store);
    const publisher = await node.connectAt(3, { clientId: 'publisher' });
    let owner = await node.connectAt(0, durable);
    await owner.subscribe('orders/#', 2);
    for (let round = 0; round < 2 * workerCount; round++) {
      // 0 → 1 → 2 → 3 → 0, then the other way around.
      const worker = (round < workerCount ? round + 1 : 2 * workerCount - 1 - round) % workerCount;
      const texts = [1, 2, 3, 4].map((number) => `${round}.${number}`);
      for (const payload of texts) await publisher.publish({ topic: 'orders/a', payload, qos: 2 });
      const before = await takeSilently(owner, texts.length);
      expect(before.map(({ payload }) => payload.toString())).toEqual(texts);
      const next = await node.openAt(worker);
      expect(await next.connect(durable)).toMatchObject({ sessionPresent: true });
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
      await publisher.publish({ topic: 'orders/b', payload: `after ${round}`, qos: 1 });
      expect(await next.receiveTexts(1)).toEqual([`after ${round}`]);
      await next.expectNothing();
      owner = next;
    }
  });

  test('a QoS 2 handshake goes on where it was', async () => {
    await using node = await WorkerNode.start(store);
    const publisher = await node.connectAt(2, { clientId: 'publisher' });
    const first = await node.connectAt(0, durable);
    await first.subscribe('orders', 2);
    await publisher.publish({ topic: 'orders', payload: 'once', qos: 2 });
    const { packetId } = await first.expect('publish');
    first.send(ackPacket('pubrec', packetId));
    await first.expectPacket({ type: 'pubrel', packetId });
    const second = await node.connectAt(1, durable);
    await second.expectPacket({ type: 'pubrel', packetId });
    second.send(ackPacket('pubcomp', packetId));
    await second.expectNothing();
    const third = await node.connectAt(3, durable);
    await third.expectNothing();
  });

  test('the publisher may go on elsewhere, and its QoS 2 messages count once', async () => {
    await using node = await WorkerNode.start(store);
    const reader = await node.connectAt(3, { clientId: 'reader', cleanStart: false, sessionExpirySeconds: 3600 });
    await reader.subscribe('once', 2);
    const packet = { type: 'publish', qos: 2, retain: false, topic: 'once', packetId: 7, properties: {} } as const;
    for (let worker = 0; worker < workerCount; worker++) {
      const payload = Buffer.from(`from ${worker}`);
      const first = await node.connectAt(worker, durable);
      first.send({ ...packet, dup: false, payload });
      await first.expectPacket({ type: 'pubrec', packetId: 7 });
      const second = await node.connectAt((worker + 1) % workerCount, durable);
      second.send({ ...packet, dup: true, payload });
      await second.expectPacket({ type: 'pubrec', packetId: 7 });
      second.send(ackPacket('pubrel', 7));
      await second.expectPacket({ type: 'pubcomp', packetId: 7, reasonCode: 0 });
      expect(await reader.receiveTexts(1)).toEqual([`from ${worker}`]);
      await reader.expectNothing();
    }
  });

  test('of many connects with one client identifier at once, one is left, and nothing is lost', async () => {
    await using node = await WorkerNode.start(store);
    const publisher = await node.connectAt(0, { clientId: 'publisher' });
    const first = await node.connectAt(1, durable);
    await first.subscribe('news', 1);
    const wires = await Promise.all(Array.from({ length: 16 }, () => node.openAnywhere()));
    const twins = new ConnectedTwins(wires, durable);
    const texts = Array.from({ length: 30 }, (_, number) => `${number}`);
    for (const payload of texts) await publisher.publish({ topic: 'news', payload, qos: 1 });
    await twins.untilOneIsLeft();
    await node.untilConnections(2);
    await twins.untilDelivered(texts);
    await publisher.publish({ topic: 'news', payload: 'last', qos: 1 });
    await twins.untilDelivered(['last']);
    expect(firstArrivals(twins.delivered)).toEqual([...texts, 'last']);
  });
});

/** Every text once, where it came first. */
function firstArrivals(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
