/**
 * Frames from the server to a client (RFC 6455, section 5.2): binary, final, without a mask.
 *
 * ```
 *   0x82 │ length 0–125                  │ payload
 *   0x82 │ 126 │ length, 2 bytes         │ payload
 *   0x82 │ 127 │ length, 8 bytes         │ payload
 * ```
 *
 * A frame is written in a buffer of this thread that is used for the next one again, as long as the socket takes it at once. There is one for each size, so
 * that a slow client, for which a buffer is given away, keeps no more than four times its bytes.
 */

const finalBinary = 0x82;
const longestHeaderBytes = 10;
/** Payloads up to 256 bytes, 1 KiB, 4 KiB … 256 KiB have a buffer; a larger one gets its own. */
const smallestBytes = 256;
const sizeClasses = 6;

const buffers: (Buffer | null)[] = Array.from({ length: sizeClasses }, () => null);

function sizeClassOf(payloadBytes: number): number {
  let sizeClass = 0;
  while (sizeClass < sizeClasses && smallestBytes << (2 * sizeClass) < payloadBytes) sizeClass++;
  return sizeClass;
}

function bufferFor(payloadBytes: number): Buffer {
  const sizeClass = sizeClassOf(payloadBytes);
  if (sizeClass === sizeClasses) return Buffer.allocUnsafeSlow(payloadBytes + longestHeaderBytes);
  buffers[sizeClass] ??= Buffer.allocUnsafeSlow((smallestBytes << (2 * sizeClass)) + longestHeaderBytes);
  return buffers[sizeClass];
}

/** The frame of a payload. It is good until the next call, unless it is kept. */
export function frameOf(payload: Buffer): Buffer {
  const { length } = payload;
  const buffer = bufferFor(length);
  buffer[0] = finalBinary;
  let at = 2;
  if (length < 126) {
    buffer[1] = length;
  } else if (length < 65_536) {
    buffer[1] = 126;
    buffer[2] = length >> 8;
    buffer[3] = length & 0xff;
    at = 4;
  } else {
    buffer[1] = 127;
    buffer.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    buffer.writeUInt32BE(length >>> 0, 6);
    at = longestHeaderBytes;
  }
  payload.copy(buffer, at);
  return buffer.subarray(0, at + length);
}

/** The frame belongs to whoever sends it now: its buffer is not used again. */
export function keepFrame(frame: Buffer): void {
  for (let sizeClass = 0; sizeClass < sizeClasses; sizeClass++) {
    if (buffers[sizeClass]?.buffer === frame.buffer) buffers[sizeClass] = null;
  }
}
