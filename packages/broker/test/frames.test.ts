/** Frames between workers: what is written is read, and whatever comes, nothing but FrameError is thrown. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isControl, readEntryKind, readMessage, writeControl, writeMessage } from '../src/cluster/entries.ts';
import {
  beginSnapshotPart,
  FrameType,
  frameVersion,
  markLast,
  readAcknowledgement,
  readableVersions,
  readDigest,
  readFrameType,
  readKeptHead,
  readRequest,
  readResponse,
  readRoutes,
  readSnapshotPart,
  readStatistics,
  readWanted,
  repeatKept,
  routeKinds,
  writeAcknowledgement,
  writeChange,
  writeDigest,
  writeKeptHead,
  writeRequest,
  writeResponse,
  writeRoutes,
  writeStatistics,
  writeWanted,
} from '../src/cluster/frames.ts';
import { readGroupControl, writeGroupControl } from '../src/cluster/group-control.ts';
import { RecordError, readRecord, writeRecord } from '../src/message/message-record.ts';
import { publicationOf } from '../src/message/publish-in-place.ts';
import { FrameError, FrameReader, FrameWriter } from '../src/message/wire.ts';
import { decodeHanded, encodeHanded } from '../src/session/handover.ts';
import { publish } from './support/client.ts';
import { World } from './support/world.ts';

const text = fc.string({ unit: 'binary' }).map((any) => Buffer.from(any).toString());
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const number = fc.maxSafeNat();
const change = fc.oneof(
  fc.record({
    kind: fc.constantFrom(...routeKinds.filter((kind) => kind !== 'group')),
    filter: text,
    count: number,
  }),
  fc.record({
    kind: fc.constant('group' as const),
    filter: fc.constantFrom('$share/g/a', '$share/g/a/#'),
    count: number,
    logged: number,
  }),
);
const changes = fc.array(change);
const digest = fc.record({ count: u32, first: u32, second: u32 });
const plainEntry = fc.record({
  toSubscriptions: fc.boolean(),
  groups: fc.array(text, { maxLength: 400 }),
  logs: fc.array(fc.record({ filter: text, sequence: number })),
  record: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
});
const producer = fc.record({ clientId: text, number, isRepeated: fc.boolean() });
const entry = fc.oneof(
  plainEntry,
  fc.tuple(plainEntry, producer).map(([plain, from]) => ({ ...plain, toSubscriptions: true, producer: from })),
);

/** Each frame: what it may hold, how it is written and read. */
interface FrameCase<T> {
  type: number;
  value: fc.Arbitrary<T>;
  write: (writer: FrameWriter, value: T) => void;
  read: (reader: FrameReader) => T;
}
// biome-ignore lint/suspicious/noExplicitAny: a table of frames of different shapes
const frames: Record<string, FrameCase<any>> = {
  routes: {
    type: FrameType.routes,
    value: fc.record({ sequence: number, changes }),
    write: (writer, { sequence, changes }) => void writeRoutes(writer, sequence, changes, 0),
    read: readRoutes,
  },
  snapshot: {
    type: FrameType.snapshot,
    value: fc.record({ id: u32, part: u32, isLast: fc.boolean(), sequence: number, changes }),
    write: (writer, part) => {
      beginSnapshotPart(writer, part.id, part.part, part.sequence);
      for (const one of part.changes) writeChange(writer, one);
      if (part.isLast) markLast(writer);
    },
    read: readSnapshotPart,
  },
  wanted: {
    type: FrameType.wanted,
    value: fc.record({ sequence: number, isWhole: fc.boolean() }),
    write: (writer, { sequence, isWhole }) => writeWanted(writer, sequence, isWhole),
    read: readWanted,
  },
  digest: {
    type: FrameType.digest,
    value: fc.record({ sequence: number, wantsConfirm: fc.boolean(), routes: digest, durable: digest }),
    write: writeDigest,
    read: readDigest,
  },
  kept: {
    type: FrameType.kept,
    value: fc.record({ link: u32, sequence: number, first: number, round: u32 }),
    write: writeKeptHead,
    read: readKeptHead,
  },
  acknowledge: {
    type: FrameType.acknowledge,
    value: fc.record({
      link: u32,
      sequence: number,
      round: u32,
      isGap: fc.boolean(),
      passing: number,
      broadcast: number,
    }),
    write: writeAcknowledgement,
    read: readAcknowledgement,
  },
  request: {
    type: FrameType.request,
    value: fc.record({
      id: number,
      clientId: text,
      cleanStart: fc.boolean(),
      epoch: number,
      user: fc.option(text, { nil: null }),
    }),
    write: writeRequest,
    read: readRequest,
  },
  response: {
    type: FrameType.response,
    value: fc.record({ id: number, body: text }),
    write: (writer, { id, body }) => writeResponse(writer, id, body),
    read: readResponse,
  },
  statistics: {
    type: FrameType.statistics,
    value: fc.array(number),
    write: writeStatistics,
    read: readStatistics,
  },
};

function written(one: FrameCase<unknown>, value: unknown): Uint8Array {
  const writer = new FrameWriter();
  one.write(writer, value);
  return writer.take();
}

/** True: it was read. */
function tolerates(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(FrameError);
    return false;
  }
}

describe.each(Object.entries(frames))('%s', (_name, one) => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(one.value, (value) => {
        const reader = new FrameReader(written(one, value));
        expect(readFrameType(reader)).toBe(one.type);
        expect(one.read(reader)).toEqual(value);
        expect(reader.isAtEnd).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('bytes that are no such frame: FrameError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void tolerates(() => one.read(new FrameReader(bytes)))),
    );
    fc.assert(
      fc.property(one.value, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, at, byte) => {
        const bytes = written(one, value);
        bytes[at % bytes.length] = byte;
        const reader = new FrameReader(bytes);
        tolerates(() => [readFrameType(reader), one.read(reader)]);
      }),
      { numRuns: 200 },
    );
  });
});

const numbers = fc.array(number, { maxLength: 20 });
const group = { group: fc.constantFrom('$share/g/a', '$share/ü/#'), epoch: number };
const control = fc.oneof(
  fc.record({ ...group, kind: fc.constantFrom('lead' as const, 'resigned' as const) }),
  fc.record({
    ...group,
    kind: fc.constant('assign' as const),
    sequence: number,
    record: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({
    ...group,
    kind: fc.constant('status' as const),
    isFirst: fc.boolean(),
    limit: number,
    done: numbers,
    final: numbers,
    returned: numbers,
    failed: numbers,
    unsent: numbers,
    doubtful: numbers,
    holding: numbers,
    reserving: numbers,
  }),
  fc.record({ ...group, kind: fc.constant('locate' as const), clients: fc.array(text) }),
  fc.record({ ...group, kind: fc.constant('located' as const), clientId: text, busy: numbers }),
);

test('control messages of groups are read as they were written, between messages; cut or changed they are refused', () => {
  fc.assert(
    fc.property(control, entry, fc.nat(), fc.integer({ min: 0, max: 255 }), (one, message, at, byte) => {
      const bytes = writeGroupControl(one);
      const writer = new FrameWriter();
      writeMessage(writer, message);
      writeControl(writer, bytes);
      writeMessage(writer, message);
      const reader = new FrameReader(writer.take());
      expect(readMessage(reader, readEntryKind(reader))).toEqual(message);
      expect(isControl(readEntryKind(reader))).toBe(true);
      expect(readGroupControl(new FrameReader(reader.block()))).toEqual(one);
      expect(readMessage(reader, readEntryKind(reader))).toEqual(message);
      tolerates(() => readGroupControl(new FrameReader(bytes.subarray(0, at % bytes.length))));
      bytes[at % bytes.length] = byte;
      tolerates(() => readGroupControl(new FrameReader(bytes)));
    }),
  );
});

test('messages are read as they were written; cut anywhere they are refused', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 5 }), fc.nat(), (entries, cut) => {
      const writer = new FrameWriter();
      for (const one of entries) writeMessage(writer, one);
      const bytes = writer.take();
      const back = new FrameReader(bytes);
      for (const one of entries) expect(readMessage(back, readEntryKind(back))).toEqual(one);
      expect(back.isAtEnd).toBe(true);
      const short = new FrameReader(bytes.subarray(0, cut % (bytes.length + 1)));
      tolerates(() => {
        while (!short.isAtEnd) readMessage(short, readEntryKind(short));
      });
    }),
    { numRuns: 50 },
  );
});

test('a count of four billion is refused before anything is read', () => {
  const bytes = new Uint8Array(64 * 1024);
  bytes.fill(0xff, 1, 5);
  expect(() => readMessage(new FrameReader(bytes.subarray(1)), 1)).toThrow(/cannot hold 4294967295 elements/);
  const logs = new Uint8Array(64 * 1024);
  logs.fill(0xff, 5, 9);
  expect(() => readMessage(new FrameReader(logs.subarray(1)), 1)).toThrow(/cannot hold 4294967295 elements/);
  const statistics = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
  expect(() => readStatistics(new FrameReader(statistics))).toThrow(/cannot hold 4294967295 elements/);
});

test('numbers that are none are refused: they would stop a cursor for ever', () => {
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 53]) {
    const writer = new FrameWriter();
    writer.f64(wrong);
    const bytes = writer.take();
    expect(() => new FrameReader(bytes).f64()).toThrow(FrameError);
  }
});

test('a frame of another version is refused; the one written can be read', () => {
  expect(readableVersions).toContain(frameVersion);
  expect(() => readFrameType(new FrameReader(Uint8Array.from([Math.max(...readableVersions) + 1, 1])))).toThrow(
    FrameError,
  );
  expect(() => readFrameType(new FrameReader(Uint8Array.from([0, 1])))).toThrow(FrameError);
});

test('a kept frame that is sent again says so, in bytes of its own', () => {
  const writer = new FrameWriter();
  writeKeptHead(writer, { link: 3, sequence: 9, first: 9, round: 0 });
  writer.text('entries');
  const bytes = writer.take();
  const before = Buffer.from(bytes);
  const reader = new FrameReader(repeatKept(bytes, 4, 2));
  expect(readFrameType(reader)).toBe(FrameType.kept);
  expect(readKeptHead(reader)).toEqual({ link: 3, sequence: 9, first: 4, round: 2 });
  expect(reader.text()).toBe('entries');
  expect(bytes).toEqual(before);
});

test('a worker survives whatever frames come, and goes on', async () => {
  const { world, workers } = await World.of(2);
  const [worker] = workers;
  const other = workers[1].broker.self;
  const client = await worker.connect('c');
  await client.subscribe('t', 0);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 14 }), fc.uint8Array({ maxLength: 60 }), (type, body) => {
      worker.broker.cluster.received(other, Uint8Array.from([frameVersion, type, ...body]));
    }),
    { numRuns: 500 },
  );
  await world.clock.settle();
  await client.send(publish('t', 'still here'));
  expect(client.said()).toContain('publish t still here q0');
});

test('what a session hands over is read as it was written; other text is a FrameError', () => {
  const handed = fc.record({
    address: text,
    cursors: fc.array(fc.record({ filter: text, acknowledged: number, above: fc.array(number) })),
    outbound: fc.array(
      fc.record({
        packetId: fc.integer({ min: 1, max: 65_535 }),
        state: fc.constantFrom('sent' as const, 'released' as const),
        qos: fc.constantFrom(1 as const, 2 as const),
        filter: text,
        sequence: number,
        record: fc.option(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
      }),
    ),
  });
  fc.assert(
    fc.property(handed, (value) => {
      expect(decodeHanded(encodeHanded(value))).toEqual(value);
    }),
  );
  expect(decodeHanded(encodeHanded(null))).toBeNull();
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (body) => void tolerates(() => decodeHanded(body))));
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
