/**
 * Ends of the logs that local sessions read: a check whether they are further than frames have told (ARCHITECTURE.md,
 * section 6). So a lost frame with a log number costs a delay, never a message.
 *
 * A log on which messages arrive shows a gap by itself. The others are looked up in the store in turn, many logs in one
 * read. An end beyond what is known may belong to a message whose frame is still on its way: it counts when a second
 * has passed and the frame has not come.
 */

import type { LogStore } from '../ports/log-store.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { DurableLog, FollowedLogs, WentBack } from '../session/durable-log.ts';

/** Logs looked up at once. */
const batchMax = 1000;
/** Seconds in which all logs are looked up … */
const roundSeconds = 5;
/**
 * … unless there are more than these times as many: a million idle logs must not be a load of their own. Then a round
 * takes longer.
 */
const idlePerSecondMax = 2000;
/** Logs per second in a round that is made because frames may be lost. */
const wantedPerSecondMax = 5000;

/** Lookups, a second apart, after which a log that the store does not have is lost. */
const missingLooksMin = 4;

export interface LogEndsParts {
  logStore: LogStore;
  followed: FollowedLogs;
  metrics: Metrics;
  /** Called with a log that has less than was heard of it: the store has gone back. */
  wentBack: WentBack;
}

export class LogEnds {
  private readonly logStore: LogStore;
  private readonly followed: FollowedLogs;
  private readonly metrics: Metrics;
  /** Index of the next log. */
  private at = 0;
  private roundWanted = false;
  /** Logs that the current round has still to check; 0: there is no round. */
  private roundLeft = 0;
  private suspected: DurableLog[] = [];
  /** Logs with readers here that the store did not have, with the number of lookups in a row. */
  private readonly missing = new Map<DurableLog, number>();
  private readonly wentBack: WentBack;

  constructor({ logStore, followed, metrics, wentBack }: LogEndsParts) {
    this.wentBack = wentBack;
    this.logStore = logStore;
    this.followed = followed;
    this.metrics = metrics;
  }

  /**
   * Starts a round over all logs, idle or not, once the current one is over: frames were lost, or the connection was.
   */
  wantRound(): void {
    this.roundWanted = true;
  }

  /** Called by the worker's timer, never twice at once. Rejects with StoreError. */
  async everySecond(): Promise<void> {
    const suspected = this.suspected;
    this.suspected = [];
    for (const log of suspected) this.decide(log);
    if (this.roundWanted && this.roundLeft === 0) {
      this.roundWanted = false;
      this.roundLeft = this.followed.list.length;
    }
    const chosen = this.roundLeft > 0 ? this.nextOfRound() : this.nextIdle();
    const logs = this.missing.size === 0 ? chosen : [...new Set([...this.missing.keys(), ...chosen])];
    if (logs.length === 0) return;
    try {
      for (let at = 0; at < logs.length; at += batchMax) await this.look(logs.slice(at, at + batchMax));
    } catch (error) {
      this.roundWanted = true;
      throw error;
    }
  }

  private nextOfRound(): DurableLog[] {
    const logs = this.next(Math.min(this.roundLeft, wantedPerSecondMax));
    // Logs without readers are not awaited.
    this.roundLeft = Math.min(this.roundLeft, this.followed.list.length) - logs.length;
    return logs;
  }

  private nextIdle(): DurableLog[] {
    const share = Math.ceil(this.followed.list.length / roundSeconds);
    return this.next(Math.min(share, idlePerSecondMax)).filter(isIdle);
  }

  private next(count: number): DurableLog[] {
    const { list } = this.followed;
    const logs: DurableLog[] = [];
    for (let left = Math.min(count, list.length); left > 0; left--) {
      if (this.at >= list.length) this.at = 0;
      logs.push(list[this.at++]);
    }
    return logs;
  }

  private async look(logs: DurableLog[]): Promise<void> {
    // The end that was known before the question: everything heard of by then is in the store, whatever comes
    // meanwhile.
    const heard = logs.map((log) => log.heard);
    const ends = await this.logStore.ends(logs.map((log) => log.filter));
    for (let i = 0; i < logs.length; i++) {
      if (ends[i] < heard[i] && logs[i].readers.length > 0) {
        if (ends[i] > 0 || this.stayedAway(logs[i])) this.wentBack(logs[i], ends[i]);
      } else {
        this.missing.delete(logs[i]);
      }
      if (ends[i] <= logs[i].heard) continue;
      logs[i].suspectedEnd = ends[i];
      this.suspected.push(logs[i]);
    }
  }

  /**
   * True when the log has been missing for long enough to count as lost: it may go with a session that is being ended
   * elsewhere, by a clean start, at this moment.
   */
  private stayedAway(log: DurableLog): boolean {
    const looks = (this.missing.get(log) ?? 0) + 1;
    if (looks < missingLooksMin) this.missing.set(log, looks);
    else this.missing.delete(log);
    return looks >= missingLooksMin;
  }

  private decide(log: DurableLog): void {
    if (log.suspectedEnd <= log.heard || log.readers.length === 0) return;
    this.metrics.logsBehind++;
    log.endSeen(log.suspectedEnd);
  }
}

/** True when nothing arrived since the last lookup. */
function isIdle(log: DurableLog): boolean {
  const idle = log.heardAtLook === log.heard;
  log.heardAtLook = log.heard;
  return idle;
}
