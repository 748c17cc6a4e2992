/**
 * `$SYS/broker/…`, with the names Mosquitto uses: what this node counts, over all its workers (features F3). Published to local subscribers
 * every few seconds, and to a new subscriber at once; never stored, never taken from clients.
 */
import { topicMatchesFilter } from '@dunlin/protocol';
import type { Broker } from './broker.ts';
import { deliverQos0 } from './deliver.ts';
import { publicationOf } from './publish-in-place.ts';
import type { Subscription } from './subscription.ts';

/** Each topic below `$SYS/broker/` with the counter of one worker; workers' counters are added up. */
const counters: readonly { topic: string; value: (broker: Broker) => number }[] = [
  { topic: 'clients/connected', value: (broker) => broker.sessions.count },
  { topic: 'clients/active', value: (broker) => broker.sessions.count },
  { topic: 'clients/total', value: (broker) => broker.metrics.connectionsOpened },
  { topic: 'messages/received', value: (broker) => broker.metrics.publishesReceived },
  { topic: 'messages/sent', value: (broker) => broker.metrics.publishesSent },
  { topic: 'publish/messages/received', value: (broker) => broker.metrics.publishesReceived },
  { topic: 'publish/messages/sent', value: (broker) => broker.metrics.publishesSent },
  { topic: 'publish/messages/dropped', value: (broker) => droppedMessages(broker) },
  { topic: 'bytes/received', value: (broker) => broker.metrics.bytesReceived },
  { topic: 'bytes/sent', value: (broker) => broker.metrics.bytesSent },
  {
    topic: 'subscriptions/count',
    value: (broker) => broker.metrics.subscriptionsAdded - broker.metrics.subscriptionsRemoved,
  },
];

/** A publish that nobody subscribed to is no loss, and not counted here. */
function droppedMessages(broker: Broker): number {
  let sum = 0;
  for (const [reason, count] of Object.entries(broker.metrics.dropped)) if (reason !== 'no-subscriber') sum += count;
  return sum;
}

export class SysTopics {
  private readonly broker: Broker;
  private readonly startedAt: number;

  constructor(broker: Broker) {
    this.broker = broker;
    this.startedAt = broker.clock.now();
  }

  private values(): Map<string, string> {
    const { broker } = this;
    const sums = counters.map((counter) => counter.value(broker));
    for (const others of broker.cluster.statistics.values())
      others.forEach((value, i) => {
        sums[i] += value;
      });
    const values = new Map(counters.map((counter, i) => [`$SYS/broker/${counter.topic}`, String(sums[i])]));
    values.set('$SYS/broker/version', `dunlin version ${broker.version}`);
    values.set('$SYS/broker/uptime', `${Math.floor((broker.clock.now() - this.startedAt) / 1000)} seconds`);
    return values;
  }

  /** Called every `sysIntervalSeconds`. */
  publish(): void {
    const { broker } = this;
    broker.cluster.broadcastStatistics(counters.map((counter) => counter.value(broker)));
    for (const [topic, value] of this.values()) {
      const bytes = Buffer.from(topic);
      const match = broker.matches.find(bytes, 0, bytes.length);
      if (match.all.length > 0)
        deliverQos0(broker.delivery, publicationOf(topic, Buffer.from(value), 0, true), match.all, null);
    }
  }

  /** The current values for a new subscription, as retained messages. */
  replay(subscription: Subscription): void {
    if (subscription.filter.charCodeAt(0) !== 0x24) return; // leading wildcards do not match $ [MQTT-4.7.2-1]
    for (const [topic, value] of this.values()) {
      if (!topicMatchesFilter(topic, subscription.filter)) continue;
      this.broker.delivery.send(publicationOf(topic, Buffer.from(value), 0, true), subscription, true);
    }
  }
}
