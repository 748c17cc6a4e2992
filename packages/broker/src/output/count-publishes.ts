import { PacketType } from '@dunlin/protocol';

/** Number of PUBLISH packets among the whole packets in bytes[start, end). */
export function countPublishes(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; ) {
    if (bytes[at] >> 4 === PacketType.publish) count++;
    let length = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = bytes[++at];
      length |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    at += 1 + length;
  }
  return count;
}
