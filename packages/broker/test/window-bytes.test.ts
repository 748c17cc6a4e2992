/** The window of a session in bytes: what a client that does not read, or does not acknowledge, keeps in memory (P7). */
import { type PacketOf, publishPacket } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import type { Limits } from '../src/ports/limits.ts';
import { ack, type Client, connect, publish, subscribe } from './support/client.ts';
import { numbers, pair, payloads } from './support/pair.ts';
import { World } from './support/world.ts';

/** Messages of a hundred and some bytes each, numbered from 1. */
const filling = '.'.repeat(100);
const numbered = (i: number, qos: 1 | 2): PacketOf<'publish'> =>
  publishPacket({ topic: `t/${i}`, payload: `${i} ${filling}`, qos, packetId: i });

/** Acknowledges whatever comes until nothing more does; returns the numbers of all messages. */
async function takeAll(client: Client): Promise<string[]> {
  const got: string[] = [];
  for (let packets = client.received(); packets.length > 0; packets = client.received()) {
    for (const packet of packets) {
      if (packet.type === 'publish') got.push(packet.payload.toString().split(' ')[0]);
      if (packet.type === 'publish' && packet.qos > 0)
        await client.send(ack(packet.qos === 1 ? 'puback' : 'pubrec', packet.packetId));
      if (packet.type === 'pubrel') await client.send(ack('pubcomp', packet.packetId));
    }
  }
  return got;
}

/** The client reads again, and what waited for its socket has left. */
function readAgain({ transport, connection }: Client): void {
  transport.reads = true;
  transport.pendingBytes = 0;
  connection.drained();
}

/** Ways by which messages of QoS 1 and 2 come to a client that has stopped to read. Each returns it, and has sent 40. */
const waysIn: [string, (qos: 1 | 2, limits: Partial<Limits>) => Promise<Client>][] = (
  [
    ['live, to an ephemeral session', 1, 't/+', {}],
    ['live, to a durable session', 1, 't/+', { expiry: 100 }],
    ['from another worker, to an ephemeral session', 2, 't/+', {}],
    ['from another worker, to a durable session', 2, 't/+', { expiry: 100 }],
    ['to the only member of a shared group', 1, '$share/g/t/+', {}],
    ['to the only member of a shared group with a log', 1, '$share/g/t/+', { expiry: 100 }],
    ['to the only member of a shared group with a log, from another worker', 2, '$share/g/t/+', { expiry: 100 }],
  ] as const
).map(([what, count, filter, options]) => [
  what,
  async (qos, limits) => {
    const { workers } = await World.of(count, { limits });
    const subscriber = await workers[0].connect('s', options);
    await subscriber.subscribe(filter, 2);
    subscriber.transport.reads = false;
    const publisher = await workers[count - 1].connect('p');
    for (let i = 1; i <= 40; i++) await publisher.send(numbered(i, qos));
    return subscriber;
  },
]);
waysIn.push([
  'in one chunk from another worker',
  async (_qos, limits) => {
    const { workers } = await World.of(2, { limits });
    const subscriber = await workers[0].connect('s');
    await subscriber.subscribe('t', 2);
    subscriber.transport.reads = false;
    const publisher = await workers[1].connect('p');
    for (let i = 1; i <= 40; i += 4)
      await publisher.send(...[0, 1, 2, 3].map((n) => ({ ...numbered(i + n, 1), topic: 't' })));
    return subscriber;
  },
]);
waysIn.push([
  'retained',
  async (qos, limits) => {
    const { worker } = await World.alone({ limits });
    const publisher = await worker.connect('p');
    for (let i = 1; i <= 40; i++) await publisher.send({ ...numbered(i, qos), retain: true });
    const subscriber = worker.socket();
    subscriber.transport.reads = false;
    await subscriber.send(connect('s'));
    await subscriber.send(subscribe('t/+', 2));
    return subscriber;
  },
]);
waysIn.push([
  'in flight before a reconnect',
  async (qos, limits) => {
    // The window of the first connection was wider.
    const { worker } = await World.alone({ limits });
    const durable = { expiry: 100, cleanStart: false };
    const subscriber = await worker.connect('s', durable);
    await subscriber.subscribe('t/+', 2);
    const publisher = await worker.connect('p');
    const { inflightBytesMax } = worker.broker.limits;
    worker.broker.limits.inflightBytesMax = 100_000;
    for (let i = 1; i <= 40; i++) await publisher.send(numbered(i, qos));
    worker.broker.limits.inflightBytesMax = inflightBytesMax;
    await subscriber.drop();
    const again = worker.socket();
    again.transport.reads = false;
    await again.send(connect('s', durable));
    return again;
  },
]);

/** Seen to fail where the window counted messages alone. */
describe.each(waysIn)('P7: the window counts bytes: %s', (_what, fill) => {
  test.each([
    ['QoS 1: in flight', 1, { inflightBytesMax: 1000 }],
    ['QoS 2: in flight', 2, { inflightBytesMax: 1000 }],
    ['QoS 1: waiting for the socket', 1, { outputBufferBytesMax: 1000 }],
    ['QoS 2: waiting for the socket', 2, { outputBufferBytesMax: 1000 }],
  ] as const)('%s', async (_which, qos, limits) => {
    const subscriber = await fill(qos, limits);
    expect(subscriber.transport.pendingBytes).toBeLessThan(1700); // a chunk may go beyond it
    readAgain(subscriber);
    const got = await takeAll(subscriber);
    expect(got.sort((a, b) => Number(a) - Number(b))).toEqual(numbers(1, 40));
  });
});

describe('limits.inflightBytesMax', () => {
  test.each([
    ['an ephemeral session', {}],
    ['a durable session', { expiry: 100 }],
  ])('%s has room while less than that is unacknowledged, for a larger message too', async (_what, options) => {
    const { subscriber, publisher } = await pair({ inflightBytesMax: 100 }, options);
    const sizes = [150, 40, 40, 40, 200, 1];
    for (const [i, size] of sizes.entries()) await publisher.send(publish('t', `${i}`.repeat(size), 1, i + 1));
    const inFlight = () => payloads(subscriber).map((payload) => payload[0]);
    expect(inFlight()).toEqual(['0']);
    await subscriber.send(ack('puback', 1));
    expect(inFlight()).toEqual(['1', '2', '3']);
    await subscriber.send(ack('puback', 2));
    expect(inFlight()).toEqual(['4']);
    await subscriber.send(ack('puback', 3), ack('puback', 4));
    expect(inFlight()).toEqual([]);
    await subscriber.send(ack('puback', 5));
    expect(inFlight()).toEqual(['5']);
  });

  test('QoS 2: PUBREC ends what a message counts, since it is not sent again', async () => {
    const { worker, subscriber, publisher } = await pair({ inflightBytesMax: 100 }, {});
    await publisher.send(publish('t', 'x'.repeat(100), 2, 1));
    expect(worker.view.session('s')?.outboundBytes).toBe(101);
    await subscriber.send(ack('pubrec', 1));
    expect(worker.view.session('s')?.outboundBytes).toBe(0);
    await publisher.send(publish('t', 'y', 2, 2));
    expect(subscriber.said().at(-1)).toBe('publish t y q2 #2');
  });
});

/** Seen to fail where only acknowledgements made room. */
test.each([
  ['an ephemeral session', {}],
  ['a durable session', { expiry: 100 }],
])(
  'P7: QoS 1 behind QoS 0 that fills the output buffer waits, and comes when the socket has drained: %s',
  async (_what, options) => {
    const { worker, subscriber, publisher } = await pair({ outputBufferBytesMax: 1000 }, options);
    subscriber.transport.reads = false;
    for (let i = 0; i < 20; i++) await publisher.send(publish('t', 'x'.repeat(100)));
    for (let i = 1; i <= 20; i++) await publisher.send(numbered(i, 1));
    expect(subscriber.transport.pendingBytes).toBeLessThan(1200);
    expect(worker.view.session('s')?.outbound).toBe(0);
    await subscriber.subscribe('t/+', 1);
    for (let i = 1; i <= 20; i++) await publisher.send(numbered(i, 1));
    expect(worker.view.session('s')?.outbound).toBe(0);
    readAgain(subscriber);
    await subscriber.send({ type: 'pingreq' });
    expect((await takeAll(subscriber)).filter((number) => !number.startsWith('x'))).toEqual(numbers(1, 20));
  },
);

/** Seen to fail with two copies, one for each session. */
test.each([
  ['of the same worker', 1],
  ['of another worker', 2],
])('a message that waits in several sessions is held once: %s', async (_what, count) => {
  const { workers } = await World.of(count);
  for (const clientId of ['a', 'b']) {
    const subscriber = await workers[0].connect(clientId, { properties: { receiveMaximum: 1 } });
    await subscriber.subscribe('t', 1);
  }
  const publisher = await workers[count - 1].connect('p');
  await publisher.send(publish('t', '1', 1, 1), publish('t', '2', 1, 2));
  const held = [...workers[0].view.firstWaiting(['a', 'b'])];
  expect(held.map((bytes) => bytes?.subarray(-1).toString())).toEqual(['2']);
});
