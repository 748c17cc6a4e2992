import { malformed } from '../bytes.ts';

/** The whole of a PINGREQ, shared: never written to. */
export const pingreq: Buffer = Buffer.from([0xc0, 0]);

/** Checks that the PINGREQ in bytes[bodyStart, end) has no body (MQTT 5.0, 3.12.1). Throws a ProtocolError (0x81). */
export function decodePingreq(bodyStart: number, end: number): void {
  if (bodyStart !== end) throw malformed('PINGREQ with a body');
}
