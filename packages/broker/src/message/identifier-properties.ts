/** Subscription Identifiers as properties, which only this receiver gets [MQTT-3.3.4-3]. */
import { variableByteIntegerSize, writeVariableByteInteger } from '@dunlin/protocol';
import { readRecord, writeRecord } from './message-record.ts';

export function identifierProperties(identifiers: number[]): Buffer {
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

/**
 * The record of a message as it was sent for a subscription that may be gone when it is sent again: with its identifiers among the properties, and with this RETAIN.
 */
export function recordAsSent(record: Uint8Array, identifiers: number[] | null, retain: boolean): Uint8Array {
  const publication = readRecord(record);
  if (identifiers === null && publication.retain === retain) return record;
  const { bytes, propertiesStart, propertiesEnd, payloadStart } = publication;
  const own = identifiers === null ? Buffer.alloc(0) : identifierProperties(identifiers);
  const widened = Buffer.concat([bytes.subarray(0, propertiesEnd), own, bytes.subarray(payloadStart)]);
  widened.writeUInt32BE(propertiesEnd - propertiesStart + own.length, propertiesStart - 4);
  const sent = readRecord(widened);
  sent.retain = retain;
  return writeRecord(sent);
}
