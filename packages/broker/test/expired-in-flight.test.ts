/**
 * A message that was sent before it expired, and was not acknowledged: it is sent again after a reconnect all the same, though the log that it came from has
 * dropped it since. Its content goes with its packet identifier (LogDelivery.sendLogged).
 */
import { describe, expect, test } from 'vitest';
import { ack, type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;

/** A durable subscriber on the first worker that was sent one message, which expires after 5 seconds. */
async function sentOne(workers: Worker[], qos: 1 | 2): Promise<Client> {
  const client = await workers[0].connect('d', durable);
  await client.subscribe('t', qos);
  const publisher = await workers[0].connect('p');
  await publisher.send(publish('t', 'x', qos, 1, { properties: { messageExpiryInterval: 5 } }));
  expect(client.said()).toEqual([`publish t x q${qos} #1`]);
  return client;
}

/** Long enough for the message to expire and for the log to be trimmed. */
async function expire(world: World): Promise<void> {
  await world.clock.pass(20_000);
  expect((await world.store.logs.read('t', 1, 10, 1000, 0)).entries).toEqual([]);
}

/** The client answers what it was sent again, and then has nothing left to be sent. */
async function acknowledgeAll(client: Client, qos: 1 | 2): Promise<void> {
  await client.send(ack(qos === 1 ? 'puback' : 'pubrec', 1));
  if (qos === 2) await client.send(ack('pubcomp', 1));
  expect(client.said()).toEqual(qos === 2 ? ['pubrel #1'] : []);
}

/** Seen to fail with `expires` set to false in LogDelivery.sendLogged. */
describe.each([1, 2] as const)('QoS %i', (qos) => {
  test('it expires while the client is away [MQTT-4.4.0-1]', async () => {
    const { world, worker } = await World.alone();
    const first = await sentOne([worker], qos);
    await first.drop();
    await expire(world);
    const second = await worker.dial('d', durable);
    expect(second.said()).toEqual(['connack 0x00 present', `publish t x q${qos} #1 dup`]);
    await acknowledgeAll(second, qos);
    await second.drop();
    expect((await worker.dial('d', durable)).said()).toEqual(['connack 0x00 present']);
  });

  test.each([
    ['the same worker', 0],
    ['another worker', 1],
  ])('it expires while the client does not answer, and the client connects anew to %s', async (_where, place) => {
    const { world, workers } = await World.of(2);
    await sentOne(workers, qos);
    await expire(world);
    const second = await workers[place].dial('d', durable);
    expect(second.said()).toEqual(['connack 0x00 present', `publish t x q${qos} #1 dup`]);
    await acknowledgeAll(second, qos);
  });

  test('the rest of its interval goes with it [MQTT-3.3.2-6]', async () => {
    const { world, worker } = await World.alone();
    const first = await sentOne([worker], qos);
    await first.drop();
    await world.clock.pass(3000);
    const second = await worker.dial('d', durable);
    expect(second.received()).toMatchObject([
      { type: 'connack' },
      { type: 'publish', dup: true, properties: { messageExpiryInterval: 2 } },
    ]);
  });
});

test('QoS 2: it expires after its worker has died [MQTT-4.3.3-7]', async () => {
  const { world, worker } = await World.alone();
  await sentOne([worker], 2);
  const next = await world.replace(worker);
  await expire(world);
  const second = await next.dial('d', durable);
  expect(second.said()).toEqual(['connack 0x00 present', 'publish t x q2 #1 dup']);
  await acknowledgeAll(second, 2);
});

test('what was never sent is not sent after it has expired [MQTT-3.3.2-5]', async () => {
  const { world, worker } = await World.alone();
  const first = await worker.connect('d', { ...durable, properties: { receiveMaximum: 1 } });
  await first.subscribe('t', 1);
  const publisher = await worker.connect('p');
  const properties = { messageExpiryInterval: 5 };
  await publisher.send(publish('t', 'sent', 1, 1, { properties }), publish('t', 'queued', 1, 2, { properties }));
  expect(first.said()).toEqual(['publish t sent q1 #1']);
  await first.drop();
  await expire(world);
  const second = await worker.dial('d', durable);
  expect(second.said()).toEqual(['connack 0x00 present', 'publish t sent q1 #1 dup']);
  await second.send(ack('puback', 1));
  expect(second.said()).toEqual([]);
});
