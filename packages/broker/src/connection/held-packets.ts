/** Copy of a packet that was read and waits for its turn: the decoder reuses its bytes. */
export interface HeldPacket {
  header: number;
  bytes: Buffer;
  bodyStart: number;
}

/**
 * Packets that arrived behind one that waits (CONNECT, SUBSCRIBE, an authorizer's answer). They take effect in the
 * order in which they arrived.
 */
export class HeldPackets {
  /** Bytes of all of them. */
  bytes = 0;
  private readonly packets: HeldPacket[] = [];
  private head = 0;

  get length(): number {
    return this.packets.length - this.head;
  }

  /** The next packet; undefined: there is none. */
  get first(): HeldPacket | undefined {
    return this.packets[this.head];
  }

  add(header: number, bytes: Buffer, start: number, bodyStart: number, end: number): void {
    this.packets.push({ header, bytes: Buffer.from(bytes.subarray(start, end)), bodyStart: bodyStart - start });
    this.bytes += end - start;
  }

  /** Removes the first packet. */
  shift(): HeldPacket | undefined {
    const packet = this.packets[this.head];
    if (packet === undefined) return undefined;
    this.bytes -= packet.bytes.length;
    this.head++;
    if (this.head === this.packets.length || this.head >= 1024) {
      this.packets.splice(0, this.head);
      this.head = 0;
    }
    return packet;
  }
}
