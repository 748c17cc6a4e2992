/** Batches of packets in frames (publish-batch.ts): what is written is read, and what is no batch is refused before anybody gets it. */
import { decodePacket, encodePacket, ProtocolError } from '@dunlin/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type BatchEntry,
  isBatch,
  isControl,
  type MessageEntry,
  readBatch,
  readEntryKind,
  readMessage,
  writeBatch,
  writeMessage,
} from '../src/cluster/entries.ts';
import { countPackets, endOf, packetEnd, stampPacketIds } from '../src/delivery/batch-packets.ts';
import {
  ConversionSpace,
  convertedBytesMax,
  lengthEnd,
  withEmptyProperties,
  withoutProperties,
} from '../src/message/publish-conversion.ts';
import { FrameError, FrameReader, FrameWriter } from '../src/message/wire.ts';
import { OutboundInflight } from '../src/session/inflight.ts';

const message: MessageEntry = { record: Buffer.from('a record'), toSubscriptions: true, groups: ['g'], logs: [] };

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

const batch = fc.record({
  qos: fc.constantFrom(0 as const, 1 as const),
  version5: fc.boolean(),
  topic: fc.constantFrom('t', 'load/7', 'a/'.repeat(100)),
  messages: fc.array(
    fc.record({
      packetId: fc.integer({ min: 1, max: 65_535 }),
      payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      userProperties: fc.array(fc.tuple(fc.constant('key'), fc.constant('x'.repeat(100))), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});
type Batch = typeof batch extends fc.Arbitrary<infer R> ? R : never;

/** Its packets as they come from a client, with bytes of others around them, as in a chunk. */
function batchOf({ qos, version5, topic, messages }: Batch): BatchEntry {
  const packets = messages.map(({ packetId, payload, userProperties }) =>
    encodePacket(
      {
        ...{ type: 'publish', dup: false, qos, retain: false, topic, payload },
        packetId: qos === 0 ? 0 : packetId,
        properties: version5 && userProperties.length > 0 ? { userProperties } : {},
      },
      version5 ? 5 : 4,
    ),
  );
  const bytes = Buffer.concat([Buffer.alloc(3, 0xff), ...packets, Buffer.alloc(3, 0xff)]);
  return { bytes, start: 3, end: bytes.length - 3, version5, qos };
}

function countOf({ bytes, start, end, qos, version5 }: BatchEntry): number {
  return countPackets(bytes, start, end, qos, version5);
}

test('batches are read as they were written, between messages; their packets are counted', () => {
  fc.assert(
    fc.property(batch, (one) => {
      const writer = new FrameWriter();
      const { bytes, start, end, ...kind } = batchOf(one);
      writeMessage(writer, message);
      writeBatch(writer, { bytes, start, end, ...kind });
      writeMessage(writer, message);
      const reader = new FrameReader(writer.take());
      expect(readMessage(reader, readEntryKind(reader))).toEqual(message);
      const first = readEntryKind(reader);
      expect([isBatch(first), isControl(first)]).toEqual([true, false]);
      const back = readBatch(reader, first);
      expect(back).toMatchObject(kind);
      expect(back.bytes.subarray(back.start, back.end)).toEqual(bytes.subarray(start, end));
      expect(countOf(back)).toBe(one.messages.length);
      expect(readMessage(reader, readEntryKind(reader))).toEqual(message);
    }),
  );
});

test('a batch that is cut, changed or of another kind is refused, or can be walked, converted and read to its end', () => {
  fc.assert(
    fc.property(batch, batch, fc.nat(), fc.integer({ min: 0, max: 255 }), (one, other, at, byte) => {
      const whole = batchOf(one);
      const { qos, version5 } = batchOf(other);
      const changed = Buffer.from(whole.bytes.subarray(whole.start, whole.end));
      changed[at % changed.length] = byte;
      const cut = whole.start + (at % (whole.end - whole.start));
      for (const entry of [
        { ...whole, end: cut },
        { ...whole, start: cut },
        { ...whole, bytes: changed, start: 0, end: changed.length },
        { ...whole, qos, version5 },
      ]) {
        if (tolerates(() => countOf(entry))) walk(entry);
      }
    }),
    { numRuns: 500 },
  );
  for (const size of [0, 1, 2, 5]) {
    const entry = { bytes: Buffer.alloc(size, 0xff), start: 0, end: size, version5: true, qos: 1 as const };
    expect(() => countOf(entry)).toThrow(FrameError);
  }
});

/**
 * Reads a batch that was counted; `Buffer` gives undefined behind its end, so a read out of range shows as a number
 * that is none.
 */
function walk({ bytes, start, end, qos, version5 }: BatchEntry): void {
  const count = countPackets(bytes, start, end, qos, version5);
  expect(endOf(bytes, start, count)).toBe(end);
  const space = new ConversionSpace(convertedBytesMax(end - start, count));
  const convert = version5 ? withoutProperties : withEmptyProperties;
  const converted = convert(space, bytes, start, end, qos);
  expect(countPackets(converted, 0, converted.length, qos, !version5)).toBe(count);
  const copy = Buffer.from(bytes.subarray(start, end));
  if (qos === 0) return;
  stampPacketIds(copy, 0, copy.length, new OutboundInflight(10));
  expect(countPackets(copy, 0, copy.length, qos, version5)).toBe(count);
  for (let i = 0, at = 0; i < count; i++, at = packetEnd(copy, at)) {
    try {
      const packet = decodePacket(copy[at], copy, lengthEnd(copy, at + 1), packetEnd(copy, at), version5 ? 5 : 4);
      expect(packet).toMatchObject({ packetId: i + 1 });
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError); // the topic or a property is no text any more: its lengths are right
    }
  }
}
