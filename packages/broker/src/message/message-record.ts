/**
 * A message at rest and between nodes: what logs, retained messages, wills, delayed publishes and frames hold. One layout for all of
 * them, so that a message read from a log goes into a frame without being taken apart.
 *
 * ```
 *  0        1        2            10             12            12+p      14+p          14+p+t   18+p+t
 *  +--------+--------+------------+--------------+-------------+---------+-------------+--------+------------------+---------+
 *  | layout | flags  | expiresAt  | publisher    | publisher   | topic   | topic       | proper-| properties       | payload |
 *  | = 1    |        | f64, ms    | length u16   |             | len u16 |             | ties   | (forwarded ones) | to end  |
 *  |        |        | 0: never   |              |             |         |             | len u32|                  |         |
 *  +--------+--------+------------+--------------+-------------+---------+-------------+--------+------------------+---------+
 *  flags: bits 0-1 QoS, bit 2 retain, bit 3: publishedAt (f64, ms) stands behind expiresAt; bit 4, in layout 2 alone: the context of a trace
 *  (25 bytes, ports/tracer.ts) stands behind these
 * ```
 *
 * Layout 2 is written for messages that are traced, layout 1 for all others: a reader that knows layout 1 alone refuses what it would take apart wrongly.
 */
import { CodedError } from '@dunlin/protocol';
import { traceContextBytes } from '../ports/tracer.ts';
import { Publication } from './publication.ts';

const plainLayout = 1;
const tracedLayout = 2;
const publishedFlag = 8;
const traceFlag = 16;
const publishedAtOffset = 10;

/** Thrown by `readRecord` for bytes that are no record of a known layout: a store written by a newer version, or damaged. */
export class RecordError extends CodedError<'unreadable-record'> {
  constructor(message: string) {
    super('unreadable-record', message);
  }
}

/**
 * Encodes a publication, wherever its bytes lie, into a buffer of its own. `topic` may replace the topic (for `$delayed`). `publishedAt`: 0 where nobody
 * needs to know.
 */
export function writeRecord(
  publication: Publication,
  topic: Buffer | null = null,
  publishedAt = publication.publishedAt,
): Buffer {
  const { trace } = publication;
  const traceAt = publishedAt === 0 ? 10 : 18;
  const publisherAt = trace === null ? traceAt : traceAt + traceContextBytes;
  const publisherLength = Buffer.byteLength(publication.publisher);
  const topicLength = topic === null ? publication.topicEnd - publication.topicStart : topic.length;
  const propertiesLength = publication.propertiesEnd - publication.propertiesStart;
  const payloadLength = publication.payloadEnd - publication.payloadStart;
  const record = Buffer.allocUnsafe(publisherAt + 8 + publisherLength + topicLength + propertiesLength + payloadLength);
  record[0] = trace === null ? plainLayout : tracedLayout;
  record[1] = publication.qos | (publication.retain ? 4 : 0) | (publishedAt === 0 ? 0 : publishedFlag);
  if (trace !== null) {
    record[1] |= traceFlag;
    trace.copy(record, traceAt);
  }
  record.writeDoubleBE(publication.expiresAt, 2);
  if (publishedAt !== 0) record.writeDoubleBE(publishedAt, publishedAtOffset);
  let at = record.writeUInt16BE(publisherLength, publisherAt);
  if (publisherLength > 0) at += record.write(publication.publisher, at);
  at = record.writeUInt16BE(topicLength, at);
  if (topic === null) publication.bytes.copy(record, at, publication.topicStart, publication.topicEnd);
  else topic.copy(record, at);
  at = record.writeUInt32BE(propertiesLength, at + topicLength);
  if (propertiesLength > 0) publication.bytes.copy(record, at, publication.propertiesStart, publication.propertiesEnd);
  publication.bytes.copy(record, at + propertiesLength, publication.payloadStart, publication.payloadEnd);
  return record;
}

/** A publication over the bytes of a record, which must not change afterwards. Throws RecordError. */
export function readRecord(bytes: Uint8Array): Publication {
  const record = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (record.length < 18 || record[0] < plainLayout || record[0] > tracedLayout) {
    throw new RecordError(
      `a message of layout ${record[0]} and ${record.length} bytes; known are layouts ${plainLayout} and ${tracedLayout}`,
    );
  }
  const publication = new Publication();
  const hasPublished = (record[1] & publishedFlag) !== 0;
  const traceAt = hasPublished ? 18 : 10;
  const isTraced = record[0] === tracedLayout && (record[1] & traceFlag) !== 0;
  const publisherAt = isTraced ? traceAt + traceContextBytes : traceAt;
  if (record.length < publisherAt + 8) throw new RecordError('a message record that ends within its head');
  const publisherEnd = publisherAt + 2 + record.readUInt16BE(publisherAt);
  publication.bytes = record;
  if (isTraced) publication.trace = record.subarray(traceAt, publisherAt);
  publication.qos = (record[1] & 3) as 0 | 1 | 2;
  publication.retain = (record[1] & 4) !== 0;
  publication.expiresAt = record.readDoubleBE(2);
  if (hasPublished) publication.publishedAt = record.readDoubleBE(publishedAtOffset);
  publication.publisher = publisherEnd > publisherAt + 2 ? record.toString('utf8', publisherAt + 2, publisherEnd) : '';
  publication.topicStart = publisherEnd + 2;
  publication.topicEnd = publication.topicStart + record.readUInt16BE(publisherEnd);
  publication.propertiesStart = publication.topicEnd + 4;
  publication.propertiesEnd = publication.propertiesStart + record.readUInt32BE(publication.topicEnd);
  publication.payloadStart = publication.propertiesEnd;
  publication.payloadEnd = record.length;
  if (publication.propertiesEnd > record.length)
    throw new RecordError('a message record that ends within its properties');
  return publication;
}
