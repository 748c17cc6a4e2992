import { emptyBuffer, malformed } from './bytes.ts';
import { checkHeader, headersOf } from './fixed-header.ts';
import { ProtocolError } from './protocol-error.ts';
import { ReasonCode } from './reason-codes.ts';
import type { ProtocolVersion } from './version.ts';

/** Receiver of whole packets. */
export interface PacketSink {
  /**
   * Called with one whole packet in bytes[start, end); header is its first byte; the body starts at bodyStart. The
   * bytes are lent for the call: copy what is kept. Return false to stop decoding (the connection is going away).
   */
  packet(header: number, bytes: Buffer, start: number, bodyStart: number, end: number): boolean;
}

/** The first byte and up to four bytes of length. */
const fixedHeaderBytesMax = 5;

/**
 * Memory that a split packet gets at first, however large it says it is: memory is for bytes that came, not for words.
 */
const heldBytesFirst = 4096;

/** PINGREQ (0xC0) and PINGRESP (0xD0) end here: header bytes in this range have no body. */
const pingreqHeader = 0xc0;
const pingrespHeader = 0xd0;

/**
 * Cuts a stream of chunks into packets.
 *
 *     chunk   [ …tail of P1 | P2 | P3 | head of P4… ]
 *                   │          │    │        └── copied into `held`, which grows with what arrives
 *                   │          └────┴── handed over in place, by offset: no copy, no object
 *                   └── appended to `held`, which is handed over when P1 is whole
 *
 * Faults are thrown by `push` as ProtocolError, as soon as the byte that shows them is there; after a throw, or after
 * the sink returned false, the decoder takes in nothing more.
 *
 * Measured by test/decoder-speed.ts on Node 26: 10 ns a packet, with readPublish, for 64 KiB chunks of 80-byte QoS 0
 * packets; the budget is 100 ns.
 */
export class Decoder {
  /** The most bytes a packet may have, fixed header included. May be changed between packets. */
  maximumPacketSize: number;
  readonly sink: PacketSink;
  private stopped: boolean;
  /** The start of an unfinished packet lies in held[0, heldLength). */
  private held: Buffer;
  private heldLength: number;
  /** The whole size of the unfinished packet, 0 while its length is not known. */
  private heldSize: number;
  private heldBodyStart: number;
  private validHeaders: Uint8Array;
  private protocolVersion: ProtocolVersion | 0;

  constructor(sink: PacketSink, maximumPacketSize: number) {
    this.maximumPacketSize = maximumPacketSize;
    this.sink = sink;
    this.stopped = false;
    this.held = emptyBuffer;
    this.heldLength = 0;
    this.heldSize = 0;
    this.heldBodyStart = 0;
    this.protocolVersion = 0;
    this.validHeaders = headersOf(0);
  }

  /** Number of bytes held of an unfinished packet. */
  get partialBytes(): number {
    return this.heldLength;
  }

  /**
   * The protocol version, 0 until it is set from CONNECT. It matters: MQTT 3.1 allows DUP where later versions do not,
   * AUTH is new in 5.0, and only 5.0 refuses lengths longer than they need be.
   */
  get version(): ProtocolVersion | 0 {
    return this.protocolVersion;
  }

  set version(version: ProtocolVersion | 0) {
    this.protocolVersion = version;
    this.validHeaders = headersOf(version);
  }

  /** Takes in the next bytes and hands every packet they complete to the sink. Throws a ProtocolError (0x81, 0x95). */
  push(chunk: Buffer): void {
    if (this.stopped) return;
    try {
      const start = this.heldLength === 0 ? 0 : this.#finishHeld(chunk);
      if (start >= 0) this.#scan(chunk, start);
    } catch (error) {
      this.#stop();
      throw error;
    }
  }

  #stop(): void {
    this.stopped = true;
    this.#letGo();
  }

  #letGo(): void {
    this.held = emptyBuffer;
    this.heldLength = 0;
    this.heldSize = 0;
  }

  /** Hands over the packets that lie whole in chunk[start, …) and holds the rest. HOT. */
  #scan(chunk: Buffer, start: number): void {
    const end = chunk.length;
    const sink = this.sink;
    let at = start;
    while (at < end) {
      const header = chunk[at];
      if (this.validHeaders[header] === 0) checkHeader(header, this.protocolVersion);
      let bodyStart = at + 2;
      if (bodyStart > end) break;
      let length = chunk[at + 1];
      if (length > 0x7f) {
        const size = lengthSize(chunk, at + 1, end);
        if (size === 0) break;
        bodyStart = at + 1 + size;
        length = decodeLength(chunk, at + 1, size);
        // 3.1.1 asks for no minimal form, so that only MQTT 5.0 clients are held to it.
        if (size > 1 && chunk[bodyStart - 1] === 0 && this.protocolVersion === 5) throw overlong(); // [MQTT-1.5.5-1]
      }
      const packetEnd = bodyStart + length;
      this.#checkSize(header, packetEnd - at, length);
      if (packetEnd > end) break;
      if (!sink.packet(header, chunk, at, bodyStart, packetEnd)) {
        this.#stop();
        return;
      }
      at = packetEnd;
    }
    if (at < end) this.#hold(chunk, at);
  }

  #checkSize(header: number, size: number, length: number): void {
    if (size > this.maximumPacketSize) {
      throw new ProtocolError(
        ReasonCode.packetTooLarge, // MQTT 5.0, 3.2.2.3.6; the client's side of it is [MQTT-3.2.2-15]
        `a packet of ${size} bytes is over the maximum packet size of ${this.maximumPacketSize}`,
        'MQTT-3.2.2-15',
      );
    }
    if (length !== 0 && (header === pingreqHeader || header === pingrespHeader)) throw malformed('a ping with a body');
  }

  /** Keeps chunk[at, …), the start of a packet. Its fixed header is checked already as far as it is there. */
  #hold(chunk: Buffer, at: number): void {
    const size = lengthSize(chunk, at + 1, chunk.length);
    const have = chunk.length - at;
    if (size === 0) {
      this.held = Buffer.allocUnsafe(fixedHeaderBytesMax);
    } else {
      this.heldBodyStart = 1 + size;
      this.heldSize = this.heldBodyStart + decodeLength(chunk, at + 1, size);
      this.held = Buffer.allocUnsafe(Math.min(this.heldSize, Math.max(have, heldBytesFirst)));
    }
    chunk.copy(this.held, 0, at);
    this.heldLength = have;
  }

  /** Adds what the held packet lacks. Returns where the next packet starts in the chunk, or -1 if there is none. */
  #finishHeld(chunk: Buffer): number {
    let at = 0;
    while (this.heldSize === 0) {
      if (at === chunk.length) return -1;
      this.held[this.heldLength++] = chunk[at++];
      this.#readHeldLength();
    }
    const taken = Math.min(this.heldSize - this.heldLength, chunk.length - at);
    this.#grow(this.heldLength + taken);
    chunk.copy(this.held, this.heldLength, at, at + taken);
    this.heldLength += taken;
    if (this.heldLength < this.heldSize) return -1;
    const bytes = this.held;
    const bodyStart = this.heldBodyStart;
    const end = this.heldSize;
    this.#letGo();
    if (!this.sink.packet(bytes[0], bytes, 0, bodyStart, end)) {
      this.#stop();
      return -1;
    }
    return at + taken;
  }

  /** Looks whether the held bytes tell the packet's length now, and checks it if so. */
  #readHeldLength(): void {
    const held = this.held;
    const size = lengthSize(held, 1, this.heldLength);
    if (size === 0) return;
    const length = decodeLength(held, 1, size);
    if (size > 1 && held[size] === 0 && this.protocolVersion === 5) throw overlong(); // [MQTT-1.5.5-1]
    this.heldBodyStart = 1 + size;
    this.heldSize = 1 + size + length;
    this.#checkSize(held[0], this.heldSize, length);
  }

  /** Makes room for `needed` bytes: doubling, so that a packet in a thousand pieces is copied a few times in all. */
  #grow(needed: number): void {
    if (needed <= this.held.length) return;
    const size = Math.min(this.heldSize, Math.max(needed, 2 * this.held.length, heldBytesFirst));
    const larger = Buffer.allocUnsafe(size);
    this.held.copy(larger, 0, 0, this.heldLength);
    this.held = larger;
  }
}

function overlong(): ProtocolError {
  return malformed('the remaining length is longer than it need be', 'MQTT-1.5.5-1');
}

/**
 * Returns the number of bytes of the length at `at`, 0 if it is not whole. Throws (0x81) when a fifth byte would
 * follow.
 */
function lengthSize(bytes: Buffer, at: number, end: number): number {
  for (let size = 1; size <= 4; size++) {
    if (at + size > end) return 0;
    if (bytes[at + size - 1] < 0x80) return size;
  }
  throw malformed('the remaining length has more than four bytes'); // MQTT 5.0, 1.5.5
}

function decodeLength(bytes: Buffer, at: number, size: number): number {
  let length = 0;
  for (let index = 0; index < size; index++) length |= (bytes[at + index] & 0x7f) << (7 * index);
  return length;
}
