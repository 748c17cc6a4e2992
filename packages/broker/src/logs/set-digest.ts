import { fnvBasis, fnvOfText, mixedHash } from '@dunlin/protocol';

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

/** Hash of one filter. Sums need all bits to be good. */
function hash(text: string, salt: number): number {
  return mixedHash(fnvOfText(text, fnvBasis ^ salt));
}
