import { ByteReader, ByteWriter, emptyBuffer, malformed, protocolError } from '../bytes.ts';
import { PacketType } from '../packet-type.ts';
import { type Properties, prefixedPropertiesSize, readProperties, writeProperties } from '../properties.ts';
import { isReasonCodeOf, ReasonCode } from '../reason-codes.ts';
import type { ProtocolVersion } from '../version.ts';

export interface ConnackPacket {
  sessionPresent: boolean;
  /** MQTT 5.0: a reason code. Before: a return code 0 to 5 when decoded; encoding takes both. */
  reasonCode: number;
  properties: Properties;
}

/** The highest CONNACK return code of MQTT 3.1 and 3.1.1: not authorized. */
const returnCodeMax = 5;

/** Return codes of MQTT 3.1.1 (table 3.1) for the reason codes of MQTT 5.0 that have one. */
export const connackReturnCodes: readonly { readonly returnCode: number; readonly reasonCodes: readonly number[] }[] = [
  { returnCode: 0, reasonCodes: [ReasonCode.success] },
  { returnCode: 1, reasonCodes: [ReasonCode.unsupportedProtocolVersion] },
  { returnCode: 2, reasonCodes: [ReasonCode.clientIdentifierNotValid] },
  {
    returnCode: 3,
    reasonCodes: [
      ReasonCode.unspecifiedError,
      ReasonCode.implementationSpecificError,
      ReasonCode.serverUnavailable,
      ReasonCode.serverBusy,
      ReasonCode.serverShuttingDown,
      ReasonCode.quotaExceeded,
      ReasonCode.useAnotherServer,
      ReasonCode.serverMoved,
      ReasonCode.connectionRateExceeded,
    ],
  },
  { returnCode: 4, reasonCodes: [ReasonCode.badUserNameOrPassword] },
  { returnCode: 5, reasonCodes: [ReasonCode.notAuthorized, ReasonCode.banned, ReasonCode.badAuthenticationMethod] },
];

/**
 * The CONNACK return code (0 to 5) of MQTT 3.1 and 3.1.1 for a reason code of MQTT 5.0; a return code stays itself.
 * -1 if none applies: then the connection is closed without a CONNACK (3.1.1 [MQTT-3.2.2-6]).
 */
export function connackReturnCode(reasonCode: number): number {
  if (reasonCode <= returnCodeMax) return reasonCode;
  const entry = connackReturnCodes.find((candidate) => candidate.reasonCodes.includes(reasonCode));
  return entry === undefined ? -1 : entry.returnCode; // 3.1.1 [MQTT-3.2.2-6]
}

/** Decodes a CONNACK in bytes[bodyStart, end). Throws a ProtocolError. */
export function decodeConnack(bytes: Buffer, bodyStart: number, end: number, version: ProtocolVersion): ConnackPacket {
  const reader = new ByteReader(bytes, bodyStart, end);
  const flags = reader.byte();
  if (version !== 3 && flags > 1) throw malformed('a reserved connect acknowledge flag is set', 'MQTT-3.2.2-1'); // [MQTT-3.2.2-1]
  const reasonCode = reader.byte();
  const known = version === 5 ? isReasonCodeOf(PacketType.connack, reasonCode) : reasonCode <= returnCodeMax;
  if (!known) throw protocolError(`CONNACK with reason code ${reasonCode}`, 'MQTT-3.2.2-8'); // [MQTT-3.2.2-8]
  const sessionPresent = version !== 3 && flags === 1; // MQTT 3.1 has no such flag.
  if (sessionPresent && reasonCode !== 0) {
    throw protocolError('CONNACK with an error and a session', version === 5 ? 'MQTT-3.2.2-6' : 'MQTT-3.2.2-4'); // [MQTT-3.2.2-6], 3.1.1 [MQTT-3.2.2-4]
  }
  const properties = version === 5 ? readProperties(reader, 'connack') : {};
  reader.finish();
  return { sessionPresent, reasonCode, properties };
}

/**
 * Encodes a CONNACK. Before MQTT 5.0 the reason code becomes a return code; where none applies the result is empty,
 * since nothing is to be sent before closing (3.1.1 [MQTT-3.2.2-6]).
 */
export function encodeConnack(packet: ConnackPacket, version: ProtocolVersion): Buffer {
  const code = version === 5 ? packet.reasonCode : connackReturnCode(packet.reasonCode);
  if (code < 0) return emptyBuffer; // 3.1.1 [MQTT-3.2.2-6]
  // MQTT 3.1 has no session present flag; an error never carries one [MQTT-3.2.2-6], 3.1.1 [MQTT-3.2.2-4].
  const sessionPresent = packet.sessionPresent && code === 0 && version !== 3;
  const size = 2 + (version === 5 ? prefixedPropertiesSize(packet.properties) : 0);
  const writer = new ByteWriter(PacketType.connack << 4, size);
  writer.byte(sessionPresent ? 1 : 0); // [MQTT-3.2.2-1]
  writer.byte(code);
  if (version === 5) writeProperties(writer, packet.properties);
  return writer.finish();
}
