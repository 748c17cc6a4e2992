/**
 * Entries of frames that carry messages, one after the other (frames.ts). The first byte of an entry is its kind:
 *
 * | bits | entry | in frames | what follows |
 * | --- | --- | --- | --- |
 * | `hhhhh00s` | a message; `s`: for subscriptions, not for groups and logs alone; `h`: hops | kept, passing, broadcast | groups, logs, record |
 * | `00000101` | a message for subscriptions, QoS 2, of a durable publisher | kept | its client identifier, its number, 1: repeated; then as above |
 * | `0000001v` | a batch of QoS 0 packets; `v`: in the encoding of MQTT 5 | passing, broadcast | the packets |
 * | `0000011v` | a batch of QoS 1 packets | kept | the packets |
 * | `00000100` | a control message of a shared group (group-control.ts) | kept | the message |
 */
import { FrameError, type FrameReader, type FrameWriter } from '../message/wire.ts';

/** Publish for the receiver: its record, the groups of which the receiver chooses a member, and its numbers in logs. */
export interface MessageEntry {
  record: Buffer;
  /** False: the message is for `groups` and `logs` alone. */
  toSubscriptions: boolean;
  groups: string[];
  logs: { filter: string; sequence: number }[];
  /**
   * Producer of a QoS 2 message from a durable publisher, for subscriptions: by it a worker knows whether it has had
   * the message (given-messages.ts). Such a message is not forwarded again.
   */
  producer?: { clientId: string; number: number; isRepeated: boolean };
  /**
   * Number of times that the message was forwarded because a group had no member any more where it arrived; absent: 0.
   * At most 31.
   */
  hops?: number;
}

export function writeMessage(writer: FrameWriter, entry: MessageEntry): void {
  if (entry.producer === undefined) {
    writer.u8((entry.toSubscriptions ? 1 : 0) | ((entry.hops ?? 0) << hopsShift));
  } else {
    writer.u8(producedKind);
    writer.text(entry.producer.clientId);
    writer.f64(entry.producer.number);
    writer.u8(entry.producer.isRepeated ? 1 : 0);
  }
  writer.u32(entry.groups.length);
  for (const group of entry.groups) writer.text(group);
  writer.u32(entry.logs.length);
  for (const log of entry.logs) {
    writer.text(log.filter);
    writer.f64(log.sequence);
  }
  writer.block(entry.record);
}

/**
 * Consecutive PUBLISH packets of one client to one topic with the same QoS, as they came (publish-batch.ts): bytes[start, end) in the encoding of MQTT 5 or of
 * the older versions. A packet in a batch costs a tenth of one in a message entry, on both sides.
 */
export interface BatchEntry {
  bytes: Buffer;
  start: number;
  end: number;
  version5: boolean;
  /**
   * 0: in passing and broadcast frames; 1: in kept frames. The packet identifiers are those of the publisher: each
   * delivery writes its own over them.
   */
  qos: 0 | 1;
}

const batchFlag = 2;
const controlFlag = 4;
/** Flag of a batch in a kept frame. */
const keptBatchFlag = 4;
/** Kind of a message with its producer. */
const producedKind = 5;
const hopsShift = 3;

export function writeBatch(writer: FrameWriter, batch: BatchEntry): void {
  writer.u8(batchFlag | (batch.qos === 0 ? 0 : keptBatchFlag) | (batch.version5 ? 1 : 0));
  writer.part(batch.bytes, batch.start, batch.end);
}

export function writeControl(writer: FrameWriter, body: Uint8Array): void {
  writer.u8(controlFlag);
  writer.block(body);
}

/** The kind of the next entry of a frame, to be passed to `readBatch` or `readMessage`. */
export function readEntryKind(reader: FrameReader): number {
  const kind = reader.u8();
  if (kind > 7 && (kind & 6) !== 0) throw new FrameError(`an entry of the unknown kind ${kind}`);
  return kind;
}

export function isBatch(kind: number): boolean {
  return (kind & batchFlag) !== 0;
}

/** A control message, as `writeControl` wrote it: a block follows. */
export function isControl(kind: number): boolean {
  return kind === controlFlag;
}

/**
 * The batch lies in the bytes of the frame, unchecked: `countPackets` tells whether they are packets
 * (batch-packets.ts).
 */
export function readBatch(reader: FrameReader, kind: number): BatchEntry {
  const bytes = reader.block();
  return { bytes, start: 0, end: bytes.length, version5: (kind & 1) === 1, qos: (kind & keptBatchFlag) === 0 ? 0 : 1 };
}

export function readMessage(reader: FrameReader, kind: number): MessageEntry {
  const toSubscriptions = (kind & 1) === 1;
  const producer =
    kind === producedKind ? { clientId: reader.text(), number: reader.f64(), isRepeated: reader.u8() === 1 } : null;
  const groups: string[] = [];
  for (let left = reader.count(4); left > 0; left--) groups.push(reader.text());
  const logs: { filter: string; sequence: number }[] = [];
  for (let left = reader.count(12); left > 0; left--) logs.push({ filter: reader.text(), sequence: reader.f64() });
  const entry: MessageEntry = { toSubscriptions, groups, logs, record: reader.block() };
  if (producer !== null) entry.producer = producer;
  if (kind >> hopsShift > 0) entry.hops = kind >> hopsShift;
  return entry;
}
