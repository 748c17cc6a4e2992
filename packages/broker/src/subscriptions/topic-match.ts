/**
 * Cache of the receivers of hot topics: a hash table by the topic's bytes.
 *
 * A lookup creates no string and no object: FNV-1a over the bytes (a dozen multiplications for a usual topic), then a
 * comparison. A topic is validated once, when it is first seen: a hit needs no check. Any change of the tree's version
 * makes entries outdated; they are made anew at their next use. The seed is random, so that nobody can aim at one
 * bucket. A full table is emptied as a whole: hot topics are found anew, with one walk of the tree each. It is full by
 * number, or by the bytes of topics and of lists of receivers that were made for them.
 */
import { validateTopicName } from '@dunlin/protocol';
import { RulesVersion } from '../guards/rules-version.ts';
import { isRestrictedTopic } from '../message/restricted-topic.ts';
import type { DurableLog } from '../session/durable-log.ts';
import type { Session } from '../session/session.ts';
import { mergeSubscriptions, type Subscription } from '../session/subscription.ts';
import type { SharedGroup } from './shared-subscriptions.ts';
import type { FilterEntry, SubscriptionTree } from './subscription-tree.ts';

const noSubscriptions: readonly Subscription[] = [];
const noGroups: readonly SharedGroup[] = [];
const noEndpoints: readonly string[] = [];
const noLogs: readonly DurableLog[] = [];

/**
 * Bytes of topics, each as bytes and as text, and of lists that belong to one topic alone: 65,536 topics of 128 bytes.
 * A client chooses topics before it is asked whether it may.
 */
export const matchBytesMax = 16 * 1024 * 1024;
/** A place in a list, and a subscription that was merged of several. */
const placeBytes = 8;
const mergedBytes = 96;

/** Entries of one bucket; the oldest is replaced. */
const chainMax = 4;
/** Most groups of a topic that are searched one by one; more are found by a map. */
const searchedMax = 8;

export class TopicMatch {
  readonly hash: number;
  readonly bytes: Buffer;
  readonly topic: string;
  version = 0;
  next: TopicMatch | null = null;
  /** Bytes that it counts for in the cache. */
  keptBytes = 0;
  /** Local subscriptions that get a QoS 0 publish now. */
  all: readonly Subscription[] = noSubscriptions;
  /**
   * Local subscriptions that get a QoS 1 or 2 publish now: without those that get it through a log. The same array as
   * `all` where no log is involved.
   */
  live: readonly Subscription[] = noSubscriptions;
  groups: readonly SharedGroup[] = noGroups;
  /** The groups are the list of one filter, and not this topic's own. */
  sharesGroups = true;
  /** Groups by name; null until asked for, with many groups. */
  groupsByName: Map<string, SharedGroup> | null = null;
  /** Groups that get a QoS 1 or 2 publish now: without those that get it through a log. */
  liveGroups: readonly SharedGroup[] = noGroups;
  /** Every other endpoint with subscribers. */
  endpoints: readonly string[] = noEndpoints;
  /**
   * Endpoints that must acknowledge a QoS 1 or 2 publish before it is acknowledged here, and endpoints that have it in
   * a log.
   */
  liveEndpoints: readonly string[] = noEndpoints;
  loggedEndpoints: readonly string[] = noEndpoints;
  logs: readonly DurableLog[] = noLogs;

  /** QoS 0 goes to local sessions and other endpoints alone: packets join batches. */
  acceptsBatches = true;
  /**
   * QoS 1 goes to local sessions and to endpoints that must acknowledge it, to no log and no group: packets join
   * batches as well.
   */
  acceptsKeptBatches = false;
  /** All receivers are local sessions that get it at once: the short way. */
  isPlain = true;
  /** A `$` topic with a meaning of its own (handlers/authorize-publish.ts). */
  readonly isRestricted: boolean;

  constructor(hash: number, bytes: Buffer, topic: string) {
    this.hash = hash;
    this.bytes = bytes;
    this.topic = topic;
    this.isRestricted = isRestrictedTopic(topic);
  }

  groupCalled(name: string): SharedGroup | undefined {
    const { groups } = this;
    if (groups.length > searchedMax) {
      this.groupsByName ??= new Map(groups.map((group) => [group.name, group]));
      return this.groupsByName.get(name);
    }
    for (let i = 0; i < groups.length; i++) if (groups[i].name === name) return groups[i];
    return undefined;
  }

  /**
   * No subscription receives a message with this QoS: `no-subscriber`, and 0x10 in PUBACK and PUBREC. Logs, of sessions
   * without a client, take no QoS 0.
   */
  isEmptyFor(qos: 0 | 1 | 2): boolean {
    const { all, groups, endpoints, logs } = this;
    return all.length === 0 && groups.length === 0 && endpoints.length === 0 && (qos === 0 || logs.length === 0);
  }
}

export class TopicMatches {
  private readonly tree: SubscriptionTree;
  private readonly entriesMax: number;
  private readonly levelsMax: number;
  private readonly mask: number;
  private readonly buckets: (TopicMatch | null)[];
  private readonly seed: number;
  private readonly rules: RulesVersion;
  private count = 0;
  private keptBytes = 0;
  /** Nodes that were visited and receivers that were listed for matches, since somebody set it to 0. */
  work = 0;

  constructor(
    tree: SubscriptionTree,
    entriesMax: number,
    levelsMax: number,
    seed: number,
    rules: RulesVersion = new RulesVersion(),
  ) {
    this.tree = tree;
    this.rules = rules;
    this.entriesMax = entriesMax;
    this.levelsMax = levelsMax;
    this.seed = seed | 0;
    let size = 1024;
    while (size < entriesMax) size *= 2;
    this.mask = size - 1;
    this.buckets = new Array(size).fill(null);
  }

  /** The receivers of the topic in bytes[start, end). Throws ProtocolError 0x90 for an invalid topic name. */
  find(bytes: Buffer, start: number, end: number): TopicMatch {
    let hash = this.seed;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 16777619);
    for (let match = this.buckets[hash & this.mask]; match !== null; match = match.next) {
      if (match.hash === hash && sameBytes(match.bytes, bytes, start, end)) {
        if (match.version !== this.tree.version) this.fill(match);
        return match;
      }
    }
    return this.add(hash, bytes, start, end);
  }

  private add(hash: number, bytes: Buffer, start: number, end: number): TopicMatch {
    validateTopicName(bytes, start, end, this.levelsMax);
    if (this.count >= this.entriesMax || this.keptBytes > matchBytesMax) this.forget();
    const topicBytes = Buffer.allocUnsafeSlow(end - start);
    bytes.copy(topicBytes, 0, start, end);
    const match = new TopicMatch(hash, topicBytes, topicBytes.toString('utf8'));
    const bucket = hash & this.mask;
    match.next = this.buckets[bucket];
    this.buckets[bucket] = match;
    this.count++;
    let last = match;
    for (let depth = 1; last.next !== null; last = last.next) {
      if (++depth > chainMax) {
        this.keptBytes -= last.next.keptBytes;
        last.next = null;
        this.count--;
        break;
      }
    }
    this.fill(match);
    return match;
  }

  /** Forgets all topics: none that somebody remembers is given out again. */
  forget(): void {
    this.buckets.fill(null);
    this.count = 0;
    this.keptBytes = 0;
  }

  private fill(match: TopicMatch): void {
    const visitedBefore = this.tree.nodesVisited;
    let entries = this.tree.match(match.topic);
    if (this.rules.isUnderWay && compareAll(entries)) entries = this.tree.match(match.topic);
    this.work += this.tree.nodesVisited - visitedBefore;
    match.version = this.tree.version;
    match.groupsByName = null;
    match.liveEndpoints = noEndpoints;
    match.loggedEndpoints = noEndpoints;
    let groups = noGroups;
    let mergedGroups: SharedGroup[] | null = null;
    const logs: DurableLog[] = [];
    const lists: (readonly Subscription[])[] = [];
    let logged = false;
    for (const entry of entries) {
      if (entry.subscriptions.length > 0) lists.push(entry.subscriptions);
      if (entry.logged.length > 0) {
        lists.push(entry.logged);
        logged = true;
      }
      if (entry.groups !== null) {
        entry.groupList ??= [...entry.groups.values()];
        if (groups.length === 0) groups = entry.groupList;
        else {
          mergedGroups ??= [...groups];
          for (const group of entry.groupList) mergedGroups.push(group);
          groups = mergedGroups;
        }
      }
      if (entry.endpoints !== null) match.liveEndpoints = union(match.liveEndpoints, entry.endpoints);
      if (entry.loggedEndpoints !== null) match.loggedEndpoints = union(match.loggedEndpoints, entry.loggedEndpoints);
      if (entry.log !== null) logs.push(entry.log);
    }
    match.groups = groups;
    match.sharesGroups = mergedGroups === null;
    match.liveGroups = groups.some(isLogged) ? groups.filter((group) => !group.isLogged) : groups;
    match.logs = logs.length === 0 ? noLogs : logs;
    match.endpoints = union(match.liveEndpoints, match.loggedEndpoints);
    const live = match.liveEndpoints.length;
    if (live > 0 && match.loggedEndpoints.length > 0) match.loggedEndpoints = match.endpoints.slice(live);
    match.acceptsBatches = match.groups.length === 0;
    match.acceptsKeptBatches =
      match.acceptsBatches && live > 0 && match.loggedEndpoints.length === 0 && match.logs.length === 0;
    match.isPlain = match.groups.length === 0 && match.endpoints.length === 0 && match.logs.length === 0;
    if (lists.length > 1) for (const entry of entries) entry.isMerged = true;
    match.all = mergeLists(lists);
    match.live = logged ? mergeLists(lists.filter((list) => list[0].cursor === null)) : match.all;
    this.work += groups.length;
    if (lists.length > 1) for (const list of lists) this.work += list.length;
    const bytes = ownBytes(match, lists);
    this.keptBytes += bytes - match.keptBytes;
    match.keptBytes = bytes;
  }
}

/** Compares the sessions that a topic goes to with new rules. False: all of them were. */
function compareAll(entries: readonly FilterEntry[]): boolean {
  const sessions = new Set<Session>();
  const note = (subscriptions: readonly Subscription[]): void => {
    for (const { session } of subscriptions) if (!session.isCompared) sessions.add(session);
  };
  for (const { subscriptions, logged, groups } of entries) {
    note(subscriptions);
    note(logged);
    for (const group of groups?.values() ?? []) note(group.members);
  }
  for (const session of sessions) session.compareWithRules();
  return sessions.size > 0;
}

function isLogged(group: SharedGroup): boolean {
  return group.isLogged;
}

/** Bytes of what was made for this topic alone. A list of the tree is not: all topics of a filter share it. */
function ownBytes(
  { bytes, groups, liveGroups, sharesGroups, all, live }: TopicMatch,
  lists: readonly (readonly Subscription[])[],
): number {
  let places = (sharesGroups ? 0 : groups.length) + (liveGroups === groups ? 0 : liveGroups.length);
  let merged = 0;
  if (lists.length > 1) {
    places += live === all ? all.length : all.length + live.length;
    for (const list of lists) merged += list.length;
    merged -= all.length;
  }
  return 2 * bytes.length + placeBytes * places + mergedBytes * merged;
}

/**
 * Union of both lists without duplicates, the first one's members first. Never one of the lists of an entry, which
 * change in place.
 */
function union(known: readonly string[], more: readonly string[]): readonly string[] {
  if (more.length === 0) return known;
  return known.length === 0 ? [...more] : [...new Set([...known, ...more])];
}

function sameBytes(known: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0, at = start; at < end; i++, at++) if (known[i] !== bytes[at]) return false;
  return true;
}

/** The list itself where there is one; otherwise a new one with the subscriptions of each session merged. */
function mergeLists(lists: (readonly Subscription[])[]): readonly Subscription[] {
  if (lists.length === 0) return noSubscriptions;
  if (lists.length === 1) return lists[0];
  const bySession = new Map<unknown, Subscription>();
  for (const list of lists) {
    for (const subscription of list) {
      const known = bySession.get(subscription.session);
      bySession.set(subscription.session, known === undefined ? subscription : mergeSubscriptions(known, subscription));
    }
  }
  return [...bySession.values()];
}
