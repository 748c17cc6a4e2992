import { topicMatchesFilter } from '@dunlin/protocol/topic';
import type { Charge } from '../ports/quota.ts';
import {
  type RetainedEntry,
  type RetainedPage,
  type RetainedStore,
  retainedPageBytes,
} from '../ports/retained-store.ts';
import type { MemoryClaims } from './memory-claims.ts';
import { MemoryUsage } from './memory-usage.ts';
import { OrderedTopics } from './ordered-topics.ts';

/** Topics examined for one page, about 1 ms: no client waits longer for a filter that few of them match. */
const lookedAtMax = 1000;

/** Messages looked at in one call of `expire`: less than a millisecond. */
const expireMax = 1000;

/** The retained messages of the memory store. */
export class MemoryRetained implements RetainedStore {
  private readonly claims: MemoryClaims;
  private readonly entries = new Map<string, RetainedEntry>();
  private readonly users = new Map<string, string>();
  private readonly usage = new MemoryUsage('retained messages');
  private readonly topics = new OrderedTopics();
  /** Messages that `expire` has yet to look at in this round. */
  private expiring: Iterator<RetainedEntry> | null = null;

  constructor(claims: MemoryClaims) {
    this.claims = claims;
  }

  async count(): Promise<number> {
    this.claims.check();
    return this.entries.size;
  }

  async set(topic: string, record: Uint8Array | null, expiresAt: number, charge?: Charge): Promise<void> {
    this.claims.check();
    const known = this.entries.get(topic);
    const before = known && { user: this.users.get(topic) ?? '', bytes: known.record.length };
    if (record === null) {
      this.usage.replace(before, undefined);
      if (known !== undefined) this.topics.remove(topic);
      this.entries.delete(topic);
      this.users.delete(topic);
      return;
    }
    const user = charge?.user ?? '';
    this.usage.replace(before, { user, bytes: record.length }, charge);
    if (known === undefined) this.topics.add(topic);
    this.users.set(topic, user);
    this.entries.set(topic, { topic, record, expiresAt });
  }

  async expire(now: number): Promise<number> {
    this.claims.check();
    this.expiring ??= this.entries.values();
    let removed = 0;
    for (let left = expireMax; left > 0; left--) {
      const { done, value } = this.expiring.next();
      if (done) {
        this.expiring = null;
        break;
      }
      if (value.expiresAt > now) continue;
      await this.set(value.topic, null, 0);
      removed++;
    }
    return removed;
  }

  /** `after`: the topic that was examined last. */
  async read(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage> {
    this.claims.check();
    const page: RetainedPage = { entries: [], next: null };
    const prefix = literalStart(filter);
    if (prefix === filter) {
      this.addIfValid(page, filter, now);
      return page;
    }
    let left = lookedAtMax;
    let bytes = 0;
    let last = after;
    for (const topic of this.topics.from(after ?? prefix)) {
      if (topic === after) continue;
      if (!topic.startsWith(prefix)) break;
      if (page.entries.length >= limit || bytes >= retainedPageBytes || left-- === 0) {
        page.next = last;
        break;
      }
      last = topic;
      if (topicMatchesFilter(topic, filter)) bytes += this.addIfValid(page, topic, now);
    }
    return page;
  }

  /** Returns the bytes that the page has grown by. */
  private addIfValid(page: RetainedPage, topic: string, now: number): number {
    const entry = this.entries.get(topic);
    if (entry === undefined || entry.expiresAt <= now) return 0;
    page.entries.push({ ...entry });
    return entry.record.length;
  }
}

/** Beginning of every topic that the filter matches: `a` for `a/#`, which matches `a` as well [MQTT-4.7.1-2]. */
function literalStart(filter: string): string {
  const levels = filter.split('/');
  const wildcard = levels.findIndex((level) => level === '+' || level === '#');
  if (wildcard < 0) return filter;
  const literal = levels.slice(0, wildcard).join('/');
  return wildcard > 0 && levels[wildcard] === '+' ? `${literal}/` : literal;
}
