import { StoreError } from '@dunlin/broker/ports';
import { RECORD_VERSION } from './records.ts';

/** Version byte of an entry that refers to a shared record, instead of having it: expiry, number, length of the record. */
const REFERENCE_VERSION = 2;
/** Version byte and expiry. */
export const LOG_HEADER_BYTES = 9;
export const REFERENCE_BYTES = LOG_HEADER_BYTES + 8 + 4;

/** Writes an entry with its record; returns its length. `entry` has room. */
export function writeEntry(entry: Buffer, expiresAt: number, record: Uint8Array): number {
  entry[0] = RECORD_VERSION;
  entry.writeDoubleBE(expiresAt, 1);
  entry.set(record, LOG_HEADER_BYTES);
  return LOG_HEADER_BYTES + record.length;
}

/** Writes an entry that refers to a shared record of this length; returns its length. */
export function writeReference(entry: Buffer, expiresAt: number, shared: number, recordBytes: number): number {
  entry[0] = REFERENCE_VERSION;
  entry.writeDoubleBE(expiresAt, 1);
  entry.writeDoubleBE(shared, LOG_HEADER_BYTES);
  entry.writeUInt32BE(recordBytes, LOG_HEADER_BYTES + 8);
  return REFERENCE_BYTES;
}

/** An entry of a log as it is stored. */
export class LogEntryReader {
  readonly expiresAt: number;
  /** Number of the shared record; 0: the entry has it. */
  readonly shared: number;
  /** Bytes of the record, wherever it is. */
  readonly recordBytes: number;
  private readonly entry: Uint8Array;

  /** Throws `StoreError` code `corrupt` for a version that is not ours. */
  constructor(entry: Uint8Array) {
    const [version] = entry;
    if (version !== RECORD_VERSION && version !== REFERENCE_VERSION) {
      const known = `${RECORD_VERSION} and ${REFERENCE_VERSION}`;
      throw new StoreError('corrupt', `a log entry has version ${version}, this program reads versions ${known}`);
    }
    const view = new DataView(entry.buffer, entry.byteOffset, entry.length);
    this.entry = entry;
    this.expiresAt = view.getFloat64(1);
    this.shared = version === REFERENCE_VERSION ? view.getFloat64(LOG_HEADER_BYTES) : 0;
    this.recordBytes =
      version === REFERENCE_VERSION ? view.getUint32(LOG_HEADER_BYTES + 8) : entry.length - LOG_HEADER_BYTES;
  }

  /** The record of an entry that has it. */
  get record(): Uint8Array {
    return this.entry.subarray(LOG_HEADER_BYTES);
  }
}
