/**
 * Picks each of a sequence with the same probability, by chance. The distance to the next pick is drawn once a pick (it has a geometric distribution), so that the others cost a
 * subtraction.
 */
export class RatioSampler {
  private readonly ratio: number;
  private readonly random: () => number;
  private left: number;

  /** `ratio`: from 0 to 1. `random`: from 0 up to but not 1. */
  constructor(ratio: number, random: () => number = Math.random) {
    this.ratio = ratio;
    this.random = random;
    this.left = this.draw();
  }

  picks(): boolean {
    if (--this.left > 0) return false;
    this.left = this.draw();
    return true;
  }

  private draw(): number {
    if (this.ratio <= 0) return Number.POSITIVE_INFINITY;
    if (this.ratio >= 1) return 1;
    return 1 + Math.floor(Math.log(1 - this.random()) / Math.log(1 - this.ratio));
  }
}
