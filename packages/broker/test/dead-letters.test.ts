/** Messages of shared groups that are delivered in vain too often. */
import { describe, expect, test } from 'vitest';
import { publish } from './support/client.ts';
import { durable, feed, member, payloads } from './support/group-clients.ts';
import { type Worker, World } from './support/world.ts';

describe('dead letters', () => {
  /** A client that takes its message and leaves, again and again. */
  async function fail(worker: Worker, times: number): Promise<number> {
    let got = 0;
    for (let i = 0; i < times; i++) {
      const client = await worker.dial('d', durable);
      got += payloads(client.received()).filter((payload) => payload === 'poison').length;
      await client.drop();
    }
    return got;
  }

  test('after the deliveries that a message has, under any leader', async () => {
    const { worker } = await World.alone({ limits: { groupDeliveriesMax: 3 } });
    const reader = await worker.connect('u');
    await reader.subscribe('$dead-letter/#', 1);
    const first = await member(worker, 'd');
    await first.drop();
    await feed(await worker.connect('p'), ['poison', 'good']);
    expect(await fail(worker, 6)).toBe(3);
    expect(reader.said()).toEqual([
      'publish $dead-letter/g/jobs poison q1 #1',
      'publish $dead-letter/g/jobs good q1 #2',
    ]);
    expect(worker.broker.metrics.deadLetters).toBe(2);
    expect(worker.broker.metrics.dropped['dead-letter']).toBe(0);
    const last = await worker.connect('d', durable);
    expect(last.said()).toEqual([]);
  });

  test('dropped and counted without a subscriber; 0: any number of deliveries', async () => {
    const { worker } = await World.alone({ limits: { groupDeliveriesMax: 2 } });
    await (await member(worker, 'd')).drop();
    await feed(await worker.connect('p'), ['poison']);
    expect(await fail(worker, 5)).toBe(2);
    expect(worker.broker.metrics.dropped['dead-letter']).toBe(1);
    const { worker: other } = await World.alone({ limits: { groupDeliveriesMax: 0 } });
    await (await member(other, 'd')).drop();
    await feed(await other.connect('p'), ['poison']);
    expect(await fail(other, 40)).toBe(40);
  });

  test('clients may not publish them', async () => {
    const { worker } = await World.alone();
    const client = await worker.connect('c');
    await client.send(publish('$dead-letter/g/t', 'x', 1, 1));
    expect(client.said()).toEqual(['puback #1 0x87']);
  });
});
