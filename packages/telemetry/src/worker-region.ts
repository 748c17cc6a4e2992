/**
 * Way of a worker's numbers to the supervisor: a region of shared memory, one slot for each number of the table,
 * written by that worker alone. Both sides make the same list of slots from the table and the names of the listeners.
 *
 * ```
 *   worker   figures ── write ──> │ 12 │ 0 │ 7 │ … │  Float64Array over shared memory
 *   supervisor          <── read ──────────┘
 * ```
 */
import { metricRows } from './metric-names.ts';
import type { Sample, WorkerRow } from './metric-rows.ts';
import type { WorkerFigures } from './worker-figures.ts';

/** The rows that workers count, in the order of the table. */
export const workerRows = metricRows.filter((row): row is WorkerRow => row.merge !== 'node');

/** Slots of a region, row by row. */
export function slotsOf(listeners: readonly string[]): Sample<WorkerFigures>[][] {
  return workerRows.map((row) => row.samples(listeners));
}

/** The side of the worker. */
export class WorkerRegion {
  readonly #figures: WorkerFigures;
  readonly #slots: readonly Sample<WorkerFigures>[];
  readonly #memory: Float64Array;

  /** `memory`: as `NodeMetrics.attach` made it for the same listeners. */
  constructor(figures: WorkerFigures, listeners: readonly string[], memory: SharedArrayBuffer) {
    this.#figures = figures;
    this.#slots = slotsOf(listeners).flat();
    this.#memory = new Float64Array(memory);
  }

  write(): void {
    for (let at = 0; at < this.#slots.length; at++) this.#memory[at] = this.#slots[at].read(this.#figures);
  }
}
