/** QoS 2 messages that MQTT 3 clients do not release: a burst is taken, and hoards go when they are too much together. */
import { expect, test } from 'vitest';
import { UnreleasedMessages } from '../src/guards/unreleased-messages.ts';
import { ack, type Client, publish } from './support/client.ts';
import { World } from './support/world.ts';

/** Sends messages with these identifiers, and reads the PUBRECs. */
async function send(client: Client, from: number, to: number): Promise<void> {
  const ids = Array.from({ length: to - from }, (_, i) => from + i);
  await client.send(...ids.map((id) => publish('t', 'x', 2, id)));
  expect(client.said()).toEqual(ids.map((id) => `pubrec #${id}`));
}

const options = { version: 4 as const };

test('20,000 messages at once, as clients without flow control use them, and then PUBREL for each', async () => {
  const { worker } = await World.alone();
  const client = await worker.connect('c', options);
  for (let from = 1; from <= 20_000; from += 5000) await send(client, from, from + 5000);
  for (const id of [1, 8001, 20_000]) {
    await client.send(ack('pubrel', id));
    expect(client.said()).toEqual([`pubcomp #${id}`]);
  }
});

test('the client goes that has been over its window for longest, others stay, and its end is counted', async () => {
  // Eight messages are the window of each.
  const { world, worker } = await World.alone({ limits: { receiveMaximum: 1, unreleasedMessagesMax: 100 } });
  const hoarder = await worker.connect('hoarder', options);
  await send(hoarder, 1, 40);
  const burst = await worker.connect('burst', options);
  await send(burst, 1, 60);
  await burst.send(...Array.from({ length: 59 }, (_, i) => ack('pubrel', i + 1)));
  expect(burst.said().length).toBe(59);
  const small = await worker.connect('small', options);
  await send(small, 1, 9);
  const late = await worker.connect('late', options);
  await send(late, 1, 78);
  expect(hoarder.isClosed).toBe(false);
  await send(late, 78, 79);
  await world.clock.settle();
  expect([hoarder, burst, small, late].map((client) => client.isClosed)).toEqual([true, false, false, false]);
  expect(worker.log.join('\n')).toContain('39 messages of QoS 2 unreleased');
  expect(worker.broker.metrics.listener('test').closed['quota-exceeded']).toBe(1);
  // The room that it leaves is there for others, also when they leave.
  await late.drop();
  await send(burst, 1, 108);
  expect(burst.isClosed).toBe(false);
  await send(burst, 108, 109);
  await send(burst, 109, 110);
  await world.clock.settle();
  expect([burst.isClosed, small.isClosed]).toEqual([true, false]);
});

test('an MQTT 5 client is held to its window alone', async () => {
  const { worker } = await World.alone({ limits: { receiveMaximum: 1, unreleasedMessagesMax: 0 } });
  const client = await worker.connect('c');
  await client.send(...Array.from({ length: 8 }, (_, i) => publish('t', 'x', 2, i + 1)));
  expect(client.said().length).toBe(8);
  await client.send(publish('t', 'x', 2, 9));
  expect(client.said()).toEqual(['disconnect 0x93']);
});

test('messages are counted until they are released, or their client is gone', () => {
  const ended: [string, number][] = [];
  const counted = new UnreleasedMessages<string>(10, 20, (client, messages) => ended.push([client, messages]));
  counted.received('a', 10);
  counted.received('a', 20);
  counted.received('b', 20);
  counted.released('a', 15);
  counted.received('c', 15);
  expect(ended).toEqual([]);
  counted.received('c', 16);
  expect(ended).toEqual([['a', 15]]);
  counted.released('a', 14);
  counted.received('d', 14);
  expect(ended.length).toBe(1);
  counted.forget('b');
  counted.received('d', 24);
  expect(ended.length).toBe(1);
  counted.received('d', 25);
  expect(ended[1]).toEqual(['c', 16]);
});
