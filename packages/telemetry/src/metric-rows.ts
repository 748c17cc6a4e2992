/** Types of a row of the table of metrics (metric-names.ts), and short words for the usual kinds of rows. */
import type { Histogram, ListenerMetrics, Metrics } from '@dunlin/broker';
import type { NodeFigures } from './node-figures.ts';
import { WorkerFigures } from './worker-figures.ts';

/** Number of a metric: its labels and the field that counts it. */
export interface Sample<Source> {
  /** Values in the order of the row's labels. For a bucket of a histogram `le` follows. */
  labels: readonly string[];
  /** Suffix for histograms: `_bucket`, `_sum`, `_count`; else empty. */
  suffix: string;
  read(source: Source): number;
}

interface RowText {
  /** `process_`: what every program counts alike has the name that it has everywhere. */
  name: `dunlin_${string}` | `process_${string}`;
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: readonly string[];
}

/** A metric of the workers. */
export interface WorkerRow extends RowText {
  /**
   * Merge of the values of several workers: their sum, their least; `each`: they stand apart, under the label `worker`.
   */
  merge: 'sum' | 'least' | 'each';
  samples(listeners: readonly string[]): Sample<WorkerFigures>[];
}

/** A metric of the node as a whole, told by its supervisor. */
export interface NodeRow extends RowText {
  merge: 'node';
  /** Samples at this moment: which ones there are may depend on what the node serves. */
  samples(node: NodeFigures): Sample<NodeFigures>[];
}

export type MetricRow = WorkerRow | NodeRow;

/** A value of the broker alone, without labels. */
export function one(read: (metrics: Metrics) => number): WorkerRow['samples'] {
  return () => [{ labels: [], suffix: '', read: ({ broker }) => read(broker) }];
}

/** Makes one sample for each value of a label. */
export function by<Value extends string>(
  values: readonly Value[],
  read: (metrics: Metrics, value: Value) => number,
): WorkerRow['samples'] {
  return () => values.map((value) => ({ labels: [value], suffix: '', read: ({ broker }) => read(broker, value) }));
}

/** Makes one sample for each listener and each value of a second label. */
export function byListener<Value extends string>(
  values: readonly Value[],
  read: (listener: ListenerMetrics, value: Value) => number,
): WorkerRow['samples'] {
  return (listeners) =>
    listeners.flatMap((name) =>
      values.map((value) => ({
        labels: value === '' ? [name] : [name, value],
        suffix: '',
        read: ({ broker }) => read(broker.listener(name), value),
      })),
    );
}

/** The samples of one histogram: buckets that are added up, sum, count. */
export function histogram(
  labels: readonly string[],
  find: (figures: WorkerFigures) => Histogram,
): Sample<WorkerFigures>[] {
  const { bounds } = find(new WorkerFigures([]));
  const upTo = (end: number) => (figures: WorkerFigures) => {
    const { counts } = find(figures);
    let sum = 0;
    for (let at = 0; at <= end; at++) sum += counts[at];
    return sum;
  };
  return [
    ...bounds.map((bound, at) => ({ labels: [...labels, String(bound)], suffix: '_bucket', read: upTo(at) })),
    { labels: [...labels, '+Inf'], suffix: '_bucket', read: upTo(bounds.length) },
    { labels, suffix: '_sum', read: (figures) => find(figures).sumSeconds },
    { labels, suffix: '_count', read: upTo(bounds.length) },
  ];
}
