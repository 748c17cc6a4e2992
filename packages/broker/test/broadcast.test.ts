/** Broadcasts: one frame to all endpoints instead of one for each (ARCHITECTURE.md, section 3, step 5). */
import { describe, expect, test } from 'vitest';
import { FrameType } from '../src/cluster/frames.ts';
import { type Client, publish } from './support/client.ts';
import { frameType, type LossyHub } from './support/lossy-backplane.ts';
import { drain, lossy } from './support/lossy-world.ts';
import type { Worker } from './support/world.ts';

describe('broadcast', () => {
  /** Frames of a type that the first worker sends while `during` runs, by receiver. */
  async function sentBy(hub: LossyHub, from: Worker, type: number, during: () => Promise<void>): Promise<string[]> {
    const seen: string[] = [];
    hub.loses = (sender, to, bytes) => {
      if (sender === from.broker.self && frameType(bytes) === type) seen.push(to);
      return false;
    };
    await during();
    hub.loses = () => false;
    return seen;
  }

  test('QoS 0 to most endpoints is one frame to all; those without subscribers drop it', async () => {
    const { world, workers, hub } = await lossy(5);
    const subscribers: Client[] = [];
    for (const worker of workers.slice(1, 4)) {
      const client = await worker.connect(`s${subscribers.length}`);
      await client.subscribe('t', 0);
      subscribers.push(client);
    }
    const publisher = await workers[0].connect('p');
    const before = workers[0].broker.metrics.framesSent;
    const to = await sentBy(hub, workers[0], FrameType.broadcast, async () => {
      for (let i = 0; i < 3; i++) publisher.put(publish('t', `m${i}`));
      await world.clock.settle();
    });
    expect(to).toEqual(workers.slice(1).map((worker) => worker.broker.self));
    expect(workers[0].broker.metrics.framesSent - before).toBe(1);
    for (const client of subscribers)
      expect(client.said()).toEqual(['publish t m0 q0', 'publish t m1 q0', 'publish t m2 q0']);
    expect(workers[4].broker.metrics.dropped['no-subscriber']).toBe(0);
  });

  test('few receivers, or ephemeral ones of QoS 1, get frames of their own', async () => {
    const { workers, hub } = await lossy(5);
    for (const worker of workers.slice(1, 4)) {
      const client = await worker.connect(`s${worker.broker.self}`);
      await client.subscribe('three', 1);
      if (worker !== workers[3]) await client.subscribe('two', 0);
    }
    const publisher = await workers[0].connect('p');
    const to = await sentBy(hub, workers[0], FrameType.broadcast, async () => {
      await publisher.send(publish('two', 'x'), publish('three', 'x', 1, 1));
    });
    expect(to).toEqual([]);
    expect(publisher.said()).toEqual(['puback #1']);
  });

  test('QoS 1 for durable subscribers alone is one frame with the log number; a lost one costs a delay', async () => {
    const { world, workers, hub } = await lossy(4);
    const subscribers: Client[] = [];
    for (const worker of workers.slice(1)) {
      const client = await worker.connect(`s${subscribers.length}`, { cleanStart: false, expiry: 1000 });
      await client.subscribe('t', 1);
      subscribers.push(client);
    }
    const publisher = await workers[0].connect('p');
    const to = await sentBy(hub, workers[0], FrameType.broadcast, () => publisher.send(publish('t', 'x', 1, 1)));
    expect(to).toHaveLength(3);
    for (const client of subscribers) expect(await drain(client)).toEqual(['x']);
    hub.loses = (_from, _to, bytes) => frameType(bytes) === FrameType.broadcast;
    await publisher.send(publish('t', 'y', 1, 2));
    expect(publisher.said()).toEqual(['puback #1', 'puback #2']);
    hub.loses = () => false;
    await world.clock.pass(11_000);
    for (const client of subscribers) expect(await drain(client)).toEqual(['y']);
  });

  /** Fails when routes change without Links.flushMessages. */
  test('P4: what goes another way since routes have changed comes after what went before', async () => {
    const { world, workers } = await lossy(5);
    const subscribers: Client[] = [];
    for (const worker of workers.slice(1, 4)) {
      const client = await worker.connect(`s${subscribers.length}`);
      await client.subscribe('t', 0);
      subscribers.push(client);
    }
    const publisher = await workers[0].connect('p');
    publisher.put(publish('t', 'to all'));
    workers[0].broker.routes.left(workers[3].broker.self);
    publisher.put(publish('t', 'to each'));
    await world.clock.settle();
    for (const client of subscribers.slice(0, 2))
      expect(client.said()).toEqual(['publish t to all q0', 'publish t to each q0']);
  });

  test('an endpoint that does not keep up gets less, and the others all', async () => {
    const { world, workers, hub } = await lossy(4, { linkBytesMax: 20_000 });
    const subscribers: Client[] = [];
    for (const worker of workers.slice(1)) {
      const client = await worker.connect(`s${subscribers.length}`);
      await client.subscribe('t', 0);
      subscribers.push(client);
    }
    const publisher = await workers[0].connect('p');
    hub.cut(workers[0].broker.self, workers[3].broker.self);
    for (let i = 0; i < 60; i++) {
      await publisher.send(publish('t', `${i} ${'x'.repeat(1000)}`));
      if (i % 10 === 9) await world.clock.pass(100);
    }
    for (const client of subscribers.slice(0, 2)) expect(await drain(client)).toHaveLength(60);
    expect(workers[0].broker.metrics.dropped['link-lost']).toBeGreaterThan(20);
  });
});
