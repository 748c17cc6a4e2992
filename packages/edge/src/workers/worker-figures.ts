import type { Broker } from '@dunlin/broker';
import type { WorkerFiguresRecord } from '../api/node-figures.ts';
import { threadMemory } from '../thread-memory.ts';

/** Seconds that rates are averages of. */
const rateSeconds = 5;

interface Sample {
  at: number;
  received: number;
  sent: number;
  dropped: number;
}

/** Facts that a worker has beside its broker. */
export interface WorkerFacts {
  version: string;
  notReady: () => string[];
  hasStore: () => boolean;
  hasBackplane: () => boolean;
}

/** Figures of a worker for whoever asks. Costs a look at four counters a second, and nothing for a packet. */
export class WorkerFigureBook {
  readonly #broker: Broker;
  readonly #facts: WorkerFacts;
  readonly #samples: Sample[] = [];

  constructor(broker: Broker, facts: WorkerFacts) {
    this.#broker = broker;
    this.#facts = facts;
  }

  /** Called each second. */
  sample(): void {
    const { publishesReceived: received, publishesSent: sent } = this.#broker.metrics;
    this.#samples.push({ at: performance.now(), received, sent, dropped: this.#lost() });
    if (this.#samples.length > rateSeconds + 1) this.#samples.shift();
  }

  /** Messages that were dropped though somebody wanted them. */
  #lost(): number {
    let sum = 0;
    const { dropped } = this.#broker.metrics;
    for (const reason in dropped) if (reason !== 'no-subscriber') sum += dropped[reason as keyof typeof dropped];
    return sum;
  }

  record(): WorkerFiguresRecord {
    const { metrics, cluster, connectionCount } = this.#broker;
    this.#broker.observe();
    const { heap, buffers } = threadMemory();
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    const seconds = first === undefined || last === undefined ? 0 : (last.at - first.at) / 1000;
    const rate = (value: (sample: Sample) => number): number =>
      first === undefined || last === undefined || seconds === 0 ? 0 : (value(last) - value(first)) / seconds;
    const dropped = Object.entries(metrics.dropped).filter(([, count]) => count > 0);
    return {
      version: this.#facts.version,
      runtime: process.version,
      startedAt: performance.timeOrigin,
      notReady: this.#facts.notReady(),
      connections: connectionCount,
      subscriptions: metrics.subscriptions,
      sessionsStored: metrics.sessionsStored,
      messagesRetained: metrics.messagesRetained,
      messagesReceived: metrics.publishesReceived,
      messagesSent: metrics.publishesSent,
      dropped: Object.fromEntries(dropped),
      rates: {
        messagesReceived: rate(({ received }) => received),
        messagesSent: rate(({ sent }) => sent),
        dropped: rate(({ dropped: lost }) => lost),
      },
      hasStore: this.#facts.hasStore(),
      hasBackplane: this.#facts.hasBackplane(),
      endpoints: cluster.others,
      memoryBytes: heap + buffers,
    };
  }
}
