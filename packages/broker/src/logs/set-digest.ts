/** Digest of a set, independent of the order in which it was built (set-digest.ts). */
export interface Digest {
  count: number;
  first: number;
  second: number;
}

/**
 * Digest of a set of filters, kept up to date with each change, in whatever order the changes come: two sums of hashes
 * and a count. Two endpoints with the same sums hold the same set, but for one chance in 2^64. It finds what was lost;
 * it does not protect against an attacker.
 */
export class SetDigest implements Digest {
  count = 0;
  first = 0;
  second = 0;

  /** `salt` distinguishes things that have the same text. */
  add(text: string, salt: number): void {
    this.count++;
    this.first = (this.first + hash(text, salt)) >>> 0;
    this.second = (this.second + hash(text, ~salt)) >>> 0;
  }

  remove(text: string, salt: number): void {
    this.count--;
    this.first = (this.first - hash(text, salt)) >>> 0;
    this.second = (this.second - hash(text, ~salt)) >>> 0;
  }

  equals(other: Digest): boolean {
    return this.count === other.count && this.first === other.first && this.second === other.second;
  }
}

/** FNV-1a over the text's code units, then the mixing step of MurmurHash3, since sums need all bits to be good. */
function hash(text: string, salt: number): number {
  let value = 2166136261 ^ salt;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
