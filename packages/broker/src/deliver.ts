/**
 * The last step of a publish: bytes for each subscriber (ARCHITECTURE.md, section 3, steps 5 and 7).
 *
 * Measured on the way (20 pairs and 1 to 100, QoS 0): the copy and the write are what is left; so the usual subscriber (no subscription
 * identifier, no alias, no small maximum packet size) takes the first branch, which allocates nothing.
 */
import { variableByteIntegerSize, writeVariableByteInteger } from '@dunlin/protocol';
import type { Connection } from './connection.ts';
import { putVariant } from './outbox.ts';
import type { Metrics } from './ports/metrics.ts';
import { type Publication, packetIdFromEnd, publishSize, writePublish } from './publication.ts';
import type { Session } from './session.ts';
import type { SessionDelivery } from './session-delivery.ts';
import type { Subscription } from './subscription.ts';
import { tracedDelivery } from './traced-publish.ts';

const publishType = 0x30;
const nothing = Buffer.alloc(0);

/** Hands a QoS 0 message to every subscription of the list. `publisher`: for No Local; null where it is not a local client. */
export function deliverQos0(
  delivery: SessionDelivery,
  publication: Publication,
  subscriptions: readonly Subscription[],
  publisher: Session | null,
): void {
  const retainBit = publication.retain ? 1 : 0;
  const isTraced = publication.trace !== null;
  for (let i = 0; i < subscriptions.length; i++) {
    const subscription = subscriptions[i];
    if (subscription.noLocal && subscription.session === publisher) continue; // [MQTT-3.8.3-3]
    const connection = subscription.connection;
    // The RETAIN flag goes on only where the subscription asked for that [MQTT-3.3.1-12], [MQTT-3.3.1-13].
    const firstByte = publishType | (subscription.retainAsPublished ? retainBit : 0);
    if (connection.outbox.congested && !delivery.mayQueueQos0(connection)) continue;
    if (subscription.identifiers === null && !connection.individual && !isTraced) {
      const variant = publication.variant(connection.version5, false, delivery.now);
      putVariant(connection.outbox, variant, firstByte, 0);
      delivery.metrics.publishesSent++;
      delivery.metrics.publishBytesSent += variant.end - variant.start;
      delivery.metrics.payloadBytesSent += publication.payloadEnd - publication.payloadStart;
    } else {
      sendPublish(delivery, connection, publication, firstByte, 0, subscription.identifiers);
    }
  }
}

/** Hands a message of QoS 1 or 2 to every subscription of the list, at the lower of both QoS [MQTT-3.8.4-8]. */
export function deliverAcknowledged(
  delivery: SessionDelivery,
  publication: Publication,
  subscriptions: readonly Subscription[],
  publisher: Session | null,
): void {
  for (let i = 0; i < subscriptions.length; i++) {
    const subscription = subscriptions[i];
    if (subscription.noLocal && subscription.session === publisher) continue; // [MQTT-3.8.3-3]
    delivery.send(publication, subscription, subscription.retainAsPublished && publication.retain);
  }
}

/**
 * Puts one PUBLISH for one client into its outbox. False: it is larger than the client takes, and was not sent [MQTT-3.1.2-24].
 */
export function sendPublish(
  delivery: SessionDelivery,
  connection: Connection,
  publication: Publication,
  firstByte: number,
  packetId: number,
  identifiers: number[] | null,
): boolean {
  if (publication.trace !== null)
    return tracedDelivery(delivery, connection, publication, (more) =>
      sendIndividually(delivery, connection, publication, firstByte, packetId, identifiers, more),
    );
  const withPacketId = packetId !== 0;
  if (identifiers === null && !connection.individual) {
    const variant = publication.variant(connection.version5, withPacketId, delivery.now);
    putVariant(connection.outbox, variant, firstByte, packetId);
    countSent(delivery.metrics, firstByte, variant.end - variant.start, publication);
    return true;
  }
  return sendIndividually(delivery, connection, publication, firstByte, packetId, identifiers, nothing);
}

/** The packet is for this client alone: subscription identifiers [MQTT-3.3.4-3], a topic alias, a maximum to keep, or `more` properties. */
function sendIndividually(
  delivery: SessionDelivery,
  connection: Connection,
  publication: Publication,
  firstByte: number,
  packetId: number,
  identifiers: number[] | null,
  more: Buffer,
): boolean {
  const withPacketId = packetId !== 0;
  const version5 = connection.version5;
  let extra = version5 && identifiers !== null ? identifierProperties(identifiers) : nothing;
  if (more.length > 0) extra = Buffer.concat([extra, more]);
  // Checked without the alias first: an alias must not be taken for a packet that is not sent.
  if (
    publishSize(publication, version5, withPacketId, extra, true) + aliasPropertySize >
    connection.clientMaximumPacketSize
  ) {
    if (publishSize(publication, version5, withPacketId, extra, true) > connection.clientMaximumPacketSize) {
      delivery.metrics.dropped['packet-too-large']++;
      return false;
    }
  } else if (connection.outboundAliases !== null) {
    const alias = connection.outboundAliases.aliasFor(publication.topic());
    if (alias !== 0) {
      extra = Buffer.concat([extra, Buffer.from([0x23, alias >> 8, alias & 0xff])]);
      if (connection.outboundAliases.known) {
        write(delivery, connection, publication, firstByte, packetId, extra, false);
        return true;
      }
    }
  }
  write(delivery, connection, publication, firstByte, packetId, extra, true);
  return true;
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
  delivery: SessionDelivery,
  connection: Connection,
  publication: Publication,
  firstByte: number,
  packetId: number,
  extra: Buffer,
  withTopic: boolean,
): void {
  const version5 = connection.version5;
  const withPacketId = packetId !== 0;
  const size = publishSize(publication, version5, withPacketId, extra, withTopic);
  const at = connection.outbox.reserve(size);
  const out = connection.outbox.buffer;
  writePublish(publication, out, at, version5, withPacketId, extra, withTopic, delivery.now);
  out[at] = firstByte;
  countSent(delivery.metrics, firstByte, size, publication);
  if (withPacketId) out.writeUInt16BE(packetId, at + size - packetIdFromEnd(publication, version5, extra));
}

function identifierProperties(identifiers: number[]): Buffer {
  let size = 0;
  for (const identifier of identifiers) size += 1 + variableByteIntegerSize(identifier);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const identifier of identifiers) {
    bytes[at++] = 0x0b;
    at = writeVariableByteInteger(bytes, at, identifier);
  }
  return bytes;
}
