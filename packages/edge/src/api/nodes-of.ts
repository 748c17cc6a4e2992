import type { Gathered, Part } from './gathering.ts';
import type { WorkerFiguresRecord } from './node-figures.ts';

/** A node as the API shows it: the figures of its workers together. */
export interface NodeRecord {
  node: string;
  version: string;
  runtime: string;
  startedAt: string;
  ready: boolean;
  notReady: string[];
  workers: number;
  connections: number;
  subscriptions: number;
  messagesReceived: number;
  messagesSent: number;
  dropped: Record<string, number>;
  rates: { messagesReceived: number; messagesSent: number; dropped: number };
  store: boolean;
  backplane: boolean;
  memoryBytes: number;
}

function sumOf(parts: readonly Part<WorkerFiguresRecord>[], value: (figures: WorkerFiguresRecord) => number): number {
  return parts.reduce((sum, part) => sum + value(part.value), 0);
}

/** Totals of figures, whatever node they are of. */
export function totalsOf(parts: readonly Part<WorkerFiguresRecord>[]) {
  const dropped: Record<string, number> = {};
  for (const { value } of parts)
    for (const [reason, count] of Object.entries(value.dropped)) dropped[reason] = (dropped[reason] ?? 0) + count;
  const tenth = (rate: number): number => Math.round(rate * 10) / 10;
  return {
    connections: sumOf(parts, (figures) => figures.connections),
    subscriptions: sumOf(parts, (figures) => figures.subscriptions),
    messagesReceived: sumOf(parts, (figures) => figures.messagesReceived),
    messagesSent: sumOf(parts, (figures) => figures.messagesSent),
    dropped,
    rates: {
      messagesReceived: tenth(sumOf(parts, ({ rates }) => rates.messagesReceived)),
      messagesSent: tenth(sumOf(parts, ({ rates }) => rates.messagesSent)),
      dropped: tenth(sumOf(parts, ({ rates }) => rates.dropped)),
    },
  };
}

export function nodesOf({ parts }: Gathered<WorkerFiguresRecord>): NodeRecord[] {
  const byNode = Map.groupBy(parts, ({ node }) => node);
  const nodes = [...byNode].map(([node, workers]) => {
    const figures = workers.map(({ value }) => value);
    const notReady = [...new Set(figures.flatMap((each) => each.notReady))];
    return {
      node,
      version: figures[0].version,
      runtime: figures[0].runtime,
      startedAt: new Date(Math.min(...figures.map(({ startedAt }) => startedAt))).toISOString(),
      ...{ ready: notReady.length === 0, notReady, workers: workers.length },
      ...totalsOf(workers),
      store: figures.every(({ hasStore }) => hasStore),
      backplane: figures.every(({ hasBackplane }) => hasBackplane),
      memoryBytes: sumOf(workers, (each) => each.memoryBytes),
    };
  });
  return nodes.sort((one, other) => (one.node < other.node ? -1 : 1));
}
