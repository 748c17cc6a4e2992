/**
 * `$SYS/broker/…`, with the names Mosquitto uses (its manual, "broker status"): what this node counts, over all its workers; and `$SYS/cluster/…`, the same over all
 * nodes. Published to local subscribers every few seconds, and to a new subscriber at once; never stored, never taken from clients.
 *
 * Each worker tells the others what it counts and adds up for its own subscribers what they have told. Memory of the process is not among it: that is `/metrics`.
 */
import { topicMatchesFilter } from '@dunlin/protocol';
import type { Cluster } from './cluster/cluster.ts';
import { deliverQos0 } from './delivery/deliver.ts';
import type { SessionDelivery } from './delivery/session-delivery.ts';
import { publicationOf } from './message/publish-in-place.ts';
import type { Clock } from './ports/clock.ts';
import type { EndpointId } from './ports/endpoint-id.ts';
import type { Metrics } from './ports/metrics.ts';
import type { Subscription } from './session/subscription.ts';
import type { TopicMatches } from './subscriptions/topic-match.ts';

export interface SysTopicsParts {
  self: EndpointId;
  version: string;
  clock: Clock;
  metrics: Metrics;
  sessions: { readonly count: number; all(): Iterable<{ isStored: boolean }> };
  cluster: Cluster;
  matches: TopicMatches;
  delivery: SessionDelivery;
}

type Counted = Pick<SysTopicsParts, 'metrics' | 'sessions'>;

interface Counter {
  name: string;
  value: (counted: Counted) => number;
  /** Told by one worker of the cluster for all: a node has no part of its own. */
  ofCluster?: boolean;
  /** Told as averages a minute under `load/`, too. */
  load?: string;
}

/**
 * Counts that workers tell each other, in this order. Names are those of the topics, unless a topic is made of several.
 */
// biome-ignore format: a table
const counters: readonly Counter[] = [
  { name: 'clients/connected', value: ({ sessions }) => sessions.count },
  { name: 'durable sessions connected', value: ({ sessions }) => storedCount(sessions.all()), ofCluster: true },
  { name: 'durable sessions', value: ({ metrics }) => metrics.sessionsStored, ofCluster: true },
  { name: 'clients/expired', value: ({ metrics }) => metrics.sessionsExpired, ofCluster: true },
  { name: 'sockets', value: ({ metrics }) => metrics.connectionsOpened, load: 'sockets' },
  { name: 'connections', value: ({ metrics }) => metrics.packetsReceived[1], load: 'connections' },
  { name: 'messages/received', value: ({ metrics }) => metrics.publishesReceived + sum(metrics.packetsReceived), load: 'messages/received' },
  { name: 'messages/sent', value: ({ metrics }) => metrics.publishesSent + sum(metrics.packetsSent), load: 'messages/sent' },
  { name: 'publish/messages/received', value: ({ metrics }) => metrics.publishesReceived, load: 'publish/received' },
  { name: 'publish/messages/sent', value: ({ metrics }) => metrics.publishesSent, load: 'publish/sent' },
  { name: 'publish/messages/dropped', value: ({ metrics }) => droppedMessages(metrics), load: 'publish/dropped' },
  { name: 'publish/bytes/received', value: ({ metrics }) => metrics.payloadBytesReceived },
  { name: 'publish/bytes/sent', value: ({ metrics }) => metrics.payloadBytesSent },
  { name: 'bytes/received', value: ({ metrics }) => metrics.bytesReceived, load: 'bytes/received' },
  { name: 'bytes/sent', value: ({ metrics }) => metrics.bytesSent, load: 'bytes/sent' },
  { name: 'subscriptions/count', value: ({ metrics }) => metrics.subscriptionsAdded - metrics.subscriptionsRemoved },
  { name: 'shared_subscriptions/count', value: ({ metrics }) => metrics.sharedSubscriptions },
  { name: 'retained messages/count', value: ({ metrics }) => metrics.messagesRetained, ofCluster: true },
  { name: 'messages waiting', value: ({ metrics }) => metrics.messagesWaiting },
];
const loads = counters.flatMap(({ load }, at) => (load === undefined ? [] : [{ load, at }]));
const loadMinutes = [1, 5, 15] as const;

const secondsPerMinute = 60;

function sum(counts: readonly number[]): number {
  return counts.reduce((whole, count) => whole + count, 0);
}

function storedCount(sessions: Iterable<{ isStored: boolean }>): number {
  let count = 0;
  for (const session of sessions) if (session.isStored) count++;
  return count;
}

/** A publish that nobody subscribed to is no loss, and not counted here. */
function droppedMessages({ dropped }: Metrics): number {
  return sum(Object.values(dropped)) - dropped['no-subscriber'];
}

/** Totals that grow, and their averages a minute over the last 1, 5 and 15 minutes: the newest counts most, as in the load of a Unix system. */
class LoadAverages {
  readonly averages = loads.map(() => loadMinutes.map(() => 0));
  private last: number[] | null = null;

  /** `totals`: of all counters. */
  add(totals: readonly number[], seconds: number): void {
    const { last } = this;
    this.last = [...totals];
    if (last === null || seconds <= 0) return;
    for (const [row, { at }] of loads.entries()) {
      const aMinute = ((totals[at] - last[at]) * secondsPerMinute) / seconds;
      for (const [column, minutes] of loadMinutes.entries()) {
        const kept = Math.exp(-seconds / (secondsPerMinute * minutes));
        this.averages[row][column] = aMinute + kept * (this.averages[row][column] - aMinute);
      }
    }
  }
}

/** Totals of one node, or of all. */
class Totals {
  readonly prefix: string;
  /** Null: all. */
  private readonly nodeId: string | null;
  private readonly statistics: ReadonlyMap<EndpointId, number[]>;
  private readonly load = new LoadAverages();
  private connectedMaximum = 0;

  constructor(statistics: ReadonlyMap<EndpointId, number[]>, prefix: string, nodeId: string | null) {
    this.statistics = statistics;
    this.prefix = prefix;
    this.nodeId = nodeId;
  }

  /** Called every so many seconds. `own`: what this worker counts. */
  tick(own: readonly number[], seconds: number): void {
    const totals = this.totals(own);
    this.load.add(totals, seconds);
    this.connectedMaximum = Math.max(this.connectedMaximum, totals[0]);
  }

  private totals(own: readonly number[]): number[] {
    const { nodeId, statistics } = this;
    const totals = [...own];
    for (const [endpoint, others] of statistics) {
      // Of another release, that counts other things.
      if (others.length !== counters.length) continue;
      const isHere = nodeId === null || nodeOf(endpoint) === nodeId;
      for (const [at, { ofCluster }] of counters.entries()) if (isHere || ofCluster) totals[at] += others[at];
    }
    return totals;
  }

  /** Each topic with its text. */
  addTo(values: Map<string, string>, own: readonly number[]): void {
    const totals = this.totals(own);
    const of = (name: string): number => totals[counters.findIndex((counter) => counter.name === name)];
    const set = (name: string, value: number): void => {
      values.set(this.prefix + name, String(value));
    };
    for (const [at, { name }] of counters.entries()) if (name.includes('/')) set(name, totals[at]);
    const connected = of('clients/connected');
    const disconnected = Math.max(0, of('durable sessions') - of('durable sessions connected'));
    const stored = of('retained messages/count') + of('messages waiting');
    set('clients/active', connected);
    set('clients/disconnected', disconnected);
    set('clients/inactive', disconnected);
    set('clients/total', connected + disconnected);
    set('clients/maximum', Math.max(this.connectedMaximum, connected));
    set('messages/stored', stored);
    set('store/messages/count', stored);
    for (const [row, { load }] of loads.entries())
      for (const [column, minutes] of loadMinutes.entries())
        values.set(`${this.prefix}load/${load}/${minutes}min`, this.load.averages[row][column].toFixed(2));
  }
}

/** `a` of `a/0#17…`. */
function nodeOf(endpoint: EndpointId): string {
  return endpoint.slice(0, endpoint.lastIndexOf('/'));
}

export class SysTopics {
  private readonly parts: SysTopicsParts;
  private readonly startedAt: number;
  private readonly totals: readonly Totals[];
  private lastAt: number;

  constructor(parts: SysTopicsParts) {
    this.parts = parts;
    const { statistics } = parts.cluster;
    this.startedAt = parts.clock.now();
    this.lastAt = this.startedAt;
    this.totals = [
      new Totals(statistics, '$SYS/broker/', nodeOf(parts.self)),
      new Totals(statistics, '$SYS/cluster/', null),
    ];
  }

  private own(): number[] {
    return counters.map((counter) => counter.value(this.parts));
  }

  private values(own: readonly number[]): Map<string, string> {
    const { parts } = this;
    const values = new Map<string, string>();
    values.set('$SYS/broker/version', `dunlin version ${parts.version}`);
    values.set('$SYS/broker/uptime', `${Math.floor((parts.clock.now() - this.startedAt) / 1000)} seconds`);
    for (const totals of this.totals) totals.addTo(values, own);
    return values;
  }

  /** Called every `sysIntervalSeconds`. */
  publish(): void {
    const { parts } = this;
    const own = this.own();
    parts.cluster.broadcastStatistics(own);
    const now = parts.clock.now();
    for (const totals of this.totals) totals.tick(own, (now - this.lastAt) / 1000);
    this.lastAt = now;
    for (const [topic, value] of this.values(own)) {
      const bytes = Buffer.from(topic);
      const match = parts.matches.find(bytes, 0, bytes.length);
      if (match.all.length > 0)
        deliverQos0(parts.delivery, publicationOf(topic, Buffer.from(value), 0, true), match.all);
    }
  }

  /** The current values for a new subscription, as retained messages. */
  replay(subscription: Subscription): void {
    if (!subscription.filter.startsWith('$SYS/')) return; // leading wildcards do not match $ [MQTT-4.7.2-1]
    for (const [topic, value] of this.values(this.own())) {
      if (!topicMatchesFilter(topic, subscription.filter)) continue;
      this.parts.delivery.send(publicationOf(topic, Buffer.from(value), 0, true), subscription, true);
    }
  }
}
