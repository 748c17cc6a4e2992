/**
 * What tells one message from another under the same packet identifier: 32 bits of topic and payload. Not for security: who aims at a collision loses a message
 * of its own.
 */
import { crc32 } from 'node:zlib';
import type { Publication } from './publication.ts';

/** Longer payloads are handed to native code; below, the call costs more than the loop. */
const loopBytesMax = 512;
/** Stands for a message whose content nobody noted. */
export const unknownDigest = 0;

export function contentDigest({ bytes, topicStart, topicEnd, payloadStart, payloadEnd }: Publication): number {
  let hash = -2128831035; // FNV-1a
  for (let i = topicStart; i < topicEnd; i++) hash = Math.imul(hash ^ bytes[i], 16777619);
  // Topic "a", payload "bc" is another message than "ab", "c".
  hash = Math.imul(hash ^ 0x100, 16777619);
  if (payloadEnd - payloadStart > loopBytesMax) hash = crc32(bytes.subarray(payloadStart, payloadEnd), hash >>> 0) | 0;
  else for (let i = payloadStart; i < payloadEnd; i++) hash = Math.imul(hash ^ bytes[i], 16777619);
  return hash === unknownDigest ? 1 : hash;
}
