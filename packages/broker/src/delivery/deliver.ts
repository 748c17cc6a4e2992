/**
 * The last step of a publish: bytes for each subscriber (ARCHITECTURE.md, section 3, steps 5 and 7).
 *
 * Measured (20 pairs and 1 to 100, QoS 0): copy and write dominate; so the usual subscriber (no subscription
 * identifier, no alias, no small maximum packet size) takes the first branch, which allocates nothing.
 */
import type { Fates } from '../message/fates.ts';
import { identifierProperties } from '../message/identifier-properties.ts';
import { type Publication, packetIdFromEnd, publishSize, writePublish } from '../message/publication.ts';
import type { Outlet } from '../output/outlet.ts';
import { putVariant } from '../output/output-buffer.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { Session } from '../session/session.ts';
import type { Subscription } from '../session/subscription.ts';
import type { TurnClock } from '../work/turn-clock.ts';
import { mayReceive, receivesCommonBytes } from './receivers.ts';
import { tracedDelivery } from './traced-publish.ts';

/** The windows of all sessions (session-delivery.ts), as far as a message that is sent through one needs them. */
export interface PublishWindow {
  readonly metrics: Metrics;
  readonly fates: Fates;
  readonly tracer: Tracer | null;
  readonly turn: TurnClock;
  mayQueueQos0(outlet: Outlet): boolean;
  /** `mayQueueQos0` has turned it down. */
  notQueued(outlet: Outlet, publication: Publication): void;
  send(publication: Publication, subscription: Subscription, retain: boolean): void;
  /** A packet identifier became free. */
  roomCame(session: Session): void;
}

const publishType = 0x30;
const nothing = Buffer.alloc(0);

/** Delivers a QoS 0 message to every subscription of the list. */
export function deliverQos0(
  delivery: PublishWindow,
  publication: Publication,
  subscriptions: readonly Subscription[],
): void {
  const { publisher } = publication;
  const retainBit = publication.retain ? 1 : 0;
  const isTraced = publication.trace !== null;
  for (let i = 0; i < subscriptions.length; i++) {
    const subscription = subscriptions[i];
    if (!mayReceive(subscription, publisher)) continue;
    const { outlet } = subscription;
    // The RETAIN flag is kept only where the subscription asked for that [MQTT-3.3.1-12], [MQTT-3.3.1-13].
    const firstByte = publishType | (subscription.retainAsPublished ? retainBit : 0);
    if (!delivery.mayQueueQos0(outlet)) {
      delivery.notQueued(outlet, publication);
      continue;
    }
    if (receivesCommonBytes(subscription) && !isTraced) {
      const variant = publication.variant(outlet.version5, false, delivery.turn.now);
      putVariant(outlet.output, variant, firstByte, 0);
      if (--delivery.fates.untilSample === 0) delivery.fates.delivered(outlet.clientId, publication);
      delivery.metrics.publishesSent++;
      delivery.metrics.publishBytesSent += variant.end - variant.start;
      delivery.metrics.payloadBytesSent += publication.payloadEnd - publication.payloadStart;
    } else {
      sendPublish(delivery, outlet, publication, firstByte, 0, subscription.identifiers);
    }
  }
}

/** Delivers a message of QoS 1 or 2 to every subscription of the list, at the lower of both QoS [MQTT-3.8.4-8]. */
export function deliverAcknowledged(
  delivery: PublishWindow,
  publication: Publication,
  subscriptions: readonly Subscription[],
): void {
  const { publisher } = publication;
  for (let i = 0; i < subscriptions.length; i++) {
    const subscription = subscriptions[i];
    if (!mayReceive(subscription, publisher)) continue;
    delivery.send(publication, subscription, subscription.retainAsPublished && publication.retain);
  }
}

/**
 * Puts one PUBLISH for one client into its output buffer. False: it exceeds the client's maximum packet size, and was
 * not sent [MQTT-3.1.2-24].
 */
export function sendPublish(
  delivery: PublishWindow,
  outlet: Outlet,
  publication: Publication,
  firstByte: number,
  packetId: number,
  identifiers: number[] | null,
): boolean {
  if (publication.trace !== null)
    return tracedDelivery(delivery, outlet, publication, (more) =>
      sendIndividually(delivery, outlet, publication, firstByte, packetId, identifiers, more),
    );
  const withPacketId = packetId !== 0;
  if (identifiers === null && !outlet.isIndividual) {
    const variant = publication.variant(outlet.version5, withPacketId, delivery.turn.now);
    putVariant(outlet.output, variant, firstByte, packetId);
    if (--delivery.fates.untilSample === 0) delivery.fates.delivered(outlet.clientId, publication);
    countSent(delivery.metrics, firstByte, variant.end - variant.start, publication);
    return true;
  }
  return sendIndividually(delivery, outlet, publication, firstByte, packetId, identifiers, nothing);
}

/**
 * Sends a packet that is for this client alone: subscription identifiers [MQTT-3.3.4-3], a topic alias, a maximum
 * packet size, or `more` properties.
 */
function sendIndividually(
  delivery: PublishWindow,
  outlet: Outlet,
  publication: Publication,
  firstByte: number,
  packetId: number,
  identifiers: number[] | null,
  more: Buffer,
): boolean {
  const withPacketId = packetId !== 0;
  const version5 = outlet.version5;
  let extra = version5 && identifiers !== null ? identifierProperties(identifiers) : nothing;
  if (more.length > 0) extra = Buffer.concat([extra, more]);
  // Checked without the alias first: no alias may be assigned by a packet that is not sent.
  if (exceedsMaximum(outlet, publication, withPacketId, extra, aliasPropertySize)) {
    if (exceedsMaximum(outlet, publication, withPacketId, extra)) {
      delivery.metrics.dropped['packet-too-large']++;
      delivery.fates.dropped('packet-too-large', outlet.clientId, publication);
      return false;
    }
  } else if (outlet.outboundAliases !== null) {
    const alias = outlet.outboundAliases.aliasFor(publication.topic());
    if (alias !== 0) {
      extra = Buffer.concat([extra, Buffer.from([0x23, alias >> 8, alias & 0xff])]);
      if (outlet.outboundAliases.known) {
        write(delivery, outlet, publication, firstByte, packetId, extra, false);
        return true;
      }
    }
  }
  write(delivery, outlet, publication, firstByte, packetId, extra, true);
  return true;
}

/** True if the packet is larger than the client takes [MQTT-3.1.2-24]. `extra`: properties for this client; `more`: bytes besides. */
export function exceedsMaximum(
  outlet: Outlet,
  publication: Publication,
  withPacketId: boolean,
  extra: Buffer,
  more = 0,
): boolean {
  return publishSize(publication, outlet.version5, withPacketId, extra, true) + more > outlet.clientMaximumPacketSize;
}

function countSent(metrics: Metrics, firstByte: number, bytes: number, publication: Publication): void {
  metrics.publishesSent++;
  metrics.payloadBytesSent += publication.payloadEnd - publication.payloadStart;
  metrics.publishBytesSent += bytes;
  const qos = (firstByte >> 1) & 3;
  if (qos === 1) {
    metrics.publishesSent1++;
    metrics.publishBytesSent1 += bytes;
  } else if (qos === 2) {
    metrics.publishesSent2++;
    metrics.publishBytesSent2 += bytes;
  }
}

const aliasPropertySize = 4;

function write(
  delivery: PublishWindow,
  outlet: Outlet,
  publication: Publication,
  firstByte: number,
  packetId: number,
  extra: Buffer,
  withTopic: boolean,
): void {
  const version5 = outlet.version5;
  const withPacketId = packetId !== 0;
  const size = publishSize(publication, version5, withPacketId, extra, withTopic);
  const at = outlet.output.reserve(size);
  const out = outlet.output.buffer;
  writePublish(publication, out, at, version5, withPacketId, extra, withTopic, delivery.turn.now);
  out[at] = firstByte;
  if (--delivery.fates.untilSample === 0) delivery.fates.delivered(outlet.clientId, publication);
  countSent(delivery.metrics, firstByte, size, publication);
  if (withPacketId) out.writeUInt16BE(packetId, at + size - packetIdFromEnd(publication, version5, extra));
}
