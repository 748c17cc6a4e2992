import type { Broker } from '../../src/broker.ts';

/** A session as tests see it. */
export interface SessionView {
  readonly hasWill: boolean;
  /** Filters, in the order in which they were subscribed. */
  readonly filters: readonly string[];
  /** Messages sent to the client and not yet through their handshake. */
  readonly outbound: number;
  /** Bytes of those that may be sent again. */
  readonly outboundBytes: number;
  /** QoS 2 messages of the client that are not released. */
  readonly inbound: number;
  /** Messages that wait behind the window. */
  readonly waiting: number;
  readonly waitingBytes: number;
}

/**
 * State within a worker that tests look at, beside what clients see, metrics and the log: in one place, so that a
 * change of the broker's parts is followed here alone.
 */
export class WorkerView {
  private readonly broker: Broker;

  constructor(broker: Broker) {
    this.broker = broker;
  }

  get sessions(): number {
    return this.broker.sessions.count;
  }

  /** Null: no session of this client is here. */
  session(clientId: string): SessionView | null {
    const session = this.broker.sessions.get(clientId);
    if (session === undefined) return null;
    return {
      hasWill: session.will !== null,
      filters: [...session.subscriptions.keys()],
      outbound: session.outbound?.count ?? 0,
      outboundBytes: session.outbound?.bytes ?? 0,
      inbound: session.inbound?.count ?? 0,
      waiting: session.waiting?.length ?? 0,
      waitingBytes: session.waiting?.bytes ?? 0,
    };
  }

  /** Copies of the messages that wait longest in the sessions of these clients. */
  firstWaiting(clientIds: readonly string[]): Set<Buffer | undefined> {
    const { sessions } = this.broker;
    return new Set(clientIds.map((clientId) => sessions.get(clientId)?.waiting?.first?.publication.bytes));
  }

  /** Clients that are over a rate. */
  get restingClients(): number {
    return this.broker.rates.parts.resting.count;
  }

  /** True when the tree has no filter: no subscription, no route, no durable filter. */
  get hasNoFilters(): boolean {
    return this.broker.tree.isEmpty;
  }

  hasFilter(filter: string): boolean {
    return this.broker.tree.find(filter) !== null;
  }

  /** True when messages of this filter are stored in a log. */
  hasLog(filter: string): boolean {
    return (this.broker.tree.find(filter)?.log ?? null) !== null;
  }

  get durableFilters(): number {
    return this.broker.durableFilters.size;
  }

  /** Shared groups that this worker leads. */
  get groupsLed(): number {
    return this.broker.groups.ledCount;
  }

  groupLags(): { group: string; lag: number }[] {
    return [...this.broker.groups.lags()];
  }

  /** True when this worker does the scheduled jobs of the cluster. */
  get isLeader(): boolean {
    return this.broker.cluster.isLeader;
  }
}
