/**
 * The subscription tree at its limits: many subscribers of one filter, many filters, and the shapes a hostile client would
 * choose. ARCHITECTURE.md, section 5 promises that a match does not grow with the subscriptions that do not match.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Subscription, SubscriptionTree } from '@dunlin/broker/testing';
import { markdownTable } from './report.ts';

export interface Measurement {
  readonly name: string;
  readonly filters: number;
  readonly subscriptions: number;
  /** Adding one subscription, microseconds. */
  readonly addMicroseconds: number;
  /** Heap of one filter, or of one subscription where there are more of those, bytes. */
  readonly heapBytesEach: number;
  /** Filters that the measured topic matches. */
  readonly matched: number;
  readonly matchMicroseconds: number;
  /** Removing one subscription, microseconds. */
  readonly removeMicroseconds: number;
}

interface Case {
  readonly name: string;
  /** Filters, one per subscription, in the order of subscribing. */
  readonly filters: (size: number) => Iterable<string>;
  readonly size: number;
  readonly topic: string;
}

const SUBSCRIBERS = 100_000;
const FILTERS = 1_000_000;
/** The deepest topic that the broker takes. */
const LEVELS_MAX = 128;
/** 2^12 filters, all of which match one topic. */
const OVERLAP_LEVELS = 12;
/** A match is repeated for so long, so that the clock's grain does not count. */
const MATCH_MILLISECONDS = 200;

function* same(size: number): Iterable<string> {
  for (let i = 0; i < size; i++) yield 'fleet/+/telemetry/#';
}

function* differInOneLevel(size: number): Iterable<string> {
  for (let i = 0; i < size; i++) yield `devices/${i}/command`;
}

function* differInFirstLevel(size: number): Iterable<string> {
  for (let i = 0; i < size; i++) yield `device-${i}`;
}

/** `+`, `+/+`, … and `#`, `+/#`, …: every depth, twice. */
function* plusLevels(size: number): Iterable<string> {
  for (let depth = 1; depth <= size / 2; depth++) {
    const pluses = Array(depth).fill('+').join('/');
    yield pluses;
    yield depth === 1
      ? '#'
      : `${Array(depth - 1)
          .fill('+')
          .join('/')}/#`;
  }
}

/** Every way to put `a` or `+` on each level, then `ending`. */
function* combinations(size: number, ending: string): Iterable<string> {
  const levels = Math.log2(size);
  for (let bits = 0; bits < size; bits++) {
    const parts = Array.from({ length: levels }, (_, level) => ((bits >> level) & 1 ? '+' : 'a'));
    yield [...parts, ending].join('/');
  }
}

const deepTopic = Array(LEVELS_MAX).fill('x').join('/');
const overlapTopic = `${Array(OVERLAP_LEVELS).fill('a').join('/')}/end`;

const CASES: readonly Case[] = [
  { name: 'one wildcard filter, many subscribers', filters: same, size: SUBSCRIBERS, topic: 'fleet/7/telemetry/speed' },
  {
    name: 'filters that differ in one level',
    filters: differInOneLevel,
    size: FILTERS,
    topic: 'devices/500000/command',
  },
  { name: 'the same, no filter matches', filters: differInOneLevel, size: FILTERS, topic: 'devices/none/command' },
  { name: 'filters of one level', filters: differInFirstLevel, size: FILTERS, topic: 'device-500000' },
  { name: '`+` and `#` at every depth', filters: plusLevels, size: 2 * LEVELS_MAX, topic: deepTopic },
  {
    name: 'all mixes of a name and `+`, all match',
    filters: (size) => combinations(size, 'end'),
    size: 2 ** OVERLAP_LEVELS,
    topic: overlapTopic,
  },
  {
    name: 'all mixes of a name and `+`, none matches in the end',
    filters: (size) => combinations(size, 'other'),
    size: 2 ** OVERLAP_LEVELS,
    topic: overlapTopic,
  },
];

/** The tree keeps sessions and never looks into them. */
const session = {} as Subscription['session'];

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function measureMatch(tree: SubscriptionTree, topic: string): { matched: number; microseconds: number } {
  let matched = 0;
  let repeats = 0;
  const start = performance.now();
  while (performance.now() - start < MATCH_MILLISECONDS) {
    matched = tree.match(topic).length;
    repeats++;
  }
  return { matched, microseconds: ((performance.now() - start) * 1000) / repeats };
}

function measureCase({ name, filters, size, topic }: Case): Measurement {
  // Texts and subscriptions exist before, so that the heap's growth is the tree alone.
  const subscriptions = Array.from(
    filters(size),
    (filter) =>
      new Subscription({ session, filter, qos: 0, noLocal: false, retainAsPublished: false, identifiers: null }),
  );
  const heapBefore = heapBytes();
  const tree = new SubscriptionTree();
  const addStart = performance.now();
  for (const subscription of subscriptions) tree.addSubscription(tree.entry(subscription.filter), subscription);
  const addMilliseconds = performance.now() - addStart;
  const heapBytesEach = (heapBytes() - heapBefore) / subscriptions.length;
  const filterCount = tree.filterCount;
  const { matched, microseconds } = measureMatch(tree, topic);
  const removeStart = performance.now();
  for (const subscription of subscriptions) {
    const entry = tree.find(subscription.filter);
    if (entry === null) throw new RangeError(`the tree lost ${subscription.filter}`);
    tree.removeSubscription(entry, subscription);
  }
  const removeMilliseconds = performance.now() - removeStart;
  return {
    name,
    filters: filterCount,
    subscriptions: subscriptions.length,
    addMicroseconds: (addMilliseconds * 1000) / subscriptions.length,
    heapBytesEach,
    matched,
    matchMicroseconds: microseconds,
    removeMicroseconds: (removeMilliseconds * 1000) / subscriptions.length,
  };
}

/** Takes about half a minute and 1.5 GiB. */
export function measureSubscriptions(): Measurement[] {
  return CASES.map(measureCase);
}

export function renderSubscriptions(measurements: readonly Measurement[]): string {
  const header = ['case', 'filters', 'subscriptions', 'add µs', 'heap bytes each', 'matched', 'match µs', 'remove µs'];
  const rows = measurements.map((one) => [
    one.name,
    one.filters,
    one.subscriptions,
    one.addMicroseconds.toFixed(2),
    one.heapBytesEach.toFixed(0),
    one.matched,
    one.matchMicroseconds.toFixed(2),
    one.removeMicroseconds.toFixed(2),
  ]);
  return markdownTable(header, rows);
}
