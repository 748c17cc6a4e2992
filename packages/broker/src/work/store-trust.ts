/** The moment of what is not in the store. */
export const notStored = 0x3fffffff;
/** The moment of what was stored before anybody here can tell. */
export const storedBefore = -1;

/**
 * Trust in the store: whether what it has confirmed may be told to clients. It came back with less than it had,
 * somewhere, if it comes back from an older copy, and that is known only when this worker is connected to it again and
 * it was looked at (GivenUpSessions.storeSetBack). So while a connection to it is away, what was given to it before
 * that was lost is acknowledged to nobody, whatever else it waited for; what a store of several servers confirms
 * meanwhile comes from one that is there.
 *
 * Moments are counts of lost connections: what is of an earlier one relies on a connection that is gone.
 */
export class StoreTrust {
  /** True while the store is away: all that is looked at for an acknowledgement that is due. */
  isAway = false;
  /** The moment that is now. */
  losses = 0;
  /** Moment before which whatever was stored may be lost, since the store went back. */
  private wentBackAt = storedBefore;
  /** Waiters: as many as wills, subscriptions and delayed messages that are under way. */
  private waiting: (() => void)[] = [];

  /** A connection to the store is lost. */
  lost(): void {
    this.isAway = true;
    this.losses++;
  }

  /** All of it is connected again, and nothing is known to be missing but what was told by `wentBack`. */
  returned(): void {
    this.isAway = false;
    for (const go of this.waiting.splice(0)) go();
  }

  /** Notes that the store has less than it had confirmed. */
  wentBack(): void {
    this.losses++;
    this.wentBackAt = this.losses;
  }

  /** True when it is not known, for now, if what was stored at this moment is still there. */
  isDoubtful(moment: number): boolean {
    return this.isAway && moment < this.losses;
  }

  /** True when what was stored at this moment may be lost. */
  isGone(moment: number): boolean {
    return moment < this.wentBackAt;
  }

  /** Calls it once all of the store is connected again. */
  whenReturned(go: () => void): void {
    this.waiting.push(go);
  }

  /** Resolves when it is known whether what was stored at this moment is still there. */
  async known(moment: number): Promise<void> {
    while (this.isDoubtful(moment)) await new Promise<void>((resolve) => this.whenReturned(resolve));
  }
}
