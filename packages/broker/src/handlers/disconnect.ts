/** DISCONNECT (MQTT 5 section 3.14, MQTT 3.1.1 section 3.14). */
import { decodeDisconnect, ReasonCode } from '@dunlin/protocol';
import type { Connection } from '../connection.ts';
import type { Session } from '../session.ts';

export function handleDisconnect(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
  const session = connection.session as Session;
  const { broker } = connection;
  const packet = decodeDisconnect(bytes, bodyStart, end, connection.version);
  const { sessionExpiryInterval } = packet.properties;
  if (sessionExpiryInterval !== undefined) broker.sessions.changeExpiry(session, sessionExpiryInterval);
  if (packet.reasonCode === ReasonCode.success && session.will !== null) {
    // Without a word: the will is gone [MQTT-3.14.4-3], 3.1.1 [MQTT-3.1.2-10].
    session.will = null;
    broker.pendingWrites.add('removing a will', () => broker.store.setWill(session.key, broker.self, null));
  }
  connection.closeCode = packet.reasonCode;
  connection.endAfterDisconnect();
}
