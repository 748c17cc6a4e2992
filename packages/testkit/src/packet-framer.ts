/** Packet as it came from the wire. */
export interface Frame {
  /** The whole packet, fixed header and all. */
  readonly bytes: Buffer;
  readonly firstByte: number;
  /** Bytes that follow the remaining length. */
  readonly body: Buffer;
}

/** Cuts a stream of bytes into packets, by the fixed header alone and independently of any decoder. */
export class PacketFramer {
  #bytes: Buffer = Buffer.alloc(0);

  /** Adds a chunk and returns the packets that are now whole. */
  push(chunk: Buffer): Frame[] {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const frames: Frame[] = [];
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) {
      frames.push(frame);
    }
    return frames;
  }

  /** The bytes of a packet that is not whole yet. */
  rest(): Buffer {
    return this.#bytes;
  }

  #take(): Frame | undefined {
    let length = 0;
    for (let index = 1; index <= 4; index += 1) {
      if (index >= this.#bytes.length) return undefined;
      const byte = this.#bytes[index];
      length |= (byte & 127) << (7 * (index - 1));
      if ((byte & 128) !== 0) continue;
      const end = index + 1 + length;
      if (this.#bytes.length < end) return undefined;
      const bytes = this.#bytes.subarray(0, end);
      this.#bytes = this.#bytes.subarray(end);
      return { bytes, firstByte: bytes[0], body: bytes.subarray(index + 1) };
    }
    throw new RangeError(`a remaining length of more than four bytes: ${this.#bytes.subarray(0, 8).toString('hex')}`);
  }
}
