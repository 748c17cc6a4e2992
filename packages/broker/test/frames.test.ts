/** Frames between workers: what is written is read, and whatever comes, nothing but FrameError is thrown. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameType, frameVersion, readMessage, readRoutes, writeMessage, writeRoutes } from '../src/cluster/frames.ts';
import { FrameError, FrameReader, FrameWriter } from '../src/cluster/wire.ts';
import { RecordError, readRecord, writeRecord } from '../src/message-record.ts';
import { publicationOf } from '../src/publish-in-place.ts';
import { publish } from './support/client.ts';
import { World } from './support/world.ts';

const change = fc.oneof(
  fc.record({
    kind: fc.constantFrom('add' as const, 'remove' as const, 'durable' as const),
    filter: fc.string({ unit: 'binary' }),
    count: fc.nat(),
  }),
  fc.record({
    kind: fc.constant('group' as const),
    filter: fc.constantFrom('$share/g/a', '$share/g/a/#'),
    count: fc.nat(),
  }),
);
const entry = fc.record({
  toSubscriptions: fc.boolean(),
  groups: fc.array(fc.string(), { maxLength: 400 }),
  logs: fc.array(fc.record({ filter: fc.string(), sequence: fc.maxSafeNat() })),
  record: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
});

test('routes and messages are read as they were written', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.boolean(),
      fc.array(change),
      fc.array(entry, { maxLength: 5 }),
      (sequence, snapshot, changes, entries) => {
        const routes = new FrameWriter();
        writeRoutes(routes, sequence, snapshot, changes);
        const reader = new FrameReader(routes.take());
        expect([reader.u8(), reader.u8()]).toEqual([frameVersion, FrameType.routes]);
        const wellFormed = changes.map((one) => ({ ...one, filter: Buffer.from(one.filter).toString() }));
        expect(readRoutes(reader)).toEqual({ sequence, snapshot, changes: wellFormed });
        const messages = new FrameWriter();
        for (const one of entries) writeMessage(messages, one);
        const back = new FrameReader(messages.take());
        for (const one of entries) expect(readMessage(back)).toEqual(one);
        expect(back.isAtEnd).toBe(true);
      },
    ),
    { numRuns: 50 },
  );
});

test('bytes that are no frame: FrameError and nothing else', () => {
  const tolerant = (read: () => unknown): void => {
    try {
      read();
    } catch (error) {
      expect(error).toBeInstanceOf(FrameError);
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      tolerant(() => readRoutes(new FrameReader(bytes)));
      tolerant(() => readMessage(new FrameReader(bytes)));
    }),
  );
});

test('a frame cut anywhere is refused', () => {
  const writer = new FrameWriter();
  writeRoutes(writer, 7, false, [{ kind: 'group', filter: '$share/g/a', count: 2 }]);
  const whole = writer.take().subarray(2);
  for (let length = 6; length < whole.length; length++) {
    expect(() => readRoutes(new FrameReader(whole.subarray(0, length)))).toThrow(FrameError);
  }
});

test('a worker survives whatever frames come, and goes on', async () => {
  const { world, workers } = await World.of(2);
  const [worker] = workers;
  const other = workers[1].broker.self;
  const client = await worker.connect('c');
  await client.subscribe('t', 0);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.uint8Array({ maxLength: 60 }), (type, body) => {
      worker.broker.cluster.received(other, Uint8Array.from([frameVersion, type, ...body]));
    }),
    { numRuns: 500 },
  );
  await world.clock.settle();
  await client.send(publish('t', 'still here'));
  expect(client.said()).toContain('publish t still here q0');
});

test('records: what is written is read; other bytes are a RecordError', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.uint8Array(),
      fc.constantFrom(0 as const, 1 as const, 2 as const),
      fc.boolean(),
      fc.string(),
      fc.nat(),
      (topic, payload, qos, retain, publisher, expiresAt) => {
        const publication = publicationOf(topic, Buffer.from(payload), qos, retain);
        publication.publisher = publisher;
        publication.expiresAt = expiresAt;
        const back = readRecord(writeRecord(publication));
        expect(back).toMatchObject({ qos, retain, publisher, expiresAt });
        expect(back.topic()).toBe(topic);
        expect(back.bytes.subarray(back.payloadStart, back.payloadEnd)).toEqual(Buffer.from(payload));
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      if (bytes.length > 0) bytes[0] = 1;
      try {
        readRecord(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(RecordError);
      }
    }),
    { numRuns: 1000 },
  );
});
