/**
 * Housekeeping: the jobs of a worker that a clock starts, not a packet. The leader does those that are needed once for all workers.
 */
import { ProtocolError } from '@dunlin/protocol';
import type { DeadEndpoints } from './cluster/dead-endpoints.ts';
import type { DelayedMessages } from './delivery/delayed.ts';
import type { GroupHousekeeping } from './groups/group-housekeeping.ts';
import type { LogRoom } from './guards/log-room.ts';
import type { DurableFilters } from './logs/durable-filters.ts';
import type { LogEnds } from './logs/log-ends.ts';
import { RecordError } from './message/message-record.ts';
import type { Clock } from './ports/clock.ts';
import type { Limits } from './ports/limits.ts';
import { events } from './ports/log-events.ts';
import type { Logger } from './ports/logger.ts';
import type { Metrics } from './ports/metrics.ts';
import type { StoreParts } from './ports/store.ts';
import { StoreError } from './ports/store-error.ts';
import type { StoredWill } from './ports/will-store.ts';

const secondMilliseconds = 1000;
/** Limit of wills or sessions taken from the store at once. */
const batchMax = 500;
/**
 * Time that each look covers: the store is asked each second, and answers with what falls due until it is asked again.
 */
const lookAheadMilliseconds = 1250;
/** Least interval of looks: where much falls due at different times, the jobs of this time are done together. */
const looksApartMilliseconds = 100;
/** Interval in seconds of trimming, and of housekeeping for groups. */
const slowEverySeconds = 5;

export interface HousekeepingParts {
  store: Omit<StoreParts, 'groups'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  limits: Limits;
  /** True when there may be other endpoints. */
  isClustered: boolean;
  cluster: { readonly isLeader: boolean };
  sysTopics: { publish(): void };
  durableFilters: DurableFilters;
  logEnds: LogEnds;
  logRoom: LogRoom;
  deadEndpoints: DeadEndpoints;
  groupHousekeeping: GroupHousekeeping;
  delayed: DelayedMessages;
  publishWill: (record: Uint8Array) => Promise<void>;
}

export class Housekeeping {
  private readonly parts: HousekeepingParts;
  private stops: (() => void)[] = [];
  private readonly running = new Set<string>();
  private seconds = 0;
  /** Cancels the next look before its second. */
  private stopAlarm: (() => void) | null = null;
  private lookedAt = 0;
  /** Jobs that were found due while they ran. */
  private readonly missed = new Set<string>();

  constructor(parts: HousekeepingParts) {
    this.parts = parts;
  }

  start(): void {
    const { parts } = this;
    const { clock, limits } = parts;
    this.stops.push(clock.every(secondMilliseconds, () => this.everySecond()));
    if (limits.sysIntervalSeconds > 0) {
      this.stops.push(clock.every(limits.sysIntervalSeconds * 1000, () => parts.sysTopics.publish()));
    }
  }

  stop(): void {
    for (const stop of this.stops.splice(0)) stop();
    this.setAlarm(Number.POSITIVE_INFINITY);
  }

  private everySecond(): void {
    const { parts } = this;
    this.seconds++;
    const { isLeader } = parts.cluster;
    this.run('refreshing durable filters', () => parts.durableFilters.refresh());
    this.run('measuring logs', () => this.measureLogs());
    // Without a backplane there are no other writers. With one there may be, also while none of them is heard of.
    if (parts.isClustered) this.run('looking at the ends of logs', () => parts.logEnds.everySecond());
    this.run('releasing what the dead owned', () => parts.deadEndpoints.everySecond(isLeader));
    if (!isLeader) {
      this.setAlarm(Number.POSITIVE_INFINITY);
      parts.groupHousekeeping.rest();
      parts.metrics.sessionsStored = 0;
      parts.metrics.messagesRetained = 0;
      return;
    }
    this.look();
    if (this.seconds % slowEverySeconds === 0 || parts.logRoom.isScarce) this.run('trimming logs', () => this.trim());
    if (this.seconds % slowEverySeconds === 0) {
      this.run('looking after groups', () => parts.groupHousekeeping.run());
      this.run('removing bans that have ended', () => this.expireBans());
      this.run('removing retained messages that have expired', () => this.expireRetained());
      this.run('counting what is stored', () => this.count());
    }
  }

  /** Runs a job, unless it is still running: a slow store must not accumulate them. */
  private run(what: string, job: () => Promise<void>): void {
    if (this.running.has(what)) return;
    this.running.add(what);
    job()
      .catch((error: unknown) => {
        // The job was under way when the worker stopped: it is not tried again.
        if (this.stops.length === 0 && error instanceof StoreError && error.code === 'closed') return;
        this.parts.metrics.storeErrors++;
        this.parts.logger.warn(events['housekeeping.failed'], { job: what, error });
      })
      .finally(() => this.running.delete(what));
  }

  private look(): void {
    this.lookedAt = this.parts.clock.now();
    this.run('looking for what is due', () => this.lookForDue());
  }

  private async lookForDue(): Promise<void> {
    const { store, clock, delayed } = this.parts;
    const until = clock.now() + lookAheadMilliseconds;
    const due = await Promise.all([
      store.sessions.nextDue(until),
      store.wills.nextDue(until),
      store.delayed.nextDue(until),
    ]);
    const [sessions, wills, delayedMessages] = due;
    const now = clock.now();
    if (wills <= now) this.runAll('publishing due wills', () => this.publishDueWills());
    if (delayedMessages <= now) this.runAll('publishing delayed messages', () => delayed.publishDue());
    if (sessions <= now) this.runAll('ending sessions', () => this.expireSessions());
    this.setAlarm(Math.min(...due.filter((at) => at > now)));
  }

  /**
   * Runs a job that ends with a look for what comes next: at once when there may be more already, than is taken at once
   * or since.
   */
  private runAll(what: string, job: () => Promise<number>): void {
    if (this.running.has(what)) {
      this.missed.add(what);
      return;
    }
    this.run(what, async () => {
      const count = await job();
      if (this.missed.delete(what) || count >= batchMax) this.parts.clock.nextTurn(() => this.look());
      else if (count > 0) this.setAlarm(this.lookedAt);
    });
  }

  private setAlarm(at: number): void {
    this.stopAlarm?.();
    this.stopAlarm = null;
    if (at === Number.POSITIVE_INFINITY || this.stops.length === 0) return;
    const { clock } = this.parts;
    const wait = Math.max(at, this.lookedAt + looksApartMilliseconds) - clock.now();
    this.stopAlarm = clock.every(Math.max(1, Math.ceil(wait)), () => {
      this.setAlarm(Number.POSITIVE_INFINITY);
      this.look();
    });
  }

  private async publishDueWills(): Promise<number> {
    const { parts } = this;
    const wills = await parts.store.wills.takeDue(parts.clock.now(), batchMax);
    const published = await Promise.allSettled(wills.map((will) => this.publishDueWill(will)));
    const failed = published.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return wills.length;
  }

  private async publishDueWill(will: StoredWill): Promise<void> {
    const { parts } = this;
    await parts.publishWill(will.record).catch((error: unknown) => {
      // A will that can never be published must not come back for ever.
      if (!(error instanceof RecordError || error instanceof ProtocolError)) throw error;
      parts.logger.error(events['will.dropped'], {
        client: will.clientId,
        error,
      });
    });
    await parts.store.wills.remove(will.clientId, will.epoch);
  }

  private async expireSessions(): Promise<number> {
    const { parts } = this;
    const ended = await parts.store.sessions.expire(parts.clock.now(), batchMax);
    parts.metrics.sessionsExpired += ended.length;
    if (ended.length > 0) {
      parts.durableFilters.markStale();
      // Wills of the sessions that ended.
      this.runAll('publishing due wills', () => this.publishDueWills());
    }
    return ended.length;
  }

  private async expireBans(): Promise<void> {
    const { store, clock } = this.parts;
    await store.bans.expire(clock.now(), batchMax);
  }

  private async expireRetained(): Promise<void> {
    const { store, clock } = this.parts;
    await store.retained.expire(clock.now());
  }

  private async count(): Promise<void> {
    const { metrics, store } = this.parts;
    const [sessions, retained] = await Promise.all([store.sessions.count(), store.retained.count()]);
    metrics.sessionsStored = sessions;
    metrics.messagesRetained = retained;
  }

  private async measureLogs(): Promise<void> {
    const { durableFilters, logRoom, store } = this.parts;
    if (durableFilters.size === 0) {
      logRoom.measured(0);
      return;
    }
    // While the store is away nothing is appended either, and other jobs say so: what was known holds.
    const bytes = await store.logs.bytes().catch(() => null);
    if (bytes !== null) logRoom.measured(bytes);
  }

  private async trim(): Promise<void> {
    const { parts } = this;
    const { logMessagesMax, logBytesMax } = parts.limits;
    const { trimmedBytesMax } = parts.logRoom;
    const dropped = await parts.store.logs.trim(
      { messagesMax: logMessagesMax, bytesMax: logBytesMax, totalBytesMax: trimmedBytesMax },
      parts.clock.now(),
    );
    parts.metrics.dropped['log-limit'] += dropped;
  }
}
