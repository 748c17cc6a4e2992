/** Bytes of frames: a writer that grows and a reader that checks bounds. All numbers are big-endian. */
import { CodedError } from '@dunlin/protocol';

/** Thrown for bytes that are no frame: they end too early, or say what cannot be. */
export class FrameError extends CodedError<'unreadable-frame'> {
  constructor(message: string) {
    super('unreadable-frame', message);
  }
}

const firstBytes = 1024;

export class FrameWriter {
  private bytes = Buffer.allocUnsafe(firstBytes);
  length = 0;

  private room(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + size));
    this.bytes.copy(bigger, 0, 0, this.length);
    this.bytes = bigger;
  }

  u8(value: number): void {
    this.room(1);
    this.bytes[this.length++] = value;
  }

  /** Overwrites a byte written before. */
  u8At(at: number, value: number): void {
    this.bytes[at] = value;
  }

  u32(value: number): void {
    this.room(4);
    this.length = this.bytes.writeUInt32BE(value, this.length);
  }

  /** A whole number up to 2^53: positions and counts that outgrow 32 bits. */
  f64(value: number): void {
    this.room(8);
    this.length = this.bytes.writeDoubleBE(value, this.length);
  }

  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.u32(size);
    this.room(size);
    this.length += this.bytes.write(value, this.length);
  }

  block(value: Uint8Array): void {
    this.u32(value.length);
    this.room(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** The same of bytes[start, end), without an object for the part. */
  part(bytes: Buffer, start: number, end: number): void {
    this.u32(end - start);
    this.room(end - start);
    this.length += bytes.copy(this.bytes, this.length, start, end);
  }

  /** Takes what was written, in a buffer of its own; the writer is empty afterwards. */
  take(): Uint8Array {
    const { length } = this;
    const taken = Buffer.allocUnsafeSlow(length);
    this.bytes.copy(taken, 0, 0, length);
    this.length = 0;
    return taken;
  }

  /** Lends what was written, where it lies: until the next thing is written. The writer is empty afterwards. */
  lend(): Uint8Array {
    const { length } = this;
    this.length = 0;
    return this.bytes.subarray(0, length);
  }
}

export class FrameReader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  /** Bytes of the whole frame. */
  get size(): number {
    return this.bytes.length;
  }

  private need(size: number): number {
    const at = this.at;
    if (at + size > this.bytes.length)
      throw new FrameError(`a frame of ${this.bytes.length} bytes ends before byte ${at + size}`);
    this.at = at + size;
    return at;
  }

  u8(): number {
    return this.bytes[this.need(1)];
  }

  u32(): number {
    return this.bytes.readUInt32BE(this.need(4));
  }

  /** A whole number from 0 to 2^53: nothing else is sent, and nothing else may reach sums and comparisons. */
  f64(): number {
    const value = this.bytes.readDoubleBE(this.need(8));
    if (!Number.isSafeInteger(value) || value < 0) throw new FrameError(`${value} is not a number of this format`);
    return value;
  }

  /**
   * Reads the number of elements that follow, each of at least so many bytes: more than the rest of the frame can hold
   * is refused before anything is read.
   */
  count(elementBytesMin: number): number {
    const count = this.u32();
    if (count * elementBytesMin > this.bytes.length - this.at)
      throw new FrameError(`a frame of ${this.bytes.length} bytes cannot hold ${count} elements`);
    return count;
  }

  text(): string {
    const size = this.u32();
    const at = this.need(size);
    return this.bytes.toString('utf8', at, at + size);
  }

  /** A view of the frame's own bytes. */
  block(): Buffer {
    const size = this.u32();
    const at = this.need(size);
    return this.bytes.subarray(at, at + size);
  }
}
