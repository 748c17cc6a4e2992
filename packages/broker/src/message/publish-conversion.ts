/**
 * PUBLISH packets of QoS 0 or 1 of one protocol version as those of another, a whole batch at once: MQTT 5 puts properties between topic and payload, older versions
 * have none. Hot: one pass over the bytes, one buffer for all packets, copied by loops, since packets are small
 * (25 to 30 ns a packet of 80 bytes).
 *
 * The packets were checked when they were read; what is malformed cannot come here.
 */

import { writeVariableByteInteger } from '@dunlin/protocol';
import { copyWords, overrunBytes, viewOf } from './copy-into.ts';

/** Space for converted packets. */
export class ConversionSpace {
  readonly bytes: Buffer;
  readonly view: DataView;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.view = viewOf(this.bytes);
  }
}

/**
 * Space that a batch needs at most: MQTT 5 has a byte for the property length, and one more where the remaining length
 * grows by a byte; behind the last packet there is what copying writes too far.
 */
export function convertedBytesMax(batchBytes: number, packets: number): number {
  return batchBytes + 2 * packets + overrunBytes;
}

/** MQTT 5 to older: the properties are left out. The result lies in `space`. All packets are of this QoS. */
export function withoutProperties(
  space: ConversionSpace,
  bytes: Buffer,
  start: number,
  end: number,
  qos: 0 | 1,
): Buffer {
  const { bytes: out, view: outView } = space;
  const view = viewOf(bytes);
  const idBytes = 2 * qos;
  let to = 0;
  for (let at = start; at < end; ) {
    const bodyStart = lengthEnd(bytes, at + 1);
    const packetEnd = bodyStart + lengthAt(bytes, at + 1);
    // Behind the topic and, with QoS 1, the packet identifier.
    const idEnd = bodyStart + 2 + ((bytes[bodyStart] << 8) | bytes[bodyStart + 1]) + idBytes;
    const payloadStart =
      bytes[idEnd] < 0x80 ? idEnd + 1 + bytes[idEnd] : lengthEnd(bytes, idEnd) + lengthAt(bytes, idEnd);
    out[to++] = bytes[at];
    to = writeVariableByteInteger(out, to, packetEnd - bodyStart - (payloadStart - idEnd));
    to = copyWords(outView, to, view, bodyStart, idEnd);
    to = copyWords(outView, to, view, payloadStart, packetEnd);
    at = packetEnd;
  }
  return out.subarray(0, to);
}

/** Older to MQTT 5: each packet gets properties of length 0. The result lies in `space`. All packets are of this QoS. */
export function withEmptyProperties(
  space: ConversionSpace,
  bytes: Buffer,
  start: number,
  end: number,
  qos: 0 | 1,
): Buffer {
  const { bytes: out, view: outView } = space;
  const view = viewOf(bytes);
  const idBytes = 2 * qos;
  let to = 0;
  for (let at = start; at < end; ) {
    const bodyStart = lengthEnd(bytes, at + 1);
    const packetEnd = bodyStart + lengthAt(bytes, at + 1);
    const idEnd = bodyStart + 2 + ((bytes[bodyStart] << 8) | bytes[bodyStart + 1]) + idBytes;
    out[to++] = bytes[at];
    to = writeVariableByteInteger(out, to, packetEnd - bodyStart + 1);
    to = copyWords(outView, to, view, bodyStart, idEnd);
    out[to++] = 0;
    to = copyWords(outView, to, view, idEnd, packetEnd);
    at = packetEnd;
  }
  return out.subarray(0, to);
}

/** The variable byte integer at `at`. */
export function lengthAt(bytes: Buffer, at: number): number {
  let value = bytes[at] & 0x7f;
  for (let i = at, shift = 7; bytes[i] >= 0x80; shift += 7) value |= (bytes[++i] & 0x7f) << shift;
  return value;
}

/** End of the variable byte integer at `at`. */
export function lengthEnd(bytes: Buffer, at: number): number {
  let end = at;
  while (bytes[end] >= 0x80) end++;
  return end + 1;
}
