/**
 * Consecutive publishes of one client to one topic, handed over as one piece.
 *
 * ```
 *   chunk   | … | PUBLISH a/b | PUBLISH a/b | PUBLISH a/b | PUBLISH c | …
 *                 └─────────── one batch ────────────┘
 * ```
 *
 * A fast publisher's packets lie one after the other in the chunk they were read in. A subscriber of the same protocol
 * version gets those very bytes, so the whole stretch is copied once for each subscriber instead of packet by packet;
 * for subscribers of another version it is encoded once and then copied. Measured (1 to 100, window 100): the copy of
 * single packets was half of the broker's time; by batches a delivery costs a third. A batch ends with the chunk, so
 * nothing waits for it. Other endpoints get the batch as it is, in a frame and deliver it in the same way.
 *
 * Packets of QoS 1 for other endpoints go in batches as well. The publisher's PUBACKs are written while the batch
 * grows, wait for the frame as one, and are sent as one block; where the batch is delivered, packet identifiers are
 * written over the publisher's in the copy. Measured (20 pairs, window 100, across two nodes): with an entry of its own
 * for each message, which is made on one side, read on the other and waited for, 2.0 µs a delivery of both nodes
 * together; by batches 0.96.
 */
import { PublishView, readPublish, writeAck } from '@dunlin/protocol';
import type { BatchEntry } from '../cluster/entries.ts';
import type { Links } from '../cluster/links.ts';
import { copyInto } from '../message/copy-into.ts';
import { Publication } from '../message/publication.ts';
import {
  ConversionSpace,
  convertedBytesMax,
  lengthEnd,
  withEmptyProperties,
  withoutProperties,
} from '../message/publish-conversion.ts';
import { placeInPacket } from '../message/publish-in-place.ts';
import type { Outlet } from '../output/outlet.ts';
import { type OutputBuffer, putBytes, sendBytes } from '../output/output-buffer.ts';
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';
import type { TopicMatch, TopicMatches } from '../subscriptions/topic-match.ts';
import { countPackets, endOf, packetEnd, payloadBytesOf, stampPacketIds } from './batch-packets.ts';
import { sendPublish } from './deliver.ts';
import { mayReceive, receivesCommonBytes } from './receivers.ts';
import type { SessionDelivery } from './session-delivery.ts';
import { type TracedInBatch, traceDeliveries } from './traced-publish.ts';

const nothing = Buffer.alloc(0);
/**
 * Space for the conversion of batches of one chunk of 64 KiB, which are copied on from here: a buffer for each batch
 * costs more than the copy (one packet each: 5 % of a delivery, 100 packets: 15 %, 800 packets: 10 %).
 */
const scratch = new ConversionSpace(81_920);

/** Bytes of a PUBACK; the buffer begins with the length of a usual batch and grows. */
const pubackBytes = 4;
const pubacksAtFirst = 256;

export class PublishBatch implements BatchEntry {
  private readonly delivery: SessionDelivery;
  private readonly links: Links;
  bytes: Buffer = nothing;
  start = 0;
  end = 0;
  private match: TopicMatch | null = null;
  /** Publisher; null: a client of another endpoint. */
  private publisher: Session | null = null;
  version5 = false;
  qos: 0 | 1 = 0;
  count = 0;
  private payloadBytes = 0;
  /** Pending acknowledgement of a batch of QoS 1. */
  private pubacks: Buffer = Buffer.allocUnsafeSlow(pubacksAtFirst * pubackBytes);
  /** The batch in the encoding of the other protocol versions, made for the first subscriber that needs it. */
  private converted: Buffer | null = null;
  private convertedInScratch = false;
  /**
   * Packets with spans. Sent on its own, a traced packet would cut the batch in two, and the client's next chunk with
   * it: 35 % more CPU with 200 spans a second.
   */
  private readonly traced: TracedInBatch[] = [];
  /** Copies of its packets that wait in sessions, by their place: each is made once for all of them. */
  private readonly kept: (Publication | null)[] = [];
  private readonly view = new PublishView();
  private readonly publication = new Publication();

  constructor(delivery: SessionDelivery, links: Links) {
    this.delivery = delivery;
    this.links = links;
  }

  /**
   * Adds the packet in bytes[start, end), without RETAIN, DUP, alias and expiry: of QoS 0 (`packetId` 0) for local
   * subscribers and other endpoints alone (`acceptsBatches`), of QoS 1 where other endpoints must acknowledge it
   * (`acceptsKeptBatches`).
   */
  add(bytes: Buffer, start: number, end: number, match: TopicMatch, publisher: Session, view: PublishView): void {
    const { packetId } = view;
    const qos = packetId === 0 ? 0 : 1;
    if (this.count > 0) {
      if (this.end === start && this.match === match && this.bytes === bytes && this.qos === qos) {
        this.end = end;
        this.count++;
        this.payloadBytes += end - view.payloadStart;
        if (packetId !== 0) this.acknowledgeLater(packetId);
        return;
      }
      this.flush();
    }
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.match = match;
    this.publisher = publisher;
    this.version5 = publisher.outlet.version5;
    this.qos = qos;
    this.count = 1;
    this.payloadBytes = end - view.payloadStart;
    if (packetId !== 0) this.acknowledgeLater(packetId);
  }

  /** The packet that was just added has a span. */
  trace(traced: TracedInBatch): void {
    this.traced.push(traced);
  }

  /** Writes the PUBACK of the packet that was just counted. */
  private acknowledgeLater(packetId: number): void {
    const at = (this.count - 1) * pubackBytes;
    if (at >= this.pubacks.length) {
      const longer = Buffer.allocUnsafeSlow(this.pubacks.length * 2);
      this.pubacks.copy(longer);
      this.pubacks = longer;
    }
    writeAck(this.pubacks, at, 4, packetId);
  }

  /** Delivers a batch from another endpoint to sessions here. Throws FrameError if it is malformed. */
  receive(batch: BatchEntry, matches: TopicMatches): void {
    this.flush();
    const { bytes, start, end, qos, version5 } = batch;
    this.count = countPackets(bytes, start, end, qos, version5);
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.version5 = version5;
    this.qos = qos;
    this.payloadBytes = payloadBytesOf(bytes, start, end, qos, version5);
    const topicAt = lengthEnd(bytes, start + 1) + 2;
    try {
      const match = matches.find(bytes, topicAt, topicAt + ((bytes[topicAt - 2] << 8) | bytes[topicAt - 1]));
      if (qos === 0) this.deliver(match.all);
      else this.deliverAcknowledged(match.live);
    } finally {
      this.clear();
    }
  }

  /** Delivers the batch. Called at the end of the chunk, and before anything that must come after it. */
  flush(): void {
    const { match } = this;
    if (match === null) return;
    this.delivery.metrics.payloadBytesReceived += this.payloadBytes;
    if (this.qos === 0) this.pass(match);
    else this.keep(match);
    this.clear();
  }

  private pass(match: TopicMatch): void {
    const { endpoints } = match;
    if (endpoints.length > 0) {
      const dropped = this.links.passBatch(endpoints, this, this.publisherId);
      if (dropped > 0) this.delivery.metrics.dropped['link-lost'] += dropped * this.count;
    }
    this.deliver(match.all);
    if (match.isEmptyFor(0)) {
      this.delivery.metrics.dropped['no-subscriber'] += this.count;
      this.delivery.fates.droppedOfBatch('no-subscriber', '', this.publisherId, match.topic);
    }
    for (const { span } of this.traced) span.end(0);
  }

  /**
   * The PUBACKs are sent when every endpoint that must have the batch has acknowledged it (P1): the last step, as for a
   * single packet.
   */
  private keep(match: TopicMatch): void {
    const { publisher } = this;
    if (publisher === null) return;
    const { outlet } = publisher;
    const pending = outlet.awaitPubacks(Buffer.from(this.pubacks.subarray(0, this.count * pubackBytes)), this.count);
    this.deliverAcknowledged(match.live);
    this.links.keepBatch(match.liveEndpoints, this, pending);
    pending.allAdded();
  }

  private clear(): void {
    this.count = 0;
    this.match = null;
    this.publisher = null;
    this.bytes = nothing;
    this.converted = null;
    this.traced.length = 0;
    if (this.kept.length > 0) this.kept.length = 0;
  }

  /** Client identifier of the publisher; empty: a client of another endpoint. */
  private get publisherId(): string {
    return this.publisher === null ? '' : this.publisher.clientId;
  }

  private deliver(subscriptions: readonly Subscription[]): void {
    const { delivery, publisherId, count, version5 } = this;
    for (let i = 0; i < subscriptions.length; i++) {
      const subscription = subscriptions[i];
      if (!mayReceive(subscription, publisherId)) continue;
      const { outlet } = subscription;
      if (!delivery.mayQueueQos0(outlet)) {
        this.notQueued(outlet);
        continue;
      }
      if (receivesCommonBytes(subscription)) {
        delivery.fates.untilSample -= count;
        if (delivery.fates.untilSample <= 0) this.sampled(subscription);
        if (outlet.version5 === version5) this.sendAsIs(outlet.output);
        else this.sendConverted(subscription, version5);
        delivery.metrics.publishesSent += count;
        delivery.metrics.payloadBytesSent += this.payloadBytes;
      } else {
        this.sendEach(subscription, 0);
      }
      if (this.traced.length > 0 && delivery.tracer !== null)
        traceDeliveries(delivery.tracer, this.traced, subscription.session.clientId);
    }
  }

  private sampled({ session }: Subscription): void {
    const topic = this.match?.topic ?? '';
    this.delivery.fates.deliveredOfBatch(session.clientId, this.publisherId, topic);
  }

  private notQueued(outlet: Outlet): void {
    const refusal = this.delivery.qos0Refusal(outlet);
    if (refusal !== null && refusal !== 'closed')
      this.delivery.fates.droppedOfBatch(refusal, outlet.clientId, this.publisherId, this.match?.topic ?? '');
  }

  private sendAsIs(output: OutputBuffer): void {
    this.delivery.metrics.publishBytesSent += this.end - this.start;
    sendBytes(output, this.bytes, this.start, this.end);
  }

  private sendConverted(subscription: Subscription, version5: boolean): void {
    const { output } = subscription.outlet;
    this.converted ??= this.convert(version5);
    this.delivery.metrics.publishBytesSent += this.converted.length;
    if (this.convertedInScratch) putBytes(output, this.converted, 0, this.converted.length);
    else sendBytes(output, this.converted, 0, this.converted.length);
  }

  private convert(version5: boolean): Buffer {
    const size = convertedBytesMax(this.end - this.start, this.count);
    // A single packet gets a buffer: it may be the only one of its turn, and then it is sent from there without a copy.
    this.convertedInScratch = this.count > 1 && size <= scratch.bytes.length;
    const space = this.convertedInScratch ? scratch : new ConversionSpace(size);
    const { bytes, start, end, qos } = this;
    return version5
      ? withoutProperties(space, bytes, start, end, qos)
      : withEmptyProperties(space, bytes, start, end, qos);
  }

  /** Sends as one piece what the window has room for; the rest, and packets of an individual subscriber, one by one. */
  private deliverAcknowledged(subscriptions: readonly Subscription[]): void {
    const { publisherId } = this;
    for (let i = 0; i < subscriptions.length; i++) {
      const subscription = subscriptions[i];
      if (!mayReceive(subscription, publisherId)) continue;
      const isPiece = subscription.qos > 0 && receivesCommonBytes(subscription);
      const sent = isPiece ? this.sendStamped(subscription) : 0;
      if (sent < this.count) this.sendEach(subscription, sent);
    }
  }

  /** Sends as many packets as the receiver's window has room for [MQTT-3.3.4-9]. Returns how many. */
  private sendStamped({ session, outlet }: Subscription): number {
    const count = Math.min(this.count, session.room);
    if (count <= 0) return 0;
    let { bytes, start, end } = this;
    if (outlet.version5 !== this.version5) {
      this.converted ??= this.convert(this.version5);
      bytes = this.converted;
      start = 0;
      end = bytes.length;
    }
    if (count < this.count) end = endOf(bytes, start, count);
    const { output } = outlet;
    const at = output.reserve(end - start);
    const copyEnd = copyInto(output.buffer, at, bytes, start, end);
    stampPacketIds(output.buffer, at, copyEnd, session.outboundInflight);
    const { metrics } = this.delivery;
    const isAll = count === this.count;
    metrics.payloadBytesSent += isAll
      ? this.payloadBytes
      : payloadBytesOf(output.buffer, at, copyEnd, 1, outlet.version5);
    metrics.publishesSent += count;
    metrics.publishesSent1 += count;
    metrics.publishBytesSent += copyEnd - at;
    metrics.publishBytesSent1 += copyEnd - at;
    return count;
  }

  /**
   * Sends packet by packet, for an individual subscriber or for messages that wait; the first `skipped` are left out.
   */
  private sendEach(subscription: Subscription, skipped: number): void {
    const { outlet } = subscription;
    let index = skipped;
    for (let at = endOf(this.bytes, this.start, skipped); at < this.end; index++) {
      at = this.place(at, this.version5);
      if (this.qos === 0) {
        sendPublish(this.delivery, outlet, this.publication, 0x30, 0, subscription.identifiers);
        continue;
      }
      this.publication.kept = this.kept[index] ?? null;
      this.delivery.send(this.publication, subscription, false);
      if (this.publication.kept !== null) this.kept[index] = this.publication.kept;
    }
  }

  /** Describes the packet at `at` and returns where the next begins. It was validated when it was added. */
  private place(at: number, version5: boolean): number {
    const { bytes } = this;
    const bodyStart = lengthEnd(bytes, at + 1);
    const end = packetEnd(bytes, at);
    readPublish(this.view, bytes[at], bytes, bodyStart, end, version5 ? 5 : 4);
    placeInPacket(this.publication, this.view, bytes, at, version5, this.delivery.turn, null);
    return end;
  }
}
