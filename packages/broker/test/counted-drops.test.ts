/**
 * Count `dropped['no-subscriber']`, whichever way a PUBLISH goes (handlers/publish.ts): a message that no subscription
 * takes, retained or not.
 */
import { describe, expect, test } from 'vitest';
import { type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const lasts = { properties: { messageExpiryInterval: 10 } };

/** Packets that go by each way of handlers/publish.ts. */
const ways = [
  ['QoS 0 in a batch', publish('t', 'x')],
  ['QoS 0 with an expiry, by itself', publish('t', 'x', 0, 0, lasts)],
  ['QoS 0 with RETAIN, routed', publish('t', 'x', 0, 0, { retain: true })],
  ['QoS 1', publish('t', 'x', 1, 1)],
  ['QoS 2', publish('t', 'x', 2, 1)],
] as const;

const sessionKept = { cleanStart: false, expiry: 1000 };

/** Subscribers to the topic, and how many messages with QoS 0 and above it count as dropped then. */
const audiences: [string, (workers: Worker[], publisher: Client) => Promise<unknown>, number, number][] = [
  ['nobody', async () => {}, 1, 1],
  ['a client here', async ([here]) => (await here.connect('s')).subscribe('t', 2), 0, 0],
  ['a client of another worker', async ([, other]) => (await other.connect('s')).subscribe('t', 2), 0, 0],
  [
    'a session without a client: its log takes QoS 1 and 2',
    async ([here]) => {
      const client = await here.connect('s', sessionKept);
      await client.subscribe('t', 2);
      await client.drop();
    },
    1,
    0,
  ],
  ['a shared group', async ([here]) => (await here.connect('s')).subscribe('$share/g/t', 2), 0, 0],
  [
    'the publisher alone, which wants none of its own: it is a subscriber all the same',
    async (_workers, publisher) => publisher.subscribe('t', 2, { noLocal: true }),
    0,
    0,
  ],
];

describe('a message without a subscriber', () => {
  describe.each(audiences)('subscribed: %s', (_who, subscribe, dropped0, dropped1) => {
    test.each(ways)('%s', async (_way, packet) => {
      const { world, workers } = await World.of(2);
      const publisher = await workers[0].connect('p');
      await subscribe(workers, publisher);
      await publisher.send(packet);
      await world.clock.settle();
      const counts = workers.map(({ broker }) => broker.metrics.dropped['no-subscriber']);
      const isAcknowledged = packet.type === 'publish' && packet.qos > 0;
      expect(counts).toEqual([isAcknowledged ? dropped1 : dropped0, 0]);
    });
  });
});
