/** Rates of clients and users (guards/client-rates.ts): over them a client is late, and loses nothing but QoS 0. */
import { publishPacket } from '@dunlin/testkit';
import { describe, expect, test } from 'vitest';
import type { Authenticator } from '../src/ports/authenticator.ts';
import type { Limits } from '../src/ports/limits.ts';
import { ack, type Client, publish, subscribe } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

/** Lets everybody in under the name that was given. */
const byName: Authenticator = {
  authenticate: ({ userName }) => Promise.resolve({ kind: 'accept', userName }),
  exchange: () => null,
};

function payloads(client: Client): string[] {
  return client.received().flatMap((packet) => (packet.type === 'publish' ? [packet.payload.toString()] : []));
}

/** Takes what has come and acknowledges it; returns the payloads. */
async function acknowledged(client: Client): Promise<string[]> {
  const packets = client.received().filter((packet) => packet.type === 'publish');
  for (const { packetId, qos } of packets) if (qos > 0) await client.send(ack('puback', packetId));
  return packets.map(({ payload }) => payload.toString());
}

async function pair(
  limits: Partial<Limits>,
  options: object = {},
): Promise<{ world: World; worker: Worker; subscriber: Client; publisher: Client }> {
  const { world, worker } = await World.alone({ limits });
  const subscriber = await worker.connect('s', options);
  await subscriber.subscribe('#', 2);
  return { world, worker, subscriber, publisher: await worker.connect('p') };
}

const texts = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => String(first + i));

async function sendEach(client: Client, qos: 0 | 1, first: number, last: number): Promise<void> {
  for (const payload of texts(first, last))
    await client.send(publishPacket({ topic: 't', payload, qos, packetId: qos === 0 ? 0 : Number(payload) }));
}

describe('what a client sends', () => {
  test('over its rate of messages it is not read until it has tokens again, and nothing is lost', async () => {
    const { world, worker, subscriber, publisher } = await pair({ messagesInPerSecond: 10, rateBurstSeconds: 2 });
    await sendEach(publisher, 0, 1, 20);
    expect(publisher.transport.paused).toBe(false);
    await publisher.send(...texts(21, 25).map((text) => publish('t', text)));
    expect(publisher.transport.paused).toBe(true);
    expect(worker.broker.metrics.rateLimitedIn).toBe(1);
    await world.clock.pass(400);
    expect(publisher.transport.paused).toBe(true);
    await world.clock.pass(200);
    expect(publisher.transport.paused).toBe(false);
    expect(payloads(subscriber)).toEqual(texts(1, 25));
  });

  test('over its rate of bytes as well, and no longer than a minute', async () => {
    const { world, publisher } = await pair({ bytesInPerSecond: 1000, rateBurstSeconds: 1 });
    await publisher.send(publish('t', 'x'.repeat(3000)));
    expect(publisher.transport.paused).toBe(true);
    await world.clock.pass(1900);
    expect(publisher.transport.paused).toBe(true);
    await world.clock.pass(200);
    expect(publisher.transport.paused).toBe(false);
    await publisher.send(publish('t', 'x'.repeat(200_000)));
    await world.clock.pass(59_000);
    expect(publisher.transport.paused).toBe(true);
    await world.clock.pass(1100);
    expect(publisher.transport.paused).toBe(false);
  });

  test('its silence while it is not read does not end it', async () => {
    const { world, worker } = await World.alone({ limits: { bytesInPerSecond: 100, rateBurstSeconds: 1 } });
    const client = await worker.connect('k', { keepAliveSeconds: 2 });
    await client.send(publish('t', 'x'.repeat(3000)));
    await world.clock.pass(20_000);
    expect([client.isClosed, client.transport.paused]).toEqual([false, true]);
  });

  test('packets that were held behind a SUBSCRIBE are charged when they take effect', async () => {
    const { worker } = await World.alone({ limits: { messagesInPerSecond: 10, rateBurstSeconds: 1 } });
    const client = await worker.connect('d', { expiry: 100 });
    worker.gate.block('sessions.subscribe');
    await client.send(subscribe('a', 1), ...texts(1, 15).map((text) => publish('t', text)));
    expect(client.transport.paused).toBe(false);
    worker.gate.open('sessions.subscribe');
    await client.send();
    expect(client.transport.paused).toBe(true);
  });

  test('SUBSCRIBE packets have a rate of their own', async () => {
    const { worker, world } = await World.alone({ limits: { subscribesPerSecond: 2, rateBurstSeconds: 1 } });
    const client = await worker.connect('d');
    for (const filter of ['a', 'b']) await client.subscribe(filter, 0);
    expect(client.transport.paused).toBe(false);
    await client.subscribe('c', 0);
    expect(client.transport.paused).toBe(true);
    await world.clock.pass(600);
    expect(client.transport.paused).toBe(false);
  });
});

describe('what a client is sent', () => {
  test('over its rate QoS 0 is dropped and counted', async () => {
    const { world, worker, subscriber, publisher } = await pair({ messagesOutPerSecond: 10, rateBurstSeconds: 1 });
    await sendEach(publisher, 0, 1, 20);
    expect(payloads(subscriber)).toEqual(texts(1, 11));
    expect(worker.broker.metrics.dropped['over-rate']).toBe(9);
    expect(worker.broker.metrics.rateLimitedOut).toBe(1);
    await world.clock.pass(150);
    await sendEach(publisher, 0, 21, 21);
    expect(payloads(subscriber)).toEqual(['21']);
  });

  test.each([
    ['an ephemeral session', {}],
    ['a durable session', { expiry: 100 }],
  ])('over its rate QoS 1 waits, and all of it comes in its order: %s', async (_what, options) => {
    const { world, subscriber, publisher } = await pair({ messagesOutPerSecond: 10, rateBurstSeconds: 1 }, options);
    await sendEach(publisher, 1, 1, 40);
    const got = await acknowledged(subscriber);
    expect(got.length).toBeGreaterThanOrEqual(10);
    expect(got.length).toBeLessThan(15);
    for (let tenths = 0; tenths < 40; tenths++) {
      await world.clock.pass(100);
      got.push(...(await acknowledged(subscriber)));
    }
    expect(got).toEqual(texts(1, 40));
  });

  test('a client that is over its rate in what it is sent is read all the same', async () => {
    const { subscriber, publisher } = await pair({ bytesOutPerSecond: 100, rateBurstSeconds: 1 });
    await publisher.send(publish('t', 'x'.repeat(3000)));
    subscriber.received();
    await subscriber.send({ type: 'pingreq' });
    expect(subscriber.said()).toEqual(['pingresp']);
  });
});

test('the clients of a user share its rates, and nobody else has part in them', async () => {
  const limits = { userMessagesInPerSecond: 10, rateBurstSeconds: 1 };
  const { worker } = await World.alone({ limits, authenticator: byName });
  const [first, second, other, nameless] = [
    await worker.connect('1', { userName: 'ann' }),
    await worker.connect('2', { userName: 'ann' }),
    await worker.connect('3', { userName: 'bob' }),
    await worker.connect('4'),
  ];
  await sendEach(first, 0, 1, 10);
  await sendEach(nameless, 0, 1, 20);
  await sendEach(second, 0, 11, 11);
  await sendEach(other, 0, 12, 12);
  const paused = [first, second, other, nameless].map(({ transport }) => transport.paused);
  expect(paused).toEqual([false, true, false, false]);
});

test('a client that ends while it rests is forgotten at once', async () => {
  const { worker, publisher } = await pair({ messagesInPerSecond: 10, rateBurstSeconds: 1 });
  await sendEach(publisher, 0, 1, 11);
  expect(worker.view.restingClients).toBe(1);
  await publisher.drop();
  expect(worker.view.restingClients).toBe(0);
});
