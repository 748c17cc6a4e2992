/**
 * Rules of the authorizer, as a worker counts their changes. New ones are compared with the sessions in force some a turn
 * (connection/rights-round.ts); one that was not yet is compared before anything more is sent to it.
 */
export class RulesVersion {
  now = 0;
  /** True while there may be sessions that were not compared with these rules. */
  isUnderWay = false;

  /** True for a session that was compared with the rules of this version. */
  isLatest(version: number): boolean {
    return !this.isUnderWay || version === this.now;
  }
}
