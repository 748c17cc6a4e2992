/**
 * Marks of what was true lately (this password was right, this network signed in), shared by the workers of a node, in bounded memory, each until its
 * time. A mark is a keyed digest: nothing can be read from it, and it is worth nothing elsewhere.
 *
 * A mark lies in one of eight places of its set; a new one takes the place whose time is over, or over soonest. Half-written places fit no mark.
 */
import { createHmac, randomBytes } from 'node:crypto';

const keyBytes = 32;
const keyWords = keyBytes / Int32Array.BYTES_PER_ELEMENT;
const digestWords = 4;
/** … and the second since 1970 until which it holds. */
const placeWords = digestWords + 1;
const placesPerSet = 8;
const setBits = 14;
/** 131,072 marks, 2.6 MB; of the pages in which there is none, the system keeps none. */
const sets = 1 << setBits;
const setWords = placesPerSet * placeWords;

export function newSharedMarks(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((keyWords + sets * setWords) * Int32Array.BYTES_PER_ELEMENT);
  new Uint8Array(memory, 0, keyBytes).set(randomBytes(keyBytes));
  return memory;
}

export class SharedMarks {
  private readonly words: Int32Array;
  private readonly key: Buffer;

  /** Without memory, this worker is alone. */
  constructor(memory: SharedArrayBuffer = newSharedMarks()) {
    this.words = new Int32Array(memory);
    this.key = Buffer.from(new Uint8Array(memory, 0, keyBytes));
  }

  /** The mark of some values, in their order. */
  markOf(...values: readonly (string | Buffer)[]): Buffer {
    const hmac = createHmac('sha256', this.key);
    for (const value of values) hmac.update(`${Buffer.byteLength(value)} `).update(value);
    return hmac.digest();
  }

  /** The mark of a network that signed in. */
  ofNetwork(network: string): Buffer {
    return this.markOf('network', network);
  }

  /** True when the mark was set and holds at this moment, in milliseconds since 1970. */
  has(mark: Buffer, now: number): boolean {
    const at = this.find(mark);
    return at >= 0 && Atomics.load(this.words, at + digestWords) >>> 0 > now / 1000;
  }

  /** Sets a mark that holds until then, in milliseconds since 1970. */
  set(mark: Buffer, until: number): void {
    const { words } = this;
    const known = this.find(mark);
    const at = known >= 0 ? known : this.soonestOver(mark);
    // While it is written it holds for nobody.
    Atomics.store(words, at + digestWords, 0);
    for (let word = 0; word < digestWords; word++) Atomics.store(words, at + word, mark.readInt32LE(4 * word));
    Atomics.store(words, at + digestWords, Math.ceil(until / 1000));
  }

  /** Place of a mark; negative: there is none. */
  private find(mark: Buffer): number {
    const first = firstOf(mark);
    for (let at = first; at < first + setWords; at += placeWords) if (this.fits(at, mark)) return at;
    return -1;
  }

  private fits(at: number, mark: Buffer): boolean {
    for (let word = 0; word < digestWords; word++)
      if (Atomics.load(this.words, at + word) !== mark.readInt32LE(4 * word)) return false;
    return true;
  }

  private soonestOver(mark: Buffer): number {
    const first = firstOf(mark);
    const until = (at: number): number => Atomics.load(this.words, at + digestWords) >>> 0;
    let soonest = first;
    for (let at = first; at < first + setWords; at += placeWords) if (until(at) < until(soonest)) soonest = at;
    return soonest;
  }
}

/** First word of the set of a mark. Chosen by bytes that are not compared. */
function firstOf(mark: Buffer): number {
  return keyWords + (mark.readUInt32LE(4 * digestWords) & (sets - 1)) * setWords;
}
