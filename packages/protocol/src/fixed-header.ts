import { malformed } from './bytes.ts';
import { PacketType, packetNames } from './packet-type.ts';
import type { ProtocolError } from './protocol-error.ts';
import type { ProtocolVersion } from './version.ts';

/** The flags (low four bits) a packet type must carry; PUBLISH has flags of its own (MQTT 5.0, table 2-2). */
function requiredFlags(packetType: number): number {
  const two =
    packetType === PacketType.pubrel || packetType === PacketType.subscribe || packetType === PacketType.unsubscribe;
  return two ? 0b0010 : 0;
}

/** MQTT 3.1 marks a PUBREL, SUBSCRIBE or UNSUBSCRIBE that is sent again with the DUP bit (MQTT 3.1, 2.1). */
const dupFlag = 0b1000;

/** The rule that fixes the flags of a packet type, where it has one of its own. */
const flagStatements: Readonly<Record<number, string>> = {
  [PacketType.pubrel]: 'MQTT-3.6.1-1',
  [PacketType.subscribe]: 'MQTT-3.8.1-1',
  [PacketType.unsubscribe]: 'MQTT-3.10.1-1',
  [PacketType.disconnect]: 'MQTT-3.14.1-1',
  [PacketType.auth]: 'MQTT-3.15.1-1',
};

/** Returns the fault of the first byte of a packet, or null. Version 0 is a peer that has not sent CONNECT yet. */
function faultOf(header: number, version: ProtocolVersion | 0): ProtocolError | null {
  const packetType = header >> 4;
  const flags = header & 0x0f;
  if (packetType === 0) return malformed('packet type 0 is forbidden');
  if (packetType === PacketType.auth && (version === 3 || version === 4)) {
    return malformed('AUTH does not exist before MQTT 5.0');
  }
  if (packetType === PacketType.publish) {
    const qos = (flags >> 1) & 3;
    if (qos === 3) return malformed('a PUBLISH with QoS 3', 'MQTT-3.3.1-4'); // [MQTT-3.3.1-4]
    if (qos === 0 && flags & dupFlag) return malformed('a PUBLISH with DUP and QoS 0', 'MQTT-3.3.1-2'); // [MQTT-3.3.1-2]
    return null;
  }
  const required = requiredFlags(packetType);
  if (flags === required) return null; // [MQTT-2.1.3-1], 3.1.1 [MQTT-2.2.2-1]
  if (version === 3 && required !== 0 && flags === (required | dupFlag)) return null;
  // [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1] [MQTT-3.15.1-1]
  return malformed(
    `${packetNames[packetType]} with flags ${flags} instead of ${required}`,
    flagStatements[packetType] ?? 'MQTT-2.1.3-1',
  );
}

/** 256 entries, 1 where the first byte of a packet is in order. */
function validHeaders(version: ProtocolVersion | 0): Uint8Array {
  const valid = new Uint8Array(256);
  for (let header = 0; header < 256; header++) valid[header] = faultOf(header, version) === null ? 1 : 0;
  return valid;
}

const strictHeaders = validHeaders(0);
const headersByVersion: Readonly<Record<ProtocolVersion | 0, Uint8Array>> = {
  0: strictHeaders,
  3: validHeaders(3),
  4: validHeaders(4),
  5: strictHeaders,
};

/** The table of first bytes for a protocol version: 1 where the byte is in order. */
export function headersOf(version: ProtocolVersion | 0): Uint8Array {
  return headersByVersion[version];
}

/** Throws a ProtocolError (0x81) if the first byte of a packet has a forbidden type or forbidden flags. */
export function checkHeader(header: number, version: ProtocolVersion | 0): void {
  const fault = faultOf(header, version);
  if (fault !== null) throw fault;
}
