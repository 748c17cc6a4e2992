/** FNV-1a with 32 bits: a fast hash for tables and digests. It resists nobody who chooses the input. */
export const fnvBasis = 2166136261;
const fnvPrime = 16777619;

/** Hash of the text's UTF-16 code units, continued from `hash`. */
export function fnvOfText(text: string, hash = fnvBasis): number {
  let value = hash;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), fnvPrime);
  return value >>> 0;
}

/** Hash of bytes[start, end). */
export function fnvOfBytes(bytes: Uint8Array, start: number, end: number): number {
  let value = fnvBasis;
  for (let i = start; i < end; i++) value = Math.imul(value ^ bytes[i], fnvPrime);
  return value >>> 0;
}

/** The mixing step of MurmurHash3, for hashes that are added or compared: all their bits have to be good. */
export function mixedHash(hash: number): number {
  let value = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
