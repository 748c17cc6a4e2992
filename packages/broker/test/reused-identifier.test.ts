/** QoS 2: a packet identifier that the broker still knows, with another message. Clients whose state dies with their process begin again at 1. */
import { describe, expect, test } from 'vitest';
import { ack, type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { expiry: 1000, cleanStart: false };

async function listening(worker: Worker): Promise<Client> {
  const client = await worker.connect('s');
  await client.subscribe('#', 0);
  return client;
}

function payloads(client: Client): string[] {
  return client.received().flatMap((packet) => (packet.type === 'publish' ? [packet.payload.toString()] : []));
}

describe.each([3, 4, 5] as const)('version %i', (version) => {
  const options = version === 5 ? durable : { version, cleanStart: false };

  test.each([
    ['payload', publish('t', 'second', 2, 1)],
    ['topic', publish('u', 'first', 2, 1)],
    ['length', publish('t', 'firs', 2, 1)],
    ['payload with DUP', publish('t', 'second', 2, 1, { dup: true })],
    ['end of a long payload', publish('t', `${'x'.repeat(5000)}y`, 2, 1)],
  ])('another %s after a lost connection is a new message, and said in the log', async (_what, second) => {
    const { worker } = await World.alone();
    const subscriber = await listening(worker);
    const first = await worker.connect('p', options);
    const before = second.type === 'publish' && second.payload.length > 5000 ? 'x'.repeat(5001) : 'first';
    await first.send(publish('t', before, 2, 1));
    await first.drop();
    subscriber.received();
    const next = await worker.connect('p', options);
    await next.send(second);
    expect(next.said()).toEqual(['pubrec #1']);
    expect(subscriber.received()).toHaveLength(1);
    expect(worker.log.filter((line) => line.includes('packet identifier'))).toEqual([
      expect.stringMatching(/a packet identifier in use .*"client":"p".*"packetId":1/),
    ]);
    // It is as any other from then on.
    await next.send(second);
    expect(next.said()).toEqual(['pubrec #1']);
    await next.send(ack('pubrel', 1));
    expect(next.said()).toEqual(['pubcomp #1']);
    expect(subscriber.received()).toEqual([]);
  });

  test('the same message, DUP or not, is the one that is there', async () => {
    const { worker } = await World.alone();
    const subscriber = await listening(worker);
    const first = await worker.connect('p', options);
    await first.send(publish('t', 'first', 2, 1));
    await first.drop();
    const next = await worker.connect('p', options);
    await next.send(publish('t', 'first', 2, 1), publish('t', 'first', 2, 1, { dup: true }));
    expect(next.said()).toEqual(['pubrec #1', 'pubrec #1']);
    expect(payloads(subscriber)).toEqual(['first']);
    expect(worker.log.filter((line) => line.includes('packet identifier'))).toEqual([]);
  });
});

test('on one connection, of a session that is stored or not, before PUBREC and behind a log', async () => {
  for (const options of [{}, durable]) {
    const { world, worker } = await World.alone();
    const subscriber = await worker.connect('d', durable);
    await subscriber.subscribe('t', 1);
    const client = await worker.connect('p', options);
    worker.gate.block('logs.append');
    await client.send(publish('t', 'first', 2, 1));
    await client.send(publish('t', 'second', 2, 1));
    worker.gate.open('logs.append');
    await world.clock.settle();
    expect(client.said()).toEqual(['pubrec #1', 'pubrec #1']);
    expect(payloads(subscriber)).toEqual(['first', 'second']);
    await client.send(publish('t', 'second', 2, 1), publish('t', 'third', 2, 1), publish('t', 'fourth', 2, 2));
    expect(client.said()).toEqual(['pubrec #1', 'pubrec #1', 'pubrec #2']);
    expect(payloads(subscriber)).toEqual(['third', 'fourth']);
  }
});

test('rules are asked for the new message', async () => {
  const authorizer = { authorize: (_client: unknown, _action: string, topic: string) => topic !== 'secret' };
  const { worker } = await World.alone({ authorizer });
  const subscriber = await listening(worker);
  const client = await worker.connect('p', durable);
  await client.send(publish('t', 'first', 2, 1));
  await client.send(publish('secret', 'second', 2, 1));
  expect(client.said()).toEqual(['pubrec #1', 'pubrec #1 0x87']);
  expect(payloads(subscriber)).toEqual(['first']);
});

test('through another node, after a takeover', async () => {
  const { workers } = await World.of(2);
  const subscriber = await workers[0].connect('d', durable);
  await subscriber.subscribe('t', 1);
  const first = await workers[0].connect('p', durable);
  await first.send(publish('t', 'first', 2, 1));
  const next = await workers[1].connect('p', durable);
  await next.send(publish('t', 'first', 2, 1));
  await next.send(publish('t', 'second', 2, 1));
  expect(next.said()).toEqual(['pubrec #1', 'pubrec #1']);
  expect(payloads(subscriber)).toEqual(['first', 'second']);
});
