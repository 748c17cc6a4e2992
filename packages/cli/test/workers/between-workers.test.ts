import { textsOf } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import { WorkerNode, workerCount } from './worker-node.ts';

const workers = Array.from({ length: workerCount }, (_, worker) => worker);

describe('between workers', () => {
  test.each([0, 1, 2] as const)('QoS %s from each worker to each: once, and in the order sent', async (qos) => {
    await using node = await WorkerNode.start();
    const subscribers = await node.connectEverywhere((worker) => ({ clientId: `subscriber-${worker}` }));
    for (const subscriber of subscribers) await subscriber.subscribe('from/+', qos);
    const publishers = await node.connectEverywhere((worker) => ({ clientId: `publisher-${worker}` }));
    const numbers = Array.from({ length: 50 }, (_, number) => number);
    const publishing = publishers.map(async (publisher, worker) => {
      for (const number of numbers) {
        await publisher.publish({ topic: `from/${worker}`, payload: `${worker} ${number}`, qos });
      }
    });
    await Promise.all(publishing);
    for (const subscriber of subscribers) {
      const texts = await subscriber.receiveTexts(workerCount * numbers.length);
      for (const worker of workers) {
        const fromWorker = texts.filter((text) => text.startsWith(`${worker} `));
        expect(fromWorker).toEqual(numbers.map((number) => `${worker} ${number}`));
      }
      await subscriber.expectNothing();
    }
  });

  test('a retained message is there for every worker, and gone for every worker', async () => {
    await using node = await WorkerNode.start();
    for (const setter of workers) {
      const topic = `kept/${setter}`;
      const publisher = await node.connectAt(setter, { clientId: `setter-${setter}` });
      await publisher.publish({ topic, payload: 'old', qos: 1, retain: true });
      await publisher.publish({ topic, payload: 'new', qos: 1, retain: true });
      const readers = await node.connectEverywhere((worker) => ({ clientId: `reader-${setter}-${worker}` }));
      for (const reader of readers) {
        await reader.subscribe(topic, 1);
        const [message] = await reader.receive((received) => received.length === 1);
        expect(message).toMatchObject({ topic, retain: true });
        expect(message.payload.toString()).toBe('new');
      }
      // The removal itself is an ordinary message for those who are subscribed.
      await publisher.publish({ topic, payload: '', qos: 1, retain: true });
      const late = await node.connectEverywhere((worker) => ({ clientId: `late-${setter}-${worker}` }));
      for (const reader of late) {
        await reader.subscribe(topic, 1);
        await reader.expectNothing();
      }
    }
  });

  test.each(['memory', 'lmdb'] as const)('a durable session is reached from any worker, store %s', async (store) => {
    await using node = await WorkerNode.start(store);
    const session = { clientId: 'traveller', cleanStart: false, sessionExpirySeconds: 3600 };
    let traveller = await node.connectAt(0, session);
    await traveller.subscribe('letters/#', 2);
    for (const home of [1, 2, 3, 0]) {
      traveller.send({ type: 'disconnect', reasonCode: 0, properties: {} });
      await traveller.expectClosed();
      const written: string[] = [];
      for (const worker of workers) {
        const writer = await node.connectAt(worker, { clientId: `writer-${worker}` });
        for (const qos of [1, 2] as const) {
          const payload = `${home} from ${worker} at QoS ${qos}`;
          await writer.publish({ topic: `letters/${worker}`, payload, qos });
          written.push(payload);
        }
      }
      traveller = await node.connectAt(home, session);
      const texts = await traveller.receiveTexts(written.length);
      // The order is kept within a QoS (P4).
      for (const qos of ['QoS 1', 'QoS 2']) {
        expect(texts.filter((text) => text.endsWith(qos))).toEqual(written.filter((text) => text.endsWith(qos)));
      }
      await traveller.expectNothing();
    }
  });

  test('the will of a client whose worker dies reaches the others', async () => {
    await using node = await WorkerNode.start();
    const watchers = [];
    for (const worker of workers.slice(1)) {
      const watcher = await node.connectAt(worker, { clientId: `watcher-${worker}` });
      await watcher.subscribe('wills/#', 1);
      watchers.push(watcher);
    }
    const will = { topic: 'wills/now', payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} } as const;
    const mortal = await node.connectAt(0, { clientId: 'mortal', will });
    const polite = await node.connectAt(0, { clientId: 'polite', will: { ...will, topic: 'wills/never' } });
    polite.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    await polite.expectClosed();
    await node.crash(0);
    await mortal.expectClosed();
    for (const watcher of watchers) {
      const [message] = await watcher.receive((received) => received.length === 1);
      expect(message).toMatchObject({ topic: 'wills/now', qos: 1 });
      await watcher.expectNothing();
    }
  });

  test('what a durable session had in flight on a worker that dies comes again on another', async () => {
    await using node = await WorkerNode.start('lmdb');
    const session = { clientId: 'survivor', cleanStart: false, sessionExpirySeconds: 3600 };
    const survivor = await node.connectAt(0, session);
    await survivor.subscribe('orders', 2);
    const publisher = await node.connectAt(1, { clientId: 'publisher' });
    const texts = Array.from({ length: 20 }, (_, number) => `order ${number}`);
    for (const payload of texts) await publisher.publish({ topic: 'orders', payload, qos: 2 });
    const packetIds: number[] = [];
    while (packetIds.length < texts.length) packetIds.push((await survivor.expect('publish')).packetId);
    await node.crash(0);
    await survivor.expectClosed();
    const again = await node.connectAt(2, session);
    const messages = await again.receive((received) => received.length === texts.length);
    expect(textsOf(messages)).toEqual(texts);
    expect(messages.map(({ packetId }) => packetId)).toEqual(packetIds);
    expect(messages.every(({ dup }) => dup)).toBe(true);
    await again.expectNothing();
  });

  test('a crash of one worker costs the others no message', async () => {
    await using node = await WorkerNode.start('lmdb');
    const subscriber = await node.connectAt(1, { clientId: 'subscriber' });
    await subscriber.subscribe('steady', 1);
    const bystander = await node.connectAt(3, { clientId: 'bystander' });
    await bystander.subscribe('steady', 1);
    const publisher = await node.connectAt(2, { clientId: 'publisher' });
    const texts = Array.from({ length: 300 }, (_, number) => `${number}`);
    const crash = node.crash(3);
    for (const [index, payload] of texts.entries()) {
      publisher.sendPublish({ topic: 'steady', payload, qos: 1 }, index + 1);
    }
    for (const [index] of texts.entries())
      await publisher.expectPacket({ type: 'puback', packetId: index + 1 }, 15_000);
    await crash;
    expect(await subscriber.receiveTexts(texts.length)).toEqual(texts);
  });
});
