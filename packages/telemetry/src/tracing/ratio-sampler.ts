/** A distance is a small integer to V8. Whoever is further is looked for again from there: nothing remembers how far it was already. */
const distanceMax = 2 ** 30;

/**
 * Picks each of a sequence with the same probability, by chance. The distance to the next pick is drawn once a pick (it has a geometric distribution), so that the others cost
 * who counts them a subtraction.
 */
export class RatioSampler {
  private readonly ratio: number;
  private readonly random: () => number;
  /** Whether the one that is as far away as was drawn last is picked; else it is only as far as a distance goes. */
  endsWithPick = false;

  /** `ratio`: from 0 to 1. `random`: from 0 up to but not 1. */
  constructor(ratio: number, random: () => number = Math.random) {
    this.ratio = ratio;
    this.random = random;
  }

  /** How many come until the next one to be looked at, that one included: at least 1. */
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
