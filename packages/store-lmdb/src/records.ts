import { StoreError } from '@dunlin/broker/ports';

/**
 * Records with a fixed layout: one version byte, then fields in a fixed order, numbers big-endian. No general
 * serializer runs in an append, and a file written by another version is recognised by its first byte.
 */
export const RECORD_VERSION = 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Appends fields to a buffer that is reused from record to record: LMDB copies a value while `put` runs. */
export class RecordWriter {
  private bytes: Buffer;
  private length: number;

  constructor() {
    this.bytes = Buffer.allocUnsafeSlow(64 * 1024);
    this.length = 0;
  }

  /** Starts a record. The result of the last `finish` is overwritten. */
  begin(): this {
    this.length = 0;
    return this.u8(RECORD_VERSION);
  }

  u8(value: number): this {
    this.reserve(1);
    this.bytes[this.length++] = value;
    return this;
  }

  u16(value: number): this {
    this.reserve(2);
    this.length = this.bytes.writeUInt16BE(value, this.length);
    return this;
  }

  u32(value: number): this {
    this.reserve(4);
    this.length = this.bytes.writeUInt32BE(value, this.length);
    return this;
  }

  /** Sequence numbers (exact to 2^53) and times, `Infinity` included. */
  f64(value: number): this {
    this.reserve(8);
    this.length = this.bytes.writeDoubleBE(value, this.length);
    return this;
  }

  text(value: string): this {
    this.reserve(4 + value.length * 3);
    const { written } = encoder.encodeInto(value, this.bytes.subarray(this.length + 4));
    this.bytes.writeUInt32BE(written, this.length);
    this.length += 4 + written;
    return this;
  }

  /** The last field of a record: runs to its end. */
  rest(value: Uint8Array): this {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
    return this;
  }

  /** The record; valid until the next `begin`. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Reads the fields in the order in which they were written. */
export class RecordReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private position: number;

  /** Throws `StoreError` code `corrupt` when the version byte is not ours. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.position = 1;
    if (bytes[0] !== RECORD_VERSION) {
      throw new StoreError('corrupt', `record has version ${bytes[0]}, this program reads version ${RECORD_VERSION}`);
    }
  }

  u8(): number {
    return this.bytes[this.position++];
  }

  u16(): number {
    this.position += 2;
    return this.view.getUint16(this.position - 2);
  }

  u32(): number {
    this.position += 4;
    return this.view.getUint32(this.position - 4);
  }

  f64(): number {
    this.position += 8;
    return this.view.getFloat64(this.position - 8);
  }

  text(): string {
    const length = this.u32();
    this.position += length;
    return decoder.decode(this.bytes.subarray(this.position - length, this.position));
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.position);
  }
}
