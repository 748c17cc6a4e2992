/**
 * Message on its way to its receivers: where its parts lie, and the packets already made of it.
 *
 * A PUBLISH that came from a client is described in place, in the chunk it was read in; a message from a log or a frame is described in
 * its record (message-record.ts). Nothing is copied until something must outlive the turn.
 *
 * A packet is made once per variant, not once per subscriber: protocol version (5 or older) times "has a packet identifier". The bytes of
 * the received packet itself serve for its own variant. First byte (QoS, DUP, RETAIN) and packet identifier are written into the copy.
 */
import { PacketType, variableByteIntegerSize, writeVariableByteInteger } from '@dunlin/protocol';
import type { PublishSpan, TraceContext } from '../ports/tracer.ts';

const nothing = Buffer.alloc(0);

/** A PUBLISH packet, ready but for its first byte and packet identifier. */
export class Variant {
  bytes: Buffer = nothing;
  start = 0;
  end = 0;
  /** Offset of the packet identifier from `start`; 0: none. */
  packetIdAt = 0;
  ready = false;
}

export class Publication {
  bytes: Buffer = nothing;
  topicStart = 0;
  topicEnd = 0;
  /** Properties passed on unaltered (MQTT 5, encoded, without their length). */
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  qos: 0 | 1 | 2 = 0;
  retain = false;
  /** Milliseconds since 1970; 0: never. */
  expiresAt = 0;
  /** Time at which it was taken, milliseconds since 1970; 0: nobody needs to know (limits.groupMessageTtlSeconds). */
  publishedAt = 0;
  /** True: the bytes are those of a chunk and end with the turn; whoever keeps it makes a copy (`keep`). */
  isLent = false;
  /** Client identifier of who published, for No Local; empty: not a client. */
  publisher = '';
  /** Name of the user whose quota a retained message counts against, where there is no session; empty: none. */
  user = '';
  /** Parent of the spans of a traced message; null: it is not traced. */
  trace: TraceContext | null = null;
  /** Span to end when the message is acknowledged; whoever takes that over sets it to null here. */
  span: PublishSpan | null = null;
  /** Copy that outlives the turn, of one that is lent: all sessions in which it waits share it. */
  kept: Publication | null = null;
  readonly old0 = new Variant();
  readonly old1 = new Variant();
  readonly new0 = new Variant();
  readonly new1 = new Variant();

  topic(): string {
    return this.bytes.toString('utf8', this.topicStart, this.topicEnd);
  }

  get size(): number {
    return this.payloadEnd - this.payloadStart + this.topicEnd - this.topicStart;
  }

  isExpired(now: number): boolean {
    return this.expiresAt !== 0 && now >= this.expiresAt;
  }

  /** Frees the packets made of it, too: a message that waits is not held twice. */
  dropVariants(): void {
    for (const variant of [this.old0, this.old1, this.new0, this.new1]) {
      variant.ready = false;
      variant.bytes = nothing;
    }
  }

  forgetVariants(): void {
    this.old0.ready = false;
    this.old1.ready = false;
    this.new0.ready = false;
    this.new1.ready = false;
  }

  /** The packet for a receiver of this version at this QoS class. `now` is needed for the rest of the expiry alone. */
  variant(version5: boolean, withPacketId: boolean, now: number): Variant {
    const variant = version5 ? (withPacketId ? this.new1 : this.new0) : withPacketId ? this.old1 : this.old0;
    if (!variant.ready) this.make(variant, version5, withPacketId, now);
    return variant;
  }

  private make(variant: Variant, version5: boolean, withPacketId: boolean, now: number): void {
    const size = publishSize(this, version5, withPacketId, nothing, true);
    variant.bytes = Buffer.allocUnsafe(size);
    variant.start = 0;
    variant.end = writePublish(this, variant.bytes, 0, version5, withPacketId, nothing, true, now);
    variant.packetIdAt = withPacketId ? variant.end - packetIdFromEnd(this, version5, nothing) : 0;
    variant.ready = true;
  }
}

/** Message Expiry Interval as a property: identifier and four bytes. */
const expiryPropertySize = 5;

function propertiesSize(publication: Publication, extra: Buffer): number {
  return (
    publication.propertiesEnd -
    publication.propertiesStart +
    extra.length +
    (publication.expiresAt === 0 ? 0 : expiryPropertySize)
  );
}

/** Place of the packet identifier of a packet written by `writePublish`, counted from the packet's end. */
export function packetIdFromEnd(publication: Publication, version5: boolean, extra: Buffer): number {
  const payload = publication.payloadEnd - publication.payloadStart;
  if (!version5) return payload + 2;
  const properties = propertiesSize(publication, extra);
  return payload + properties + variableByteIntegerSize(properties) + 2;
}

function bodySize(
  publication: Publication,
  version5: boolean,
  withPacketId: boolean,
  extra: Buffer,
  withTopic: boolean,
): number {
  let size = 2 + publication.payloadEnd - publication.payloadStart;
  if (withTopic) size += publication.topicEnd - publication.topicStart;
  if (withPacketId) size += 2;
  if (version5) {
    const properties = propertiesSize(publication, extra);
    size += variableByteIntegerSize(properties) + properties;
  }
  return size;
}

/** Bytes of the whole packet. `extra`: encoded properties of this receiver alone (subscription identifiers, topic alias). */
export function publishSize(
  publication: Publication,
  version5: boolean,
  withPacketId: boolean,
  extra: Buffer,
  withTopic: boolean,
): number {
  const body = bodySize(publication, version5, withPacketId, extra, withTopic);
  return 1 + variableByteIntegerSize(body) + body;
}

/** Writes the packet but for QoS, DUP, RETAIN and the packet identifier, which are left for `stamp`. Returns the offset after it. */
export function writePublish(
  publication: Publication,
  out: Buffer,
  start: number,
  version5: boolean,
  withPacketId: boolean,
  extra: Buffer,
  withTopic: boolean,
  now: number,
): number {
  const topicLength = withTopic ? publication.topicEnd - publication.topicStart : 0;
  let at = start;
  out[at++] = PacketType.publish << 4;
  at = writeVariableByteInteger(out, at, bodySize(publication, version5, withPacketId, extra, withTopic));
  out[at++] = topicLength >> 8;
  out[at++] = topicLength & 0xff;
  if (withTopic) {
    publication.bytes.copy(out, at, publication.topicStart, publication.topicEnd);
    at += topicLength;
  }
  if (withPacketId) at += 2;
  if (version5) at = writeProperties(publication, out, at, extra, now);
  publication.bytes.copy(out, at, publication.payloadStart, publication.payloadEnd);
  return at + publication.payloadEnd - publication.payloadStart;
}

function writeProperties(publication: Publication, out: Buffer, start: number, extra: Buffer, now: number): number {
  let at = writeVariableByteInteger(out, start, propertiesSize(publication, extra));
  if (publication.propertiesEnd > publication.propertiesStart) {
    publication.bytes.copy(out, at, publication.propertiesStart, publication.propertiesEnd);
    at += publication.propertiesEnd - publication.propertiesStart;
  }
  if (publication.expiresAt !== 0) {
    // The interval sent is what is left of it [MQTT-3.3.2-6].
    out[at++] = 0x02;
    at = out.writeUInt32BE(Math.max(0, Math.ceil((publication.expiresAt - now) / 1000)), at);
  }
  extra.copy(out, at);
  return at + extra.length;
}
