/**
 * Shares of publishers in the passing stream of a link whose other side does not keep up. A publisher may have as many
 * bytes under way as there is room left: the more one has, the sooner it gets no more (Choudhury and Hahne, "Dynamic
 * Queue Length Thresholds", 1998). The last eighth of the room is for those that have little under way. So what floods
 * is dropped first.
 *
 * Bytes are counted only while the link is busy. What the other side takes is taken from all in proportion.
 */
export class PassingShares {
  private readonly shares = new Map<string, { bytes: number }>();
  /** Bytes are kept multiplied by this, so that all of them shrink at once. */
  private inflation = 1;
  private readonly reservedBytes: number;
  private readonly littleBytes: number;

  /** `bytesMax`: the room of the link. */
  constructor(bytesMax: number) {
    this.reservedBytes = bytesMax / 8;
    this.littleBytes = this.reservedBytes / 64;
  }

  /** True when the bytes may go, which counts them. `free`: room that is left for all. */
  admits(publisher: string, bytes: number, free: number): boolean {
    let share = this.shares.get(publisher);
    const grown = (share?.bytes ?? 0) + bytes * this.inflation;
    const isLittle = grown <= this.littleBytes * this.inflation && bytes <= free;
    if (!isLittle && grown > (free - this.reservedBytes) * this.inflation) return false;
    if (share === undefined) {
      share = { bytes: 0 };
      this.shares.set(publisher, share);
    }
    share.bytes = grown;
    return true;
  }

  /** The other side has taken some of what was under way. */
  shrink(before: number, after: number): void {
    if (this.shares.size === 0 || after >= before) return;
    this.inflation *= before / after;
    if (this.inflation > inflationMax) this.deflate();
  }

  /** The link is not busy any more. */
  forget(): void {
    if (this.shares.size > 0) this.shares.clear();
    this.inflation = 1;
  }

  /** Also leaves out those who have nothing under way any more. */
  private deflate(): void {
    for (const [publisher, share] of this.shares) {
      share.bytes /= this.inflation;
      if (share.bytes < 1) this.shares.delete(publisher);
    }
    this.inflation = 1;
  }
}

/** Factor above which those who were counted long ago are forgotten. */
const inflationMax = 2 ** 32;
