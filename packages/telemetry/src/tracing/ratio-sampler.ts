/** A distance is a small integer to V8. Whoever is further is looked for again from there: nothing remembers how far it was already. */
const distanceMax = 2 ** 30;

/**
 * Picks each of a sequence with the same probability, by chance. The distance to the next pick is drawn once a pick (it has a geometric distribution), so that the others cost
 * who counts them a subtraction.
 */
export class RatioSampler {
  private readonly ratio: number;
  private readonly random: () => number;
  /**
   * True when the item at the distance that was drawn last is picked; false when the distance was only as far as one
   * goes.
   */
  endsWithPick = false;

  /** `ratio`: from 0 to 1. `random`: from 0 up to but not 1. */
  constructor(ratio: number, random: () => number = Math.random) {
    this.ratio = ratio;
    this.random = random;
  }

  /** Draws the distance to the next item to be looked at, that one included: at least 1. */
  draw(): number {
    const distance = this.distance();
    this.endsWithPick = distance <= distanceMax;
    return Math.min(distance, distanceMax);
  }

  private distance(): number {
    if (this.ratio <= 0) return Number.POSITIVE_INFINITY;
    if (this.ratio >= 1) return 1;
    return 1 + Math.floor(Math.log(1 - this.random()) / Math.log(1 - this.ratio));
  }
}
