/** Classes of sizes for each doubling. */
const classesPerDoubling = 8;
const classesMax = 53 * classesPerDoubling;

/**
 * Sizes of all logs, gathered to find the size to which the largest are cut when all together hold too much. They are
 * counted in classes, so that a million logs take no more memory than one.
 */
export class LogSizes {
  private readonly counts = new Float64Array(classesMax);
  private readonly bytes = new Float64Array(classesMax);

  add(bytes: number): void {
    if (bytes <= 0) return;
    const place = Math.min(classesMax - 1, Math.floor(Math.log2(bytes) * classesPerDoubling));
    this.counts[place]++;
    this.bytes[place] += bytes;
  }

  /**
   * The most bytes that each log may have so that all together have no more than `totalBytesMax`: the largest are cut to
   * one size, smaller ones keep everything. Infinity: none is cut.
   */
  levelFor(totalBytesMax: number): number {
    let larger = 0;
    let total = 0;
    for (let place = 0; place < classesMax; place++) {
      larger += this.counts[place];
      total += this.bytes[place];
    }
    if (total <= totalBytesMax) return Number.POSITIVE_INFINITY;
    let smallerBytes = 0;
    for (let place = 0; place < classesMax; place++) {
      if (this.counts[place] === 0) continue;
      const level = (totalBytesMax - smallerBytes) / larger;
      if (level < 2 ** ((place + 1) / classesPerDoubling)) return Math.max(0, Math.floor(level));
      smallerBytes += this.bytes[place];
      larger -= this.counts[place];
    }
    return Number.POSITIVE_INFINITY;
  }
}
