/** Batches of QoS 1 packets from one node to another (publish-batch.ts): what is promised for one message holds for each of them (P1, P3, P4). */
import { describe, expect, test } from 'vitest';
import { isBatch, readBatch, readEntryKind } from '../src/cluster/entries.ts';
import { FrameType, readFrameType, readKeptHead } from '../src/cluster/frames.ts';
import { FrameReader } from '../src/message/wire.ts';
import { ack, type Client, publish } from './support/client.ts';
import { frameType, type LossyHub } from './support/lossy-backplane.ts';
import { lossy } from './support/lossy-world.ts';

/** Packets of QoS 1 to `t` with these identifiers and the payloads `1`, `2` … */
function packets(...packetIds: number[]): ReturnType<typeof publish>[] {
  return packetIds.map((packetId, i) => publish('t', String(i + 1), 1, packetId));
}

function payloads(client: Client): string[] {
  return client.received().flatMap((packet) => (packet.type === 'publish' ? [packet.payload.toString()] : []));
}

/** Counts the packets of each batch of the kept frames that are sent while `during` runs; 0: another entry. */
async function keptDuring(hub: LossyHub, during: () => Promise<void>): Promise<number[]> {
  const sizes: number[] = [];
  hub.loses = (_from, _to, bytes) => {
    if (frameType(bytes) !== FrameType.kept) return false;
    const reader = new FrameReader(bytes);
    readFrameType(reader);
    readKeptHead(reader);
    const kind = readEntryKind(reader);
    sizes.push(isBatch(kind) ? readBatch(reader, kind).bytes.toString('latin1').split('\x00\x01t').length - 1 : 0);
    return false;
  };
  await during();
  hub.loses = () => false;
  return sizes;
}

describe('a batch of QoS 1', () => {
  test('travels as one entry, and arrives under identifiers of the subscriber', async () => {
    const { workers, hub } = await lossy(2);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    const sizes = await keptDuring(hub, () => publisher.send(...packets(9, 300, 7, 65_535)));
    expect(sizes).toEqual([4]);
    expect(subscriber.said()).toEqual([1, 2, 3, 4].map((i) => `publish t ${i} q1 #${i}`));
    expect(publisher.said()).toEqual(['puback #9', 'puback #300', 'puback #7', 'puback #65535']);
    await subscriber.send(ack('puback', 2));
    await publisher.send(...packets(1));
    expect(subscriber.said()).toEqual(['publish t 1 q1 #5']);
  });

  test('is acknowledged when its frame was, not before (P1)', async () => {
    const { world, workers, hub } = await lossy(2);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    hub.loses = (_from, _to, bytes) => frameType(bytes) === FrameType.acknowledge;
    await publisher.send(...packets(1, 2));
    expect(payloads(subscriber)).toEqual(['1', '2']);
    expect(publisher.said()).toEqual([]);
    hub.loses = () => false;
    await world.clock.pass(1000);
    expect(publisher.said()).toEqual(['puback #1', 'puback #2']);
    expect(subscriber.said()).toEqual([]);
  });

  test('is sent again when its frame is lost (P3), and what follows stays behind it (P4)', async () => {
    const { world, workers, hub } = await lossy(2);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    let left = 1;
    hub.loses = (_from, _to, bytes) => frameType(bytes) === FrameType.kept && left-- > 0;
    await publisher.send(...packets(1, 2));
    await publisher.send(publish('t', '3', 1, 3));
    await world.clock.pass(2000);
    expect(payloads(subscriber)).toEqual(['1', '2', '3']);
    expect(publisher.said()).toEqual(['puback #1', 'puback #2', 'puback #3']);
  });

  test('waits for every endpoint that must take it in, and not for one that has left', async () => {
    const { world, workers, hub } = await lossy(3);
    for (const worker of workers.slice(1)) await (await worker.connect(`s${worker.broker.self}`)).subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    hub.cut(workers[0].broker.self, workers[2].broker.self);
    await publisher.send(...packets(1, 2));
    await world.clock.pass(3000);
    expect(publisher.said()).toEqual([]);
    workers[2].backplane?.kill();
    await world.clock.settle();
    expect(publisher.said()).toEqual(['puback #1', 'puback #2']);
  });

  test('fills a window as far as it goes; the rest waits in its order [MQTT-3.3.4-9]', async () => {
    const { workers } = await lossy(2);
    const subscriber = await workers[1].connect('s', { properties: { receiveMaximum: 3 } });
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    await publisher.send(...packets(1, 2, 3, 4, 5));
    await publisher.send(publish('t', '6', 1, 6), publish('t', '7', 1, 7));
    expect(subscriber.said()).toEqual([1, 2, 3].map((i) => `publish t ${i} q1 #${i}`));
    expect(publisher.received()).toHaveLength(7);
    await subscriber.send(ack('puback', 2), ack('puback', 1));
    expect(subscriber.said()).toEqual(['publish t 4 q1 #4', 'publish t 5 q1 #5']);
    await subscriber.send(ack('puback', 3), ack('puback', 4), ack('puback', 5));
    expect(payloads(subscriber)).toEqual(['6', '7']);
  });

  test.each([4, 5] as const)('of MQTT %i reaches subscribers of every kind, there and here', async (version) => {
    const { workers } = await lossy(2);
    const long = 'x'.repeat(40);
    const kinds: { name: string; options: object; qos: 0 | 1 | 2; identifier: number; got: string[] }[] = [
      { name: 'plain', options: {}, qos: 2, identifier: 0, got: ['a', 'b', long] },
      { name: 'old', options: { version: 4 }, qos: 1, identifier: 0, got: ['a', 'b', long] },
      { name: 'zero', options: {}, qos: 0, identifier: 0, got: ['a', 'b', long] },
      { name: 'named', options: {}, qos: 1, identifier: 5, got: ['a', 'b', long] },
      { name: 'small', options: { properties: { maximumPacketSize: 30 } }, qos: 1, identifier: 0, got: ['a', 'b'] },
    ];
    const clients: { client: Client; got: string[] }[] = [];
    for (const worker of workers) {
      for (const { name, options, qos, identifier, got } of kinds) {
        const client = await worker.connect(name + worker.broker.self, options);
        await client.subscribe('t', qos, {}, identifier);
        clients.push({ client, got });
      }
    }
    const publisher = await workers[0].connect('p', { version });
    await publisher.subscribe('t', 1, { noLocal: version === 5 });
    await publisher.send(publish('t', 'a', 1, 7), publish('t', 'b', 1, 8), publish('t', long, 1, 9));
    for (const { client, got } of clients) expect(payloads(client)).toEqual(got);
    const back = publisher.said();
    expect(back.filter((packet) => packet.startsWith('puback'))).toEqual(['puback #7', 'puback #8', 'puback #9']);
    expect(back.filter((packet) => packet.startsWith('publish'))).toHaveLength(version === 5 ? 0 : 3);
    expect(workers[1].broker.metrics.publishesSent).toBe(14);
  });

  test('keeps its place between packets of other kinds (P4)', async () => {
    const { workers, hub } = await lossy(2);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('#', 2);
    const publisher = await workers[0].connect('p');
    const expiring = { properties: { messageExpiryInterval: 100 } };
    const sizes = await keptDuring(hub, () =>
      publisher.send(
        ...packets(1, 2),
        publish('t', '3', 1, 3, expiring),
        ...[4, 5].map((id) => publish('t', String(id), 1, id)),
        publish('u', 'other', 1, 6),
        publish('t', '6', 1, 7, { dup: true }),
        publish('t', '7', 1, 8),
      ),
    );
    expect(sizes).toEqual([2]);
    expect(payloads(subscriber)).toEqual(['1', '2', '3', '4', '5', 'other', '6', '7']);
    expect(publisher.said()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((id) => `puback #${id}`));
  });
});

describe('back-pressure', () => {
  test.each([4, 5] as const)('an MQTT %i client is not read while too many of its packets wait', async (version) => {
    const { world, workers, hub } = await lossy(2, { receiveMaximum: 3 });
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p', { version });
    hub.loses = (_from, _to, bytes) => frameType(bytes) === FrameType.acknowledge;
    const ids = Array.from({ length: 40 }, (_, i) => i + 1);
    await publisher.send(...packets(...ids));
    expect(publisher.transport.paused).toBe(true);
    expect(publisher.said()).toEqual([]);
    hub.loses = () => false;
    await world.clock.pass(1000);
    expect(publisher.said()).toEqual(ids.map((id) => `puback #${id}`));
    expect(publisher.transport.paused).toBe(false);
    expect(payloads(subscriber)).toEqual(ids.map(String));
  });

  test('a publisher that feeds a full link is not read until it has drained', async () => {
    const { world, workers, hub } = await lossy(2, { linkBytesMax: 500 });
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('t', 1);
    const publisher = await workers[0].connect('p');
    hub.cut(workers[0].broker.self, workers[1].broker.self);
    const chunk = Array.from({ length: 20 }, (_, i) => publish('t', 'x'.repeat(50), 1, i + 1));
    await publisher.send(...chunk);
    await publisher.send(publish('t', 'last', 1, 21));
    expect(publisher.transport.paused).toBe(true);
    expect(workers[0].broker.metrics.linkHolds).toBe(1);
    hub.heal();
    await world.clock.pass(2000);
    expect(publisher.transport.paused).toBe(false);
    expect(payloads(subscriber)).toHaveLength(21);
    expect(publisher.received()).toHaveLength(21);
  });
});
