/**
 * Packets of a publish batch where they lie (publish-batch.ts): validation, offsets, and packet identifiers of their
 * receiver written over those of the publisher. Hot: one pass over the lengths, no object per packet.
 */

import { lengthAt, lengthEnd } from '../message/publish-conversion.ts';
import { FrameError } from '../message/wire.ts';
import type { OutboundInflight } from '../session/inflight.ts';

/** First bytes of the packets of a batch: QoS 0 or 1, neither DUP nor RETAIN. */
export const batchHeaders = [0x30, 0x32] as const;
/** Longest encoding of a length in MQTT (section 1.5.5). */
const lengthBytesMax = 4;

/**
 * Number of packets in bytes[start, end). Throws FrameError unless they are whole PUBLISH packets of this QoS and
 * encoding, which can be read, converted and stamped without another check of their lengths.
 */
export function countPackets(bytes: Buffer, start: number, end: number, qos: 0 | 1, version5: boolean): number {
  const header = batchHeaders[qos];
  const idBytes = 2 * qos;
  let count = 0;
  for (let at = start; at < end; count++) {
    const bodyStart = lengthEnd(bytes, at + 1);
    const packetEnd = bodyStart + lengthAt(bytes, at + 1);
    const idEnd = bodyStart + 2 + ((bytes[bodyStart] << 8) | bytes[bodyStart + 1]) + idBytes;
    const isWhole = bodyStart - at <= 1 + lengthBytesMax && packetEnd <= end && idEnd <= packetEnd;
    if (bytes[at] !== header || !isWhole || (version5 && propertiesEnd(bytes, idEnd) > packetEnd))
      throw new FrameError(
        `byte ${at - start} of a batch of ${end - start} does not begin a PUBLISH packet of QoS ${qos}`,
      );
    at = packetEnd;
  }
  if (count === 0) throw new FrameError('a batch without packets');
  return count;
}

/** End of the properties whose length stands at `at`; beyond every buffer if the length is malformed. */
function propertiesEnd(bytes: Buffer, at: number): number {
  const end = lengthEnd(bytes, at);
  return end - at <= lengthBytesMax ? end + lengthAt(bytes, at) : Number.POSITIVE_INFINITY;
}

/** Bytes of payload of the packets in bytes[start, end), which were validated before. */
export function payloadBytesOf(bytes: Buffer, start: number, end: number, qos: 0 | 1, version5: boolean): number {
  let payloadBytes = 0;
  for (let at = start; at < end; ) {
    const bodyStart = lengthEnd(bytes, at + 1);
    const idEnd = bodyStart + 2 + ((bytes[bodyStart] << 8) | bytes[bodyStart + 1]) + 2 * qos;
    at = bodyStart + lengthAt(bytes, at + 1);
    payloadBytes += at - (version5 ? propertiesEnd(bytes, idEnd) : idEnd);
  }
  return payloadBytes;
}

/** End of the packet at `at`. */
export function packetEnd(bytes: Buffer, at: number): number {
  return lengthEnd(bytes, at + 1) + lengthAt(bytes, at + 1);
}

/** End of the first `count` packets from `start` on. */
export function endOf(bytes: Buffer, start: number, count: number): number {
  let at = start;
  for (let left = count; left > 0; left--) at = packetEnd(bytes, at);
  return at;
}

/**
 * Writes the receiver's next packet identifiers into the QoS 1 packets in bytes[start, allEnd). The window has room for
 * all of them.
 */
export function stampPacketIds(bytes: Buffer, start: number, allEnd: number, outbound: OutboundInflight): void {
  for (let at = start; at < allEnd; ) {
    const bodyStart = lengthEnd(bytes, at + 1);
    const idAt = bodyStart + 2 + ((bytes[bodyStart] << 8) | bytes[bodyStart + 1]);
    const end = bodyStart + lengthAt(bytes, at + 1);
    const packetId = outbound.take(1, null, 0, end - at);
    bytes[idAt] = packetId >> 8;
    bytes[idAt + 1] = packetId & 0xff;
    at = end;
  }
}
