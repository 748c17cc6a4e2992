/** PINGREQ: answered with PINGRESP [MQTT-3.12.4-1]. */

import { decodePingreq, PacketType, pingresp } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { SessionPacketHandler } from '../connection/packet-handlers.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Session } from '../session/session.ts';

export interface PingreqHandlerParts {
  metrics: Metrics;
}

export class PingreqHandler implements SessionPacketHandler {
  private readonly parts: PingreqHandlerParts;

  constructor(parts: PingreqHandlerParts) {
    this.parts = parts;
  }

  handle(connection: Connection, _session: Session, _bytes: Buffer, bodyStart: number, end: number): void {
    decodePingreq(bodyStart, end);
    this.parts.metrics.packetsSent[PacketType.pingresp]++;
    connection.outlet.output.put(pingresp);
  }
}
