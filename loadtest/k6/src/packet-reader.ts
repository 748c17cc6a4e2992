import { MalformedPacketError } from './codec.ts';

/** Gets one whole packet: its first byte, and its body as bytes[bodyStart, end). */
export type PacketSink = (header: number, bytes: Uint8Array, bodyStart: number, end: number) => void;

const nothing = new Uint8Array(0);

/** Puts packets together from WebSocket frames: a packet may begin and end anywhere in a frame [MQTT-6.0.0-2]. */
export class PacketReader {
  readonly #sink: PacketSink;
  /** The start of a packet whose end has not come. */
  #held: Uint8Array = nothing;

  constructor(sink: PacketSink) {
    this.#sink = sink;
  }

  /** Takes in a frame and hands over every packet it completes. @throws MalformedPacketError */
  push(frame: Uint8Array): void {
    const bytes = this.#held.length === 0 ? frame : joined(this.#held, frame);
    let at = 0;
    while (at < bytes.length) {
      const end = this.#take(bytes, at);
      if (end === at) break;
      at = end;
    }
    this.#held = at === bytes.length ? nothing : bytes.subarray(at);
  }

  /** Hands over the packet at `at` if it is whole. Returns where it ends, or `at`. */
  #take(bytes: Uint8Array, at: number): number {
    let length = 0;
    for (let index = 1; index <= 4; index++) {
      if (at + index >= bytes.length) return at;
      const byte = bytes[at + index];
      length |= (byte & 127) << (7 * (index - 1));
      if (byte > 127) continue;
      const bodyStart = at + index + 1;
      const end = bodyStart + length;
      if (end > bytes.length) return at;
      this.#sink(bytes[at], bytes, bodyStart, end);
      return end;
    }
    throw new MalformedPacketError('its length has more than four bytes');
  }
}

/** Joins two arrays in new memory. */
export function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
