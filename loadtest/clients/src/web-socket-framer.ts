/** Frame as it came from the wire, with the first byte of the packet in it; 0 for the answer to the upgrade. */
export interface WebSocketFrame {
  readonly bytes: Buffer;
  readonly firstByte: number;
}

/** Cuts what a broker sends over WebSocket into frames. It masks nothing, and gives each packet a frame of its own. */
export class WebSocketFramer {
  #bytes: Buffer = Buffer.alloc(0);
  #isUpgraded = false;

  /** Adds a chunk and returns the frames that are now whole. */
  push(chunk: Buffer): WebSocketFrame[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const frames: WebSocketFrame[] = [];
    for (let frame = this.#take(); frame !== null; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): WebSocketFrame | null {
    if (!this.#isUpgraded) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end === -1) return null;
      this.#isUpgraded = true;
      return this.#cut(end + 4, 0);
    }
    if (this.#bytes.length < 2) return null;
    const short = this.#bytes[1] & 127;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#bytes.length < start) return null;
    const length = short < 126 ? short : this.#bytes.readUIntBE(short === 126 ? 2 : 4, short === 126 ? 2 : 6);
    if (this.#bytes.length < start + length) return null;
    return this.#cut(start + length, length === 0 ? 0 : this.#bytes[start]);
  }

  #cut(end: number, firstByte: number): WebSocketFrame {
    const bytes = this.#bytes.subarray(0, end);
    this.#bytes = this.#bytes.subarray(end);
    return { bytes, firstByte };
  }
}
