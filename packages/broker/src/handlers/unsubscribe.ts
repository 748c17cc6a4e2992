/**
 * UNSUBSCRIBE (MQTT 5 section 3.10, MQTT 3.1.1 section 3.10). Nothing new is sent for the filter after UNSUBACK [MQTT-3.10.4-2]; what is in flight is completed
 * [MQTT-3.10.4-3].
 */
import { decodeUnsubscribe, ReasonCode, type UnsubscribePacket } from '@dunlin/protocol';
import type { Connection } from '../connection.ts';
import type { Session } from '../session.ts';
import { removeSubscription } from '../session-subscriptions.ts';
import { inTurn } from './subscribe.ts';

export function handleUnsubscribe(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
  const packet = decodeUnsubscribe(bytes, bodyStart, end, connection.version);
  const session = connection.session as Session;
  inTurn(connection, () => unsubscribe(connection, session, packet));
}

async function unsubscribe(connection: Connection, session: Session, packet: UnsubscribePacket): Promise<void> {
  const { broker } = connection;
  const reasonCodes: number[] = [];
  for (const filter of packet.filters) {
    const subscription = session.subscriptions.get(filter); // compared to the letter [MQTT-3.10.4-1]
    reasonCodes.push(subscription === undefined ? ReasonCode.noSubscriptionExisted : ReasonCode.success);
    if (subscription !== undefined) removeSubscription(broker, subscription);
  }
  if (session.stored) {
    await broker.store.unsubscribe(session.key, packet.filters);
    broker.durableFilters.markStale();
  }
  connection.send({ type: 'unsuback', packetId: packet.packetId, reasonCodes, properties: {} }); // [MQTT-3.10.4-4], [MQTT-3.10.4-5]
}
