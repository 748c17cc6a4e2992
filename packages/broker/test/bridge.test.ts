/** Bridges of other brokers: bit 7 of the protocol level, and the state that they publish under `$SYS`. */
import { encodePacket } from '@dunlin/protocol';
import { describe, expect, test } from 'vitest';
import type { Authorizer } from '../src/ports/authorizer.ts';
import { ack, type Client, connect, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const state = '$SYS/broker/connection/b/state';

/** A will, or a publish, as Mosquitto's bridges have it. */
function notification(topic: string) {
  return { topic, qos: 1, retain: true, payload: Buffer.from('0'), properties: {} } as const;
}

/** A CONNECT whose level is this byte; the level of `version` stands where the name leads to. */
function leveled(version: 3 | 4, level: number, clientId: string, cleanStart = true): Buffer {
  const bytes = Buffer.from(encodePacket(connect(clientId, { version, cleanStart }), version));
  bytes[version === 3 ? 10 : 8] = level;
  return bytes;
}

async function bridge(worker: Worker, version: 3 | 4, clientId: string, cleanStart = true): Promise<Client> {
  const client = worker.socket(version);
  await client.sendBytes(leveled(version, 0x80 | version, clientId, cleanStart));
  return client;
}

describe.each([3, 4] as const)('a bridge of protocol level 0x8%i', (version) => {
  test('gets none of its own messages back, and RETAIN as it was published', async () => {
    const { worker } = await World.alone();
    const client = await bridge(worker, version, 'b');
    expect(client.said()).toEqual(['connack 0x00']);
    expect(await client.subscribe('#', 1)).toEqual([1]);
    const other = await worker.connect('other');
    await client.send(publish('t', 'own', 1, 1), publish('t', 'own', 0), publish('t', 'own', 2, 2));
    expect(client.said()).toEqual(['puback #1', 'pubrec #2']);
    await other.send(publish('t', 'kept', 1, 1, { retain: true }), publish('t', 'plain', 0));
    expect(client.said()).toEqual(['publish t kept q1 #1 retain', 'publish t plain q0']);
  });

  test('keeps that for its session, and a client that is none takes it back', async () => {
    const { worker } = await World.alone();
    const client = await bridge(worker, version, 'b', false);
    await client.subscribe('t', 1);
    await client.drop();
    const other = await worker.connect('other');
    await other.send(publish('t', 'kept', 1, 1, { retain: true }));
    const again = await bridge(worker, version, 'b', false);
    await again.send(publish('t', 'own', 1, 1));
    expect(again.said().slice(1)).toEqual(['publish t kept q1 #1 retain', 'puback #1']);
    await again.send(ack('puback', 1));
    await again.drop();
    const plain = await worker.connect('b', { version, cleanStart: false });
    await plain.subscribe('t', 1);
    plain.received();
    await plain.send(publish('t', 'own', 1, 1));
    expect(plain.said().sort()).toEqual(['puback #1', expect.stringContaining('publish t own q1')]);
  });

  test('may share a subscription', async () => {
    const { worker } = await World.alone();
    const client = await bridge(worker, version, 'b');
    client.received();
    expect(await client.subscribe('$share/g/t', 1)).toEqual([1]);
    await client.send(publish('t', 'own', 0));
    expect(client.said()).toEqual(['publish t own q0']);
  });
});

test.each([0, 2, 6, 7, 0x80, 0x82, 0x83, 0x85, 0x86, 0xff])(
  'protocol level %i is refused in words that bridges fall back on',
  async (level) => {
    const { worker } = await World.alone();
    const client = worker.socket(4);
    await client.sendBytes(leveled(4, level, 'b'));
    expect(client.transport.chunks.map((chunk) => chunk.toString('hex'))).toEqual(['20020001']);
    expect(client.isClosed).toBe(true);
  },
);

/** Allows nothing. */
const nobody: Authorizer = { authorize: () => false };

describe("a bridge's state", () => {
  test.each([3, 4, 5] as const)('is published, retained and left as a will (version %i)', async (version) => {
    const { worker } = await World.alone();
    const watcher = await worker.connect('w', { version });
    watcher.transport.remoteAddress = '127.0.0.1:1883';
    await watcher.subscribe('$SYS/broker/connection/+/state', 1);
    const client = await worker.connect('b', { version, will: notification(state) });
    await client.send(publish(state, '1', 1, 1, { retain: true }));
    expect(client.said()).toEqual(['puback #1']);
    expect(watcher.said()).toEqual([`publish ${state} 1 q1 #1`]);
    const late = await worker.connect('late', { version });
    late.transport.remoteAddress = '127.0.0.1:1883';
    await late.subscribe('$SYS/broker/connection/#', 1);
    expect(late.said()).toEqual([`publish ${state} 1 q1 #1 retain`]);
    await client.drop();
    expect(watcher.said()).toEqual([`publish ${state} 0 q1 #2`]);
    expect(late.said()).toEqual([`publish ${state} 0 q1 #2`]);
  });

  test('needs no rule, where it is that of the client itself', async () => {
    const { worker } = await World.alone({ authorizer: nobody });
    const client = await worker.connect('b', { will: notification(state) });
    await client.send(publish(state, '1', 1, 1), publish(state, '1', 2, 2), publish(state, '1', 0));
    expect(client.said()).toEqual(['puback #1 0x10', 'pubrec #2 0x10']);
    expect(worker.broker.metrics.dropped['not-authorized']).toBe(0);
    await client.send(publish('$SYS/broker/connection/other/state', '1', 1, 3));
    expect(client.said()).toEqual(['puback #3 0x87']);
  });

  test.each([
    '$SYS/broker/connection/state',
    '$SYS/broker/connection/b/c/state',
    '$SYS/broker/connection/b/state/x',
    '$SYS/broker/connection/b/states',
    '$SYS/broker/clients/b/state',
  ])('is nothing else: %s', async (topic) => {
    const { worker } = await World.alone();
    expect((await worker.dial('b', { will: notification(topic) })).said()).toEqual(['connack 0x87']);
    const client = await worker.connect('b');
    await client.send(publish(topic, '1', 1, 1));
    expect(client.said()).toEqual(['puback #1 0x87']);
  });
});
