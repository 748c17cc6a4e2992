/** PINGREQ: answered with PINGRESP [MQTT-3.12.4-1]. */
import { decodePingreq, PacketType, pingresp } from '@dunlin/protocol';
import type { Connection } from '../connection.ts';

export function handlePingreq(connection: Connection, bodyStart: number, end: number): void {
  decodePingreq(bodyStart, end);
  connection.broker.metrics.packetsSent[PacketType.pingresp]++;
  connection.outbox.put(pingresp);
}
