import type { DropReason } from '@dunlin/broker/ports';

/** Figures of one worker, as it answers the question `node`. Counts are since its start, rates are a second. */
export interface WorkerFiguresRecord {
  version: string;
  runtime: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  /** Reasons why its node is not ready; empty: it is. */
  notReady: string[];
  connections: number;
  subscriptions: number;
  /** Told by one worker of the cluster for all; 0 by the others. */
  sessionsStored: number;
  messagesRetained: number;
  messagesReceived: number;
  messagesSent: number;
  dropped: Partial<Record<DropReason, number>>;
  rates: { messagesReceived: number; messagesSent: number; dropped: number };
  hasStore: boolean;
  hasBackplane: boolean;
  /** Other endpoints that it knows. */
  endpoints: number;
  memoryBytes: number;
}
