/**
 * Housekeeping for all shared groups with a log, done by one endpoint. It counts the messages that wait, and drops
 * those that have waited too long for groups without a connected member (`limits.groupMessageTtlSeconds`); where a
 * member is connected, the leader of the group drops them.
 */
import { matchedFilter } from '@dunlin/protocol';
import { RecordError, readRecord } from '../message/message-record.ts';
import type { Clock } from '../ports/clock.ts';
import type { DurableGroup } from '../ports/group-store.ts';
import type { Limits } from '../ports/limits.ts';
import type { LogEntry } from '../ports/log-store.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Store } from '../ports/store.ts';
import { StoreError } from '../ports/store-error.ts';
import { GroupCursor } from './group-cursor.ts';
import type { GroupLogs } from './group-logs.ts';

/**
 * Groups that one round searches for messages that are too old, and pages read of each. The rest is left to the next
 * rounds.
 */
const groupsMax = 100;
const pagesMax = 16;

export interface GroupHousekeepingParts {
  store: Pick<Store, 'logs' | 'groups'>;
  clock: Clock;
  metrics: Metrics;
  limits: Limits;
  groups: GroupLogs;
}

export class GroupHousekeeping {
  private readonly parts: GroupHousekeepingParts;
  /** Index of the group where the next round for old messages begins. */
  private at = 0;

  constructor(parts: GroupHousekeepingParts) {
    this.parts = parts;
  }

  /** Another endpoint does it: the counts of this one would no longer be the whole. */
  rest(): void {
    this.parts.metrics.groupLag = 0;
    this.parts.metrics.groupLagMax = 0;
  }

  /** Called every few seconds, never twice at once. Rejects with StoreError. */
  async run(): Promise<void> {
    const { store, metrics, limits, groups } = this.parts;
    const known = await store.groups.list();
    const lags = known.length === 0 ? [] : await this.lagsOf(known);
    let sum = 0;
    let most = 0;
    for (const lag of lags) {
      sum += lag;
      most = Math.max(most, lag);
    }
    metrics.groupLag = sum;
    metrics.groupLagMax = most;
    if (limits.groupMessageTtlSeconds === 0) return;
    const idle = known.filter(({ group }, i) => lags[i] > 0 && !groups.hasLoggedMembers(group));
    for (let left = Math.min(groupsMax, idle.length); left > 0; left--) {
      await this.dropOld(idle[this.at++ % idle.length].group);
    }
  }

  /** Upper bounds: numbers that are done with above a gap are counted as well. */
  private async lagsOf(groups: readonly DurableGroup[]): Promise<number[]> {
    const ends = await this.parts.store.logs.ends(groups.map(({ group }) => matchedFilter(group)));
    return groups.map(({ acknowledged }, i) => Math.max(0, ends[i] - acknowledged));
  }

  private async dropOld(group: string): Promise<void> {
    const { store, metrics } = this.parts;
    try {
      const { epoch, cursor: stored, reservations } = await store.groups.claim(group);
      const cursor = new GroupCursor(stored);
      const isReserved = new Set(reservations.map(({ sequence }) => sequence));
      const before = cursor.acknowledged;
      for (let pages = 0; pages < pagesMax && (await this.dropPage(group, cursor, isReserved)); pages++);
      if (cursor.acknowledged === before) return;
      const { failed } = stored;
      await store.groups.update({ group, epoch }, { cursor: { ...cursor.stored(new Map()), failed } });
    } catch (error) {
      // The group has ended, or an endpoint leads it by now.
      if (!(error instanceof StoreError) || (error.code !== 'fenced' && error.code !== 'unknown-group')) throw error;
      metrics.storeErrors++;
    }
  }

  /** Moves the cursor past messages that are too old. True: the whole page was. */
  private async dropPage(group: string, cursor: GroupCursor, isReserved: ReadonlySet<number>): Promise<boolean> {
    const { store, limits, clock, metrics } = this.parts;
    const from = cursor.acknowledged + 1;
    const now = clock.now();
    const { entries } = await store.logs.read(
      matchedFilter(group),
      from,
      limits.logPageMessages,
      limits.logPageBytes,
      now,
    );
    for (const entry of entries) {
      if (isReserved.has(entry.sequence) || !this.isOld(entry, now)) return false;
      if (cursor.has(entry.sequence)) continue;
      // The numbers between are no longer in the log.
      cursor.addAll(cursor.acknowledged + 1, entry.sequence);
      metrics.dropped.expired++;
    }
    return entries.length > 0;
  }

  private isOld({ record }: LogEntry, now: number): boolean {
    try {
      const { publishedAt } = readRecord(record);
      return publishedAt !== 0 && now >= publishedAt + this.parts.limits.groupMessageTtlSeconds * 1000;
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return false;
    }
  }
}
