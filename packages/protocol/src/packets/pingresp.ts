import { malformed } from '../bytes.ts';

/** The whole of a PINGRESP, shared: never written to. */
export const pingresp: Buffer = Buffer.from([0xd0, 0]);

/** Checks that the PINGRESP in bytes[bodyStart, end) has no body (MQTT 5.0, 3.13.1). Throws a ProtocolError (0x81). */
export function decodePingresp(bodyStart: number, end: number): void {
  if (bodyStart !== end) throw malformed('PINGRESP with a body');
}
