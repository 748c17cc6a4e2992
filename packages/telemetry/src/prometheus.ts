import type { Metric, Registry } from 'prom-client';
import { metricRows } from './metric-names.ts';
import type { MetricRow, Sample } from './metric-rows.ts';
import type { NodeFigures } from './node-figures.ts';
import type { WorkerFigures } from './worker-figures.ts';
import { slotsOf, workerRows } from './worker-region.ts';

interface Value {
  labels: Record<string, string>;
  value: number;
  metricName: string;
}

/** Counts of one place in the worker pool: of the worker that runs there now, and of those before it. */
interface WorkerCounts {
  live: Float64Array | null;
  /** Counts of earlier workers, of counters and histograms alone: a gauge dies with its worker. */
  before: Float64Array;
}

/**
 * The metrics of a node in the exposition format of Prometheus: what its workers count in shared memory, added up, and what its supervisor knows. Counters do not go
 * back when a worker dies and another takes its place.
 */
export class NodeMetrics {
  readonly #slots: Sample<WorkerFigures>[][];
  readonly #length: number;
  readonly #workers = new Map<number, WorkerCounts>();
  #registry: Promise<Registry> | null = null;
  #node: NodeFigures | null = null;

  /** `listeners`: their names, as the workers are given them. */
  constructor(listeners: readonly string[]) {
    this.#slots = slotsOf(listeners);
    this.#length = this.#slots.flat().length;
  }

  /** Loaded when somebody asks for the first time. */
  async #makeRegistry(): Promise<Registry> {
    const { Registry } = await import('prom-client');
    const registry = new Registry();
    for (const row of metricRows) {
      // The registry writes what it is given: it asks each metric for its values, and these are read where they are counted.
      const { name, help, type } = row;
      const get = async () => ({ name, help, type, aggregator: 'sum', values: this.#valuesOf(row) });
      registry.registerMetric({ name, help, type, get } as unknown as Metric);
    }
    return registry;
  }

  /** Memory for a worker that begins. One that sat there before has ended. */
  attach(worker: number): SharedArrayBuffer {
    this.detach(worker);
    const memory = new SharedArrayBuffer(this.#length * Float64Array.BYTES_PER_ELEMENT);
    const before = this.#workers.get(worker)?.before ?? new Float64Array(this.#length);
    this.#workers.set(worker, { live: new Float64Array(memory), before });
    return memory;
  }

  /** The worker has ended: what it counted stays. */
  detach(worker: number): void {
    const counts = this.#workers.get(worker);
    if (counts === undefined || counts.live === null) return;
    let at = 0;
    for (const [index, samples] of this.#slots.entries()) {
      const isKept = workerRows[index].type !== 'gauge';
      for (let left = samples.length; left > 0; left--, at++) if (isKept) counts.before[at] += counts.live[at];
    }
    counts.live = null;
  }

  /** All of it as text. The workers have written what they count. */
  async text(node: NodeFigures): Promise<{ contentType: string; text: string }> {
    this.#registry ??= this.#makeRegistry();
    const registry = await this.#registry;
    const heapBytes = node.heapBytes + this.#liveSum('dunlin_worker_heap_bytes');
    const externalBytes = node.externalBytes + this.#liveSum('dunlin_worker_external_bytes');
    this.#node = { ...node, heapBytes, externalBytes };
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  /** The place of a row's first number in the memory of a worker. */
  #startOf(name: string): number {
    let start = 0;
    for (let at = 0; workerRows[at].name !== name; at++) start += this.#slots[at].length;
    return start;
  }

  /** Sum of a gauge with one number over all workers that live. */
  #liveSum(name: string): number {
    const at = this.#startOf(name);
    return [...this.#workers.values()].reduce((sum, { live }) => sum + (live?.[at] ?? 0), 0);
  }

  #valuesOf(row: MetricRow): Value[] {
    if (row.merge === 'node') {
      const node = this.#node as NodeFigures;
      return row.samples(node).map((sample) => value(row, sample, [], sample.read(node)));
    }
    const start = this.#startOf(row.name);
    const samples = this.#slots[workerRows.indexOf(row)];
    if (row.merge === 'each')
      return [...this.#workers].flatMap(([worker, counts]) =>
        samples.map((sample, at) => value(row, sample, [String(worker)], readCounts(counts, start + at))),
      );
    const all = [...this.#workers.values()];
    return samples.map((sample, at) => {
      const each = all.map((counts) => readCounts(counts, start + at));
      // A worker that is being replaced knows nothing, and reaches nothing; nor does a node that has no worker yet.
      const least = each.length === 0 ? 0 : Math.min(...each);
      const merged = row.merge === 'sum' ? each.reduce((sum, one) => sum + one, 0) : least;
      return value(row, sample, [], merged);
    });
  }
}

function readCounts({ live, before }: WorkerCounts, at: number): number {
  return before[at] + (live?.[at] ?? 0);
}

function value(row: MetricRow, sample: Sample<never>, first: readonly string[], number: number): Value {
  const names = sample.suffix === '_bucket' ? [...row.labels, 'le'] : row.labels;
  const values = [...first, ...sample.labels];
  const labels = Object.fromEntries(names.map((name, at) => [name, values[at]]));
  return { labels, value: number, metricName: row.name + sample.suffix };
}
