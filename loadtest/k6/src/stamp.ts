/**
 * The first bytes of every payload. The rest is filler.
 *
 *     0        4          8          16
 *     | stream | sequence | sent at  | filler …
 *       uint32   uint32     float64
 */
export interface Stamp {
  /** Stream of messages: those of one publisher on one topic. */
  readonly stream: number;
  /** The place in its stream: 0, 1, 2 … */
  readonly sequence: number;
  /** Milliseconds since the epoch, with fractions. */
  readonly sentAt: number;
}

/** A payload cannot be smaller. */
export const stampBytes = 16;

/** A payload of `bytes` bytes; the filler is not all the same, so that a broken one would show. */
export function payloadOf(bytes: number): Uint8Array {
  return new Uint8Array(bytes).map((_, index) => index & 255);
}

/** Writes a stamp over the start of a payload. */
export function writeStamp(payload: Uint8Array, stream: number, sequence: number, sentAt: number): void {
  const view = new DataView(payload.buffer, payload.byteOffset, stampBytes);
  view.setUint32(0, stream);
  view.setUint32(4, sequence);
  view.setFloat64(8, sentAt);
}

/** The stamp of the payload at bytes[start, end); null when there is none. */
export function readStamp(bytes: Uint8Array, start: number, end: number): Stamp | null {
  if (end - start < stampBytes) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, stampBytes);
  return { stream: view.getUint32(0), sequence: view.getUint32(4), sentAt: view.getFloat64(8) };
}
