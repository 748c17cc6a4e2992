/** DISCONNECT (MQTT 5 section 3.14, MQTT 3.1.1 section 3.14). */

import { decodeDisconnect, ReasonCode } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { SessionPacketHandler } from '../connection/packet-handlers.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import { events } from '../ports/log-events.ts';
import type { WillStore } from '../ports/will-store.ts';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../takeover/sessions.ts';
import type { PendingWrites } from '../work/pending-writes.ts';

export interface DisconnectHandlerParts {
  self: EndpointId;
  willStore: WillStore;
  sessions: Sessions;
  pendingWrites: PendingWrites;
}

export class DisconnectHandler implements SessionPacketHandler {
  private readonly parts: DisconnectHandlerParts;

  constructor(parts: DisconnectHandlerParts) {
    this.parts = parts;
  }

  handle(connection: Connection, session: Session, bytes: Buffer, bodyStart: number, end: number): void {
    const { parts } = this;
    const packet = decodeDisconnect(bytes, bodyStart, end, connection.version);
    const { sessionExpiryInterval } = packet.properties;
    if (sessionExpiryInterval !== undefined) parts.sessions.changeExpiry(session, sessionExpiryInterval);
    if (packet.reasonCode === ReasonCode.success && session.will !== null) {
      // A DISCONNECT with 0x00 removes the will [MQTT-3.14.4-3], 3.1.1 [MQTT-3.1.2-10].
      session.will = null;
      parts.pendingWrites.add(events['will.remove-failed'], () => parts.willStore.set(session.key, parts.self, null));
    }
    connection.closeCode = packet.reasonCode;
    connection.endAfterInput('client-disconnect');
  }
}
