/**
 * Packets that arrived behind one that waits (CONNECT, SUBSCRIBE, an authorizer's answer). They take effect in the
 * order in which they arrived.
 *
 * They are kept as the bytes that they were, one behind the other in blocks: a client that sends a million PINGREQ
 * behind its CONNECT makes the node keep 2 MB, and not a million objects.
 *
 * ```
 *   blocks   [ P1 | P2 | P3 | free ]   [ P4, larger than a block ]   [ P5 | free ]
 *                  │                                                       │
 *                  first: its fixed header says where it ends              used
 * ```
 */

/** A packet that is held; its bytes are its own for as long as somebody refers to them. */
export interface HeldPacket {
  header: number;
  bytes: Buffer;
  bodyStart: number;
}

/** Bytes of the first block; each further one is twice as large, up to the last of these. */
const blockBytesFirst = 256;
const blockBytesMax = 64 * 1024;

interface Block {
  readonly bytes: Buffer;
  used: number;
}

export class HeldPackets {
  /** Bytes of all of them. */
  bytes = 0;
  length = 0;
  private readonly blocks: Block[] = [];
  /** Place of the first packet in the first block. */
  private at = 0;

  /** The next packet; undefined: there is none. */
  get first(): HeldPacket | undefined {
    return this.length === 0 ? undefined : this.packetAt(this.blocks[0], this.at);
  }

  add(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    const block = this.blockFor(size);
    bytes.copy(block.bytes, block.used, start, end);
    block.used += size;
    this.bytes += size;
    this.length++;
  }

  /** Removes the first packet. */
  shift(): HeldPacket | undefined {
    const packet = this.first;
    if (packet === undefined) return undefined;
    this.bytes -= packet.bytes.length;
    this.length--;
    this.at += packet.bytes.length;
    if (this.at === this.blocks[0].used) {
      this.blocks.shift();
      this.at = 0;
    }
    return packet;
  }

  private blockFor(size: number): Block {
    const last = this.blocks.at(-1);
    if (last !== undefined && last.bytes.length - last.used >= size) return last;
    const usual = last === undefined ? blockBytesFirst : Math.min(2 * last.bytes.length, blockBytesMax);
    const block = { bytes: Buffer.allocUnsafeSlow(Math.max(size, usual)), used: 0 };
    this.blocks.push(block);
    return block;
  }

  /** The decoder has checked the fixed header. */
  private packetAt({ bytes }: Block, at: number): HeldPacket {
    let bodyStart = 1;
    let remaining = 0;
    let byte: number;
    do {
      byte = bytes[at + bodyStart];
      remaining |= (byte & 0x7f) << (7 * (bodyStart - 1));
      bodyStart++;
    } while (byte > 0x7f);
    return { header: bytes[at], bytes: bytes.subarray(at, at + bodyStart + remaining), bodyStart };
  }
}
