/** Message or packet that must be safe before somebody is told so (P1). */
import { notStored, type StoreTrust } from '../work/store-trust.ts';

/** A publisher that is not read while a link that it feeds is full, or the store behind. */
export interface HeldPublisher {
  holdForRoom(): void;
  releaseForRoom(): void;
}

/** Something that waits for the store or other endpoints. Begins with one wait, which whoever made it settles when all waits were added. */
export abstract class Pending {
  waits = 1;
  /** Time at which the first of what it needs in the store was given to it (store-trust.ts). */
  storedAt = notStored;

  /** Notes that it needs something that is given to the store at this moment. */
  needsStored(moment: number): void {
    if (moment < this.storedAt) this.storedAt = moment;
  }

  /** Notes that one thing it waited for is there. */
  settle(): void {
    if (--this.waits === 0) this.ready();
  }

  /** The publisher that is not read while a link is full which this feeds; null: it is none of a client's own. */
  get publisher(): HeldPublisher | null {
    return null;
  }

  /** A client waits, which keeps the message until then and sends it again otherwise. */
  get isOfClient(): boolean {
    return false;
  }

  /** The store refused it, since the publisher's session belongs to somebody else now. It never becomes ready. */
  refused(): void {}

  /** The store does not keep it, since a quota is used up (`reason`): a client hears so with its acknowledgement. */
  quotaExceeded(_reason: string): void {}

  protected abstract ready(): void;
}

/**
 * Resolves a promise: for wills and delayed messages, which are removed from the store only when they are safe elsewhere. False: the store has gone back since it took
 * them, and may have lost them.
 */
export class PendingPromise extends Pending {
  readonly promise: Promise<boolean>;
  private readonly trust: StoreTrust;
  private resolve: (isSafe: boolean) => void = () => {};

  constructor(trust: StoreTrust) {
    super();
    this.trust = trust;
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  protected override ready(): void {
    const { trust, storedAt } = this;
    if (trust.isDoubtful(storedAt)) trust.whenReturned(() => this.ready());
    else this.resolve(!trust.isGone(storedAt));
  }
}

/** Settles others when all that took their place are there. */
export class PendingForOthers extends Pending {
  private readonly others: readonly Pending[];

  constructor(others: readonly Pending[]) {
    super();
    this.others = others;
  }

  override get isOfClient(): boolean {
    return this.others.every((other) => other.isOfClient);
  }

  protected override ready(): void {
    for (const other of this.others) other.settle();
  }
}
