/**
 * Client identifiers that are taken over again and again: two clients with one name, each coming back at once (two took
 * each other over a thousand times a second). Nobody is refused, since nobody can tell which of them is right; they are
 * named in the log, and wait before they claim it.
 */
import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { RareWarnings } from '../work/rare-warnings.ts';

/** Borne in a minute: a client in a bad network leaves connections behind. */
const borneMax = 10;
/** Each more waits so much longer, up to the most; MQTT clients wait for CONNACK for longer than that. */
const stepMilliseconds = 100;
const delayMaxMilliseconds = 1000;
const windowMilliseconds = 60_000;
/** Identifiers remembered; the one that was first taken longest ago gives way. */
const identifiersMax = 10_000;

interface Contest {
  takeovers: number;
  /** Time at which the count was last halved. */
  since: number;
}

export class ContestedIdentifiers {
  private readonly clock: Clock;
  private readonly warnings: RareWarnings;
  private readonly metrics: Metrics;
  private readonly contests = new Map<string, Contest>();
  private waiting: { dueAt: number; go: () => void }[] = [];
  private stop: (() => void) | null = null;

  constructor(clock: Clock, warnings: RareWarnings, metrics: Metrics) {
    this.clock = clock;
    this.warnings = warnings;
    this.metrics = metrics;
  }

  /** A client took the identifier from a connected one. `formerAddress`: empty if its owner did not say. */
  taken(clientId: string, address: string, formerAddress: string): void {
    const contest = this.current(clientId) ?? { takeovers: 0, since: this.clock.now() };
    contest.takeovers++;
    this.contests.set(clientId, contest);
    if (this.contests.size > identifiersMax) this.contests.delete(this.contests.keys().next().value as string);
    if (contest.takeovers <= borneMax) return;
    this.metrics.contestedTakeovers++;
    this.warnings.warn(events['identifier.contested'], clientId, {
      takeovers: contest.takeovers,
      address,
      formerAddress,
    });
  }

  /** Null: the client may claim its identifier now. */
  turnOf(clientId: string): Promise<void> | null {
    if (this.contests.size === 0) return null;
    const takeovers = this.current(clientId)?.takeovers ?? 0;
    if (takeovers <= borneMax) return null;
    const delay = Math.min((takeovers - borneMax) * stepMilliseconds, delayMaxMilliseconds);
    return new Promise((go) => {
      this.waiting.push({ dueAt: this.clock.now() + delay, go });
      this.stop ??= this.clock.every(stepMilliseconds, () => this.tick());
    });
  }

  /** The count is halved every minute, and forgotten when nothing is left of it. */
  private current(clientId: string): Contest | null {
    const contest = this.contests.get(clientId);
    if (contest === undefined) return null;
    const windows = Math.floor((this.clock.now() - contest.since) / windowMilliseconds);
    contest.takeovers = windows > 30 ? 0 : contest.takeovers >> windows;
    contest.since += windows * windowMilliseconds;
    if (contest.takeovers > 0) return contest;
    this.contests.delete(clientId);
    return null;
  }

  private tick(): void {
    const now = this.clock.now();
    const due = this.waiting.filter(({ dueAt }) => dueAt <= now);
    this.waiting = this.waiting.filter(({ dueAt }) => dueAt > now);
    if (this.waiting.length === 0) {
      this.stop?.();
      this.stop = null;
    }
    for (const { go } of due) go();
  }
}
