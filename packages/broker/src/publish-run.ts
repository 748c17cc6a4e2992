/**
 * Consecutive QoS 0 publishes of one client to one topic, handed over as one piece.
 *
 * ```
 *   chunk   | … | PUBLISH a/b | PUBLISH a/b | PUBLISH a/b | PUBLISH c | …
 *                 └──────────── one run ─────────────┘
 * ```
 *
 * A fast publisher's packets lie one after the other in the chunk they were read in. A subscriber of the same protocol version gets those very bytes, so the
 * whole stretch is copied once for each subscriber instead of packet by packet; for subscribers of another version it is encoded once and then copied.
 * Measured (1 to 100, window 100): the copy of single packets was half of the broker's time; by runs a delivery costs a third. A run ends with
 * the chunk, so nothing waits for it. Other endpoints get the run as it is, in a frame, and hand it on in the same way.
 */
import { PublishView, readPublish } from '@dunlin/protocol';
import type { RunEntry } from './cluster/frames.ts';
import type { Links } from './cluster/links.ts';
import { FrameError } from './cluster/wire.ts';
import { sendPublish } from './deliver.ts';
import { type Outbox, putBytes, sendBytes } from './outbox.ts';
import { Publication } from './publication.ts';
import {
  ConversionSpace,
  convertedBytesMax,
  lengthAt,
  lengthEnd,
  withEmptyProperties,
  withoutProperties,
} from './publish-conversion.ts';
import { placeInPacket } from './publish-in-place.ts';
import type { Session } from './session.ts';
import type { SessionDelivery } from './session-delivery.ts';
import type { Subscription } from './subscription.ts';
import type { TopicMatch, TopicMatches } from './topic-match.ts';

const nothing = Buffer.alloc(0);
/**
 * Runs are converted here and copied on, all that come of one chunk of 64 KiB: a buffer of their own costs more than the copy (one packet each: 5 % of a delivery,
 * 100 packets: 15 %, 800 packets: 10 %).
 */
const scratch = new ConversionSpace(81_920);

export class PublishRun implements RunEntry {
  private readonly delivery: SessionDelivery;
  private readonly links: Links;
  bytes: Buffer = nothing;
  start = 0;
  end = 0;
  private match: TopicMatch | null = null;
  /** Null: a client of another endpoint. */
  private publisher: Session | null = null;
  version5 = false;
  count = 0;
  /** The run in the encoding of the other protocol versions, made when the first such subscriber comes. */
  private converted: Buffer | null = null;
  private convertedInScratch = false;
  private readonly view = new PublishView();
  private readonly publication = new Publication();

  constructor(delivery: SessionDelivery, links: Links) {
    this.delivery = delivery;
    this.links = links;
  }

  /** Adds the packet in bytes[start, end): QoS 0, without RETAIN, alias and expiry, for local subscribers and other endpoints alone. */
  add(bytes: Buffer, start: number, end: number, match: TopicMatch, publisher: Session): void {
    if (this.count > 0) {
      if (this.end === start && this.match === match && this.bytes === bytes) {
        this.end = end;
        this.count++;
        return;
      }
      this.flush();
    }
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.match = match;
    this.publisher = publisher;
    this.version5 = publisher.connection.version5;
    this.count = 1;
  }

  /** A run that another endpoint took, for sessions here. Throws FrameError if it is none. */
  receive(run: RunEntry, matches: TopicMatches): void {
    this.flush();
    const { bytes, start, end } = run;
    this.count = countPackets(bytes, start, end);
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.version5 = run.version5;
    const topicAt = lengthEnd(bytes, start + 1) + 2;
    this.match = matches.find(bytes, topicAt, topicAt + ((bytes[topicAt - 2] << 8) | bytes[topicAt - 1]));
    try {
      this.deliver(this.match);
    } finally {
      this.clear();
    }
  }

  /** Hands the run over. Called at the end of the chunk, and before anything that must come after it. */
  flush(): void {
    const { match } = this;
    if (match === null) return;
    const { endpoints } = match;
    if (endpoints.length > 0) {
      const dropped = this.links.passRun(endpoints, this);
      if (dropped > 0) this.delivery.metrics.dropped['link-lost'] += dropped * this.count;
    }
    if (match.all.length > 0) this.deliver(match);
    else if (endpoints.length === 0) this.delivery.metrics.dropped['no-subscriber'] += this.count;
    this.clear();
  }

  private clear(): void {
    this.count = 0;
    this.match = null;
    this.publisher = null;
    this.bytes = nothing;
    this.converted = null;
  }

  private deliver(match: TopicMatch): void {
    const { delivery, publisher, count, version5 } = this;
    const subscriptions = match.all;
    for (let i = 0; i < subscriptions.length; i++) {
      const subscription = subscriptions[i];
      if (subscription.noLocal && subscription.session === publisher) continue; // [MQTT-3.8.3-3]
      const { connection } = subscription;
      if (connection.outbox.congested && !delivery.mayQueueQos0(connection)) continue;
      if (subscription.identifiers !== null || connection.individual) this.sendEach(subscription);
      else if (connection.version5 === version5) this.sendAsIs(connection.outbox);
      else this.sendConverted(subscription, version5);
      delivery.metrics.publishesSent += count;
    }
  }

  private sendAsIs(outbox: Outbox): void {
    this.delivery.metrics.publishBytesSent += this.end - this.start;
    sendBytes(outbox, this.bytes, this.start, this.end);
  }

  private sendConverted(subscription: Subscription, version5: boolean): void {
    const { outbox } = subscription.connection;
    this.converted ??= this.convert(version5);
    this.delivery.metrics.publishBytesSent += this.converted.length;
    if (this.convertedInScratch) putBytes(outbox, this.converted, 0, this.converted.length);
    else sendBytes(outbox, this.converted, 0, this.converted.length);
  }

  private convert(version5: boolean): Buffer {
    const size = convertedBytesMax(this.end - this.start, this.count);
    // A single packet is worth a buffer: it may be the only one of its turn, and then it is sent from there without a copy.
    this.convertedInScratch = this.count > 1 && size <= scratch.bytes.length;
    const space = this.convertedInScratch ? scratch : new ConversionSpace(size);
    return version5
      ? withoutProperties(space, this.bytes, this.start, this.end)
      : withEmptyProperties(space, this.bytes, this.start, this.end);
  }

  /** Packet by packet, for a subscriber whose packets are its own. */
  private sendEach(subscription: Subscription): void {
    const { connection } = subscription.session;
    for (let at = this.start; at < this.end; ) {
      at = this.place(at, this.version5);
      sendPublish(this.delivery, connection, this.publication, 0x30, 0, subscription.identifiers);
    }
    this.delivery.metrics.publishesSent -= this.count; // counted there already
  }

  /** Describes the packet at `at` and returns where the next begins. Its rules were checked when it was added. */
  private place(at: number, version5: boolean): number {
    const { bytes } = this;
    const bodyStart = lengthEnd(bytes, at + 1);
    const end = bodyStart + lengthAt(bytes, at + 1);
    readPublish(this.view, bytes[at], bytes, bodyStart, end, version5 ? 5 : 4);
    placeInPacket(this.publication, this.view, bytes, at, version5, this.delivery.now, null);
    return end;
  }
}

/** How many packets lie there. Throws FrameError unless all are whole PUBLISH packets of QoS 0 without RETAIN. */
function countPackets(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; count++) {
    const bodyStart = lengthEnd(bytes, at + 1);
    const topicEnd = bodyStart + 2 + ((bytes[bodyStart] << 8) | bytes[bodyStart + 1]);
    const packetEnd = bodyStart + lengthAt(bytes, at + 1);
    if (bytes[at] !== 0x30 || topicEnd > packetEnd || packetEnd > end)
      throw new FrameError(`byte ${at - start} of a run of ${end - start} does not begin a PUBLISH packet of QoS 0`);
    at = packetEnd;
  }
  if (count === 0) throw new FrameError('a run without packets');
  return count;
}
