/** Traces: which publishes begin one, what travels with the message, what subscribers see of it. */
import { describe, expect, test } from 'vitest';
import { RecordError, readRecord, writeRecord } from '../src/message/message-record.ts';
import { publicationOf } from '../src/message/publish-in-place.ts';
import type { PublishSpan, TraceContext, TracedMessage, Tracer } from '../src/ports/tracer.ts';
import { ack, type Client, publish } from './support/client.ts';
import { World } from './support/world.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const sampled = `00-${traceId}-b7ad6b7169203331-01`;
const notSampled = `00-${traceId}-b7ad6b7169203331-00`;
const durable = { cleanStart: false, expiry: 1000 } as const;

/** Spans as `name parent < span client`, numbered in the order of their beginning. */
class NotingTracer implements Tracer {
  writesContext = false;
  isRootSampled = false;
  untilRoot = 1;
  /** Decisions for the next roots. */
  readonly sampledNext: boolean[] = [];
  readonly spans: string[] = [];
  readonly ended: string[] = [];
  private number = 0;

  beginsTrace(): boolean {
    this.untilRoot = 1;
    return this.sampledNext.shift() ?? this.isRootSampled;
  }
  startPublish(parent: TraceContext | null, message: TracedMessage): PublishSpan {
    return this.start('publish', parent, message);
  }
  startDelivery(parent: TraceContext, message: TracedMessage): PublishSpan {
    return this.start('deliver', parent, message);
  }
  private start(name: string, parent: TraceContext | null, message: TracedMessage): PublishSpan {
    const number = ++this.number;
    const trace = parent?.subarray(0, 16) ?? Buffer.alloc(16, 0xaa);
    const context = Buffer.concat([trace, Buffer.alloc(7), Buffer.from([number, 1])]);
    const of = parent === null ? 'none' : parent[23] === 0x31 ? 'client' : `${parent[23]}`;
    this.spans.push(`${number} ${name} of ${of} ${message.clientId}`);
    return { context, end: (reasonCode) => this.ended.push(`${number} ${reasonCode}`) };
  }
}

function traced(qos: 0 | 1 | 2, traceparent: string, packetId = qos) {
  return publish('t', 'x', qos, packetId, { properties: { userProperties: [['traceparent', traceparent]] } });
}

async function world(count: number): Promise<{ tracer: NotingTracer; clients: Client[]; world: World }> {
  const tracer = new NotingTracer();
  const { world, workers } = await World.of(count, { tracer });
  const clients = await Promise.all(workers.map((worker, i) => worker.connect(`c${i}`)));
  return { tracer, clients, world };
}

describe('the record of a message', () => {
  test.each([0, 1_700_000_000_000])('carries the context in 25 bytes of its own, published at %d', (publishedAt) => {
    const publication = publicationOf('a/b', Buffer.from('payload'), 1, false);
    const plain = writeRecord(publication, null, publishedAt);
    publication.trace = Buffer.from(`${traceId}b7ad6b716920333101`, 'hex');
    const record = writeRecord(publication, null, publishedAt);
    expect(record.length).toBe(plain.length + 25);
    expect([plain[0], record[0]]).toEqual([1, 2]);
    const read = readRecord(record);
    expect(read.trace).toEqual(publication.trace);
    expect([read.topic(), read.publishedAt, read.qos]).toEqual(['a/b', publishedAt, 1]);
    expect(read.bytes.toString('utf8', read.payloadStart, read.payloadEnd)).toBe('payload');
    expect(readRecord(plain).trace).toBeNull();
    expect(writeRecord(read, null, publishedAt)).toEqual(record);
  });

  test('of another layout, or cut off within the context, is refused', () => {
    const publication = publicationOf('a', Buffer.alloc(0), 0, false);
    publication.trace = Buffer.alloc(25, 1);
    const record = writeRecord(publication);
    expect(() => readRecord(record.subarray(0, 40))).toThrow(RecordError);
    record[0] = 3;
    expect(() => readRecord(record)).toThrow('known are layouts 1 and 2');
  });
});

describe('a publish', () => {
  test.each([0, 1, 2] as const)(
    'QoS %i of a sampled trace: a span, and one for each delivery, wherever',
    async (qos) => {
      const { tracer, clients } = await world(2);
      await clients[0].subscribe('t', qos);
      await clients[1].subscribe('t', qos);
      await clients[0].send(traced(qos, sampled));
      expect(tracer.spans.sort()).toEqual(['1 publish of client c0', '2 deliver of 1 c0', '3 deliver of 1 c1']);
      expect(tracer.ended.sort()).toEqual(['1 0', '2 0', '3 0']);
    },
  );

  test('subscribers get the user properties of the publisher, unaltered [MQTT-3.3.2-17]', async () => {
    const { tracer, clients } = await world(2);
    tracer.writesContext = true;
    await clients[1].subscribe('t', 0);
    await clients[0].send(traced(0, sampled));
    expect(clients[1].one('publish').properties).toEqual({ userProperties: [['traceparent', sampled]] });
  });

  test('a sender that has decided against it, or none that says so, is not traced; nor what is no context', async () => {
    const { tracer, clients } = await world(1);
    const wrong = [
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `ff-${traceId}-b7ad6b7169203331-01`,
      sampled.toUpperCase(),
      'x',
    ];
    for (const text of [notSampled, ...wrong]) await clients[0].send(traced(0, text));
    await clients[0].send(publish('t', 'x'));
    expect(tracer.spans).toEqual([]);
    tracer.isRootSampled = true;
    await clients[0].send(traced(0, notSampled), publish('t', 'x'), traced(0, 'x'));
    expect(tracer.spans).toEqual(['1 publish of none c0', '2 publish of none c0']);
  });

  test('a root of a publisher that knows no properties reaches subscribers of both versions, in order', async () => {
    const tracer = new NotingTracer();
    const { worker } = await World.alone({ tracer });
    const old = await worker.connect('old', { version: 4 });
    const subscriber = await worker.connect('s');
    await old.subscribe('t', 0);
    await subscriber.subscribe('t', 0);
    const packets = [publish('t', '1'), publish('t', '2'), publish('t', '3')];
    old.put(packets[0]);
    tracer.isRootSampled = true;
    old.put(packets[1]);
    tracer.isRootSampled = false;
    await old.send(packets[2]);
    expect(tracer.spans).toEqual(['1 publish of none old', '2 deliver of 1 old', '3 deliver of 1 s']);
    expect(tracer.ended).toEqual(['2 0', '3 0', '1 0']);
    for (const client of [old, subscriber])
      expect(client.said()).toEqual(['publish t 1 q0', 'publish t 2 q0', 'publish t 3 q0']);
  });

  /** Seen to fail with mayJoinBatch (handlers/publish.ts) that has traced ones go by themselves. */
  test('traced or not, what comes in one chunk leaves in one piece', async () => {
    const tracer = new NotingTracer();
    const { worker } = await World.alone({ tracer });
    const publisher = await worker.connect('p', { version: 4 });
    const subscriber = await worker.connect('s', { version: 4 });
    const numbered = await worker.connect('n');
    await subscriber.subscribe('t', 0);
    await numbered.subscribe('t', 0, {}, 7);
    // A subscriber of one stretch a turn is sent it at once (output-buffer.ts).
    for (let turn = 0; turn < 6; turn++) await publisher.send(publish('t', 'x'));
    subscriber.received();
    numbered.received();
    tracer.sampledNext.push(false, true, false);
    await publisher.send(publish('t', '1'), publish('t', '2'), publish('t', '3'));
    expect(subscriber.transport.chunks).toHaveLength(1);
    for (const client of [subscriber, numbered])
      expect(client.received().map((packet) => (packet.type === 'publish' ? String(packet.payload) : ''))).toEqual([
        '1',
        '2',
        '3',
      ]);
    expect(tracer.spans.filter((span) => span.includes('publish'))).toHaveLength(1);
    expect(tracer.spans.filter((span) => span.includes('deliver'))).toHaveLength(2);
    expect(tracer.ended).toHaveLength(3);
  });

  test('the context is written into deliveries where that is wanted, and only for who can read it', async () => {
    const tracer = new NotingTracer();
    tracer.writesContext = true;
    tracer.isRootSampled = true;
    const { worker } = await World.alone({ tracer });
    const old = await worker.connect('old', { version: 4 });
    const subscriber = await worker.connect('s');
    await old.subscribe('t', 1);
    await subscriber.subscribe('t', 1, {}, 7);
    await old.send(publish('t', 'x', 1, 1));
    expect(old.said()).toEqual(['publish t x q1 #1', 'puback #1']);
    const { properties } = subscriber.one('publish');
    const context = `00-${'aa'.repeat(16)}-0000000000000003-01`;
    expect(properties).toEqual({ subscriptionIdentifier: [7], userProperties: [['traceparent', context]] });
  });

  test('the publish ends with its acknowledgement, not before', async () => {
    const tracer = new NotingTracer();
    const { worker, world } = await World.alone({ tracer });
    const subscriber = await worker.connect('s', durable);
    await subscriber.subscribe('t', 1);
    const publisher = await worker.connect('p');
    worker.gate.block('logs.append');
    await publisher.send(traced(1, sampled));
    expect(tracer.ended).toEqual([]);
    worker.gate.open('logs.append');
    await world.clock.pass(1000);
    expect(publisher.said()).toEqual(['puback #1']);
    expect(tracer.ended).toContain('1 0');
  });
});

describe('a durable session that was away', () => {
  test.each([1, 2] as const)(
    'QoS %i: the delivery belongs to the publish, days later, at another worker',
    async (qos) => {
      const tracer = new NotingTracer();
      const { world, workers } = await World.of(2, { tracer });
      const before = await workers[0].connect('away', durable);
      await before.subscribe('t', qos);
      await before.drop();
      const publisher = await workers[0].connect('p');
      await publisher.send(traced(qos, sampled));
      await world.clock.pass(60_000);
      const back = await workers[1].dial('away', durable);
      expect(tracer.spans).toEqual(['1 publish of client p', '2 deliver of 1 away']);
      const message = back.received().find((packet) => packet.type === 'publish');
      expect(message?.properties).toEqual({ userProperties: [['traceparent', sampled]] });
      await back.send(ack(qos === 1 ? 'puback' : 'pubrec', 1));
    },
  );

  test('a retained message is no part of a trace for who subscribes later', async () => {
    const { tracer, clients } = await world(2);
    const properties = { userProperties: [['traceparent', sampled]] as [string, string][] };
    await clients[0].send(publish('t', 'x', 1, 1, { retain: true, properties }));
    await clients[1].subscribe('t', 1);
    expect(clients[1].one('publish').properties).toEqual(properties);
    expect(tracer.spans).toEqual(['1 publish of client c0']);
  });
});
