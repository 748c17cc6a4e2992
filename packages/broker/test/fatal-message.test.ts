/** A message that a client cannot take: its connection ends each time it was sent. */
import { describe, expect, test } from 'vitest';
import { ack, type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;

const named = (worker: Worker): string[] => worker.log.filter((line) => line.includes('ends each time'));

type Ending = (client: Client) => Promise<void>;
const drop: Ending = (client) => client.drop();
const endings: [string, Ending][] = [
  ['is lost', drop],
  ['breaks a rule', (client) => client.send({ type: 'pingresp' })],
  ['says that the packet was wrong', (client) => client.send({ type: 'disconnect', reasonCode: 0x81, properties: {} })],
];

async function subscribed(worker: Worker, qos: 1 | 2): Promise<Client> {
  const client = await worker.connect('c', durable);
  await client.subscribe('t', qos);
  return client;
}

describe.each(endings)('a connection that %s', (_how, end) => {
  test.each([1, 2] as const)('three times over the same message (QoS %i): it is named once', async (qos) => {
    const { worker } = await World.alone();
    const client = await subscribed(worker, qos);
    await (await worker.connect('p')).send(publish('t', 'fatal', qos, 1), publish('t', 'fine', qos, 2));
    await end(client);
    for (let times = 2; times <= 6; times++) {
      expect(named(worker)).toHaveLength(times > 3 ? 1 : 0);
      await end(await worker.dial('c', durable));
    }
    expect(named(worker)).toEqual([
      `a client's connection ends each time after this message was sent to it ${JSON.stringify({
        client: 'c',
        topic: 't',
        bytes: 6,
        packetId: 1,
        times: 3,
      })}`,
    ]);
    // From the third on each is counted: it goes on.
    expect(worker.broker.metrics.fatalMessages).toBe(4);
  });
});

describe('it is not named where', () => {
  test('the client takes it in between, or another one', async () => {
    const { worker } = await World.alone();
    const client = await subscribed(worker, 1);
    const publisher = await worker.connect('p');
    await publisher.send(...[1, 2, 3, 4].map((id) => publish('t', String(id), 1, id)));
    await client.drop();
    for (let id = 1; id <= 4; id++) {
      await drop(await worker.dial('c', durable));
      const next = await worker.dial('c', durable);
      await next.send(ack('puback', id));
      await next.drop();
    }
    expect(named(worker)).toEqual([]);
  });

  test('the client left by DISCONNECT, or the broker ended it', async () => {
    const { worker } = await World.alone();
    const client = await subscribed(worker, 1);
    await (await worker.connect('p')).send(publish('t', 'x', 1, 1));
    await client.drop();
    for (let times = 0; times < 4; times++) {
      await (await worker.dial('c', durable)).send({ type: 'disconnect', reasonCode: 0, properties: {} });
      (await worker.dial('c', durable)).connection.disconnect(0x8b);
    }
    expect(named(worker)).toEqual([]);
  });

  test('the client was gone before it was sent', async () => {
    const { world, worker } = await World.alone();
    const client = await subscribed(worker, 1);
    await (await worker.connect('p')).send(publish('t', 'x', 1, 1));
    await client.drop();
    worker.gate.block('logs.read');
    for (let times = 0; times < 4; times++) await drop(await worker.dial('c', durable));
    worker.gate.open('logs.read');
    await world.clock.settle();
    expect(named(worker)).toEqual([]);
  });
});
