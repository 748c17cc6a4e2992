import { ProtocolError } from './protocol-error.ts';
import { ReasonCode } from './reason-codes.ts';
import { checkUtf8, Utf8 } from './utf8.ts';

/** A string or binary field carries its length in two bytes (MQTT 5.0, 1.5.4). */
export const stringBytesMax = 65_535;

/** Four bytes of seven bits (MQTT 5.0, 1.5.5). */
export const variableByteIntegerMax = 268_435_455;

/** A buffer without bytes, shared: never written to. */
export const emptyBuffer: Buffer = Buffer.alloc(0);

/** A malformed packet (0x81) with the rule it breaks. */
export function malformed(message: string, statement = ''): ProtocolError {
  return new ProtocolError(ReasonCode.malformedPacket, message, statement);
}

/** A protocol error (0x82) with the rule it breaks. */
export function protocolError(message: string, statement = ''): ProtocolError {
  return new ProtocolError(ReasonCode.protocolError, message, statement);
}

/** Throws unless bytes[start, end) may be the content of an MQTT string; returns whether it is all ASCII. */
export function requireUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  const found = checkUtf8(bytes, start, end);
  if (found === Utf8.illFormed) throw malformed('a string is not well-formed UTF-8', 'MQTT-1.5.4-1'); // [MQTT-1.5.4-1]
  if (found === Utf8.nul) throw malformed('a string holds U+0000', 'MQTT-1.5.4-2'); // [MQTT-1.5.4-2]
  return found === Utf8.ascii;
}

/** Decodes and checks bytes[start, end) as an MQTT string, without its length prefix. */
export function decodeString(bytes: Buffer, start: number, end: number): string {
  // A byte order mark is kept: neither decoder strips it [MQTT-1.5.4-3].
  return bytes.toString(requireUtf8(bytes, start, end) ? 'latin1' : 'utf8', start, end);
}

/** A cursor over bytes[at, end) that never reads past `end`: what does not fit is a malformed packet (0x81). */
export class ByteReader {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Moves past `length` bytes and returns where they start. */
  take(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw malformed('the packet ends inside a field');
    this.at = start + length;
    return start;
  }

  byte(): number {
    return this.bytes[this.take(1)];
  }

  twoByteInteger(): number {
    const at = this.take(2);
    return (this.bytes[at] << 8) | this.bytes[at + 1];
  }

  fourByteInteger(): number {
    const at = this.take(4);
    const bytes = this.bytes;
    return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
  }

  variableByteInteger(): number {
    let value = 0;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) {
          throw malformed('a variable byte integer is longer than it need be', 'MQTT-1.5.5-1'); // [MQTT-1.5.5-1]
        }
        return value;
      }
    }
    throw malformed('a variable byte integer has more than four bytes', 'MQTT-1.5.5-1'); // [MQTT-1.5.5-1]
  }

  string(): string {
    const length = this.twoByteInteger();
    const start = this.take(length);
    return decodeString(this.bytes, start, start + length);
  }

  /** A copy, since the bytes read from may be used again for the next chunk. */
  binary(): Buffer {
    const length = this.twoByteInteger();
    const start = this.take(length);
    return copyBytes(this.bytes, start, start + length);
  }

  /** A packet identifier of SUBSCRIBE, UNSUBSCRIBE or an acknowledgement: never 0. */
  packetId(): number {
    const packetId = this.twoByteInteger();
    if (packetId === 0) throw protocolError('a packet identifier is 0', 'MQTT-2.2.1-3'); // [MQTT-2.2.1-3], 3.1.1 [MQTT-2.3.1-1]
    return packetId;
  }

  /** A topic filter, of which only the length is checked: one of no characters cannot be answered for, it is no filter. */
  topicFilter(): string {
    const filter = this.string();
    if (filter === '') throw malformed('a topic filter is empty', 'MQTT-4.7.3-1'); // [MQTT-4.7.3-1]
    return filter;
  }

  /** Passes over a topic filter: only its length is checked. */
  skipTopicFilter(): void {
    const length = this.twoByteInteger();
    if (length === 0) throw malformed('a topic filter is empty', 'MQTT-4.7.3-1'); // [MQTT-4.7.3-1]
    this.take(length);
  }

  /** Throws if bytes are left over. */
  finish(): void {
    if (this.at !== this.end) throw malformed('bytes follow the last field of the packet');
  }
}

/** A copy of bytes[start, end). */
export function copyBytes(bytes: Buffer, start: number, end: number): Buffer {
  if (start === end) return emptyBuffer;
  const copy = Buffer.allocUnsafe(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
}

/** Number of bytes of a variable byte integer: always the fewest [MQTT-1.5.5-1]. */
export function variableByteIntegerSize(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

/** Writes a variable byte integer in the fewest bytes [MQTT-1.5.5-1]; returns the offset behind it. */
export function writeVariableByteInteger(out: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest > 0x7f) {
    out[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[next++] = rest;
  return next;
}

/** Writes a two byte integer, big-endian; returns the offset behind it. */
export function writeTwoByteInteger(out: Buffer, at: number, value: number): number {
  out[at] = value >>> 8;
  out[at + 1] = value;
  return at + 2;
}

/** Writes a four byte integer, big-endian; returns the offset behind it. */
export function writeFourByteInteger(out: Buffer, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

/** The encoded size of a string with its length prefix. Throws a ProtocolError over 65,535 bytes. */
export function stringSize(text: string): number {
  return 2 + requireFieldBytes(Buffer.byteLength(text));
}

/** The encoded size of binary data with its length prefix. Throws a ProtocolError over 65,535 bytes. */
export function binarySize(data: Uint8Array): number {
  return 2 + requireFieldBytes(data.length);
}

function requireFieldBytes(length: number): number {
  if (length > stringBytesMax) throw malformed(`a field of ${length} bytes is over ${stringBytesMax}`);
  return length;
}

/** A cursor that fills a buffer of exactly the measured size. */
export class ByteWriter {
  readonly out: Buffer;
  at: number;

  /** Starts a packet: allocates all of it and writes the fixed header. `bodySize` is the remaining length. */
  constructor(header: number, bodySize: number) {
    if (bodySize > variableByteIntegerMax) throw malformed(`a packet body of ${bodySize} bytes cannot be encoded`);
    this.out = Buffer.allocUnsafe(1 + variableByteIntegerSize(bodySize) + bodySize);
    this.out[0] = header;
    this.at = writeVariableByteInteger(this.out, 1, bodySize);
  }

  byte(value: number): void {
    this.out[this.at++] = value;
  }

  twoByteInteger(value: number): void {
    this.at = writeTwoByteInteger(this.out, this.at, value);
  }

  fourByteInteger(value: number): void {
    this.at = writeFourByteInteger(this.out, this.at, value);
  }

  variableByteInteger(value: number): void {
    this.at = writeVariableByteInteger(this.out, this.at, value);
  }

  string(text: string): void {
    const length = this.out.write(text, this.at + 2, 'utf8');
    this.twoByteInteger(length);
    this.at += length;
  }

  binary(data: Uint8Array): void {
    this.twoByteInteger(data.length);
    this.raw(data);
  }

  raw(data: Uint8Array): void {
    this.out.set(data, this.at);
    this.at += data.length;
  }

  /** The finished packet. A size measured wrongly would send bytes of somebody else's memory, hence the check. */
  finish(): Buffer {
    if (this.at !== this.out.length) {
      throw new ProtocolError(ReasonCode.implementationSpecificError, 'a packet was measured wrongly');
    }
    return this.out;
  }
}
