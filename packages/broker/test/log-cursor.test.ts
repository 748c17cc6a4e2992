/** One session's way through a log: behind, live, gaps, and what is no longer there. */
import { expect, test } from 'vitest';
import { ack, type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;

async function take(client: Client): Promise<string[]> {
  const got: string[] = [];
  for (let packets = client.received(); packets.length > 0; packets = client.received()) {
    for (const packet of packets) {
      if (packet.type !== 'publish') continue;
      got.push(packet.payload.toString());
      await client.send(ack('puback', packet.packetId));
    }
  }
  return got;
}

function reads(worker: Worker): number {
  return worker.gate.calls.filter((call) => call === 'readLog').length;
}

test('live: messages come without reading the log; behind: pages; and live again', async () => {
  const { worker } = await World.alone({ limits: { logPageMessages: 4 } });
  const client = await worker.connect('c', { ...durable, properties: { receiveMaximum: 3 } });
  await client.subscribe('t', 1);
  const publisher = await worker.connect('p');
  for (let i = 1; i <= 5; i++) {
    await publisher.send(publish('t', String(i), 1, i));
    expect(await take(client)).toEqual([String(i)]);
  }
  expect(reads(worker)).toBe(0);
  for (let i = 6; i <= 20; i++) await publisher.send(publish('t', String(i), 1, i));
  expect(await take(client)).toEqual(Array.from({ length: 15 }, (_, i) => String(6 + i)));
  const before = reads(worker);
  expect(before).toBeGreaterThanOrEqual(3);
  expect(before).toBeLessThanOrEqual(6);
  await publisher.send(publish('t', '21', 1, 21));
  expect(await take(client)).toEqual(['21']);
  expect(reads(worker)).toBe(before);
});

test('a frame that was lost shows as a gap, and the log fills it', async () => {
  const { world, workers } = await World.of(2);
  const client = await workers[0].connect('c', durable);
  await client.subscribe('t', 1);
  const publisher = await workers[1].connect('p');
  const { cluster } = workers[0].broker;
  const received = cluster.received.bind(cluster);
  await publisher.send(publish('t', 'a', 1, 1));
  cluster.received = () => {};
  await publisher.send(publish('t', 'lost', 1, 2));
  cluster.received = received;
  await publisher.send(publish('t', 'c', 1, 3));
  await world.clock.settle();
  expect(await take(client)).toEqual(['a', 'lost', 'c']);
  expect(workers[0].broker.metrics.logGaps).toBe(1);
});

test('numbers that were trimmed or have expired are passed over, and the log can be trimmed behind them', async () => {
  const { world, worker } = await World.alone({ limits: { logMessagesMax: 3 } });
  const first = await worker.connect('c', durable);
  await first.subscribe('t', 1);
  await first.drop();
  const publisher = await worker.connect('p');
  for (let i = 1; i <= 10; i++) await publisher.send(publish('t', String(i), 1, i));
  await publisher.send(publish('t', 'expires', 1, 11, { properties: { messageExpiryInterval: 1 } }));
  await world.clock.pass(6000);
  expect(worker.broker.metrics.dropped['log-limit']).toBeGreaterThan(0);
  const second = await worker.dial('c', durable);
  expect(second.received()[0].type).toBe('connack');
  await publisher.send(publish('t', 'after', 1, 12));
  await world.clock.settle();
  const again = await worker.dial('c', durable);
  const got = await take(again);
  expect(got.at(-1)).toBe('after');
  expect(got).not.toContain('expires');
  expect(got).not.toContain('1');
  await world.clock.pass(200);
  const { session } = await world.store.claim(
    { clientId: 'c', owner: 'x', cleanStart: false, sessionExpirySeconds: 10 },
    world.clock.now(),
  );
  expect(session?.cursors).toEqual([{ filter: 't', acknowledged: 12, above: [] }]);
});

test('acknowledgements out of order are kept as "all up to, and these above", and survive a crash', async () => {
  const { world, worker } = await World.alone();
  const first = await worker.connect('c', durable);
  await first.subscribe('t', 1);
  const publisher = await worker.connect('p');
  for (let i = 1; i <= 5; i++) await publisher.send(publish('t', String(i), 1, i));
  await first.send(ack('puback', 1), ack('puback', 3), ack('puback', 5));
  await world.clock.pass(200);
  const next = await world.replace(worker);
  const second = await next.dial('c', durable);
  expect(await take(second)).toEqual(['2', '4']);
});
