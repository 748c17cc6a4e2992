import { Counter, Trend } from 'k6/metrics';
import type { Clock } from './clock.ts';
import {
  type CounterName,
  type MetricName,
  type MetricRow,
  metricNames,
  metricTable,
  slotCount,
  slotSeconds,
  type TrendName,
} from './metric-table.ts';
import type { Settings } from './settings.ts';

const slotTags = Array.from({ length: slotCount }, (_, slot) => ({ slot: String(slot) }));

/** The metrics of a run. To be made while k6 loads the script, as all of its metrics. */
export class Metrics {
  readonly #metrics: Record<MetricName, Trend | Counter>;
  readonly #slotMilliseconds: number;

  constructor(settings: Settings) {
    this.#metrics = {} as Record<MetricName, Trend | Counter>;
    for (const name of metricNames) {
      this.#metrics[name] = metricTable[name].kind === 'trend' ? new Trend(name, true) : new Counter(name);
    }
    this.#slotMilliseconds = slotSeconds(settings) * 1000;
  }

  /** Adds to a counter, or a value in milliseconds to a trend; to the slot of now as well, if the metric is drawn over time. */
  add(name: CounterName | TrendName, value: number, clock: Clock): void {
    const row: MetricRow = metricTable[name];
    if (row.isSeries !== true) this.#metrics[name].add(value);
    else this.#metrics[name].add(value, slotTags[this.#slot(clock)]);
  }

  /** Makes every counter exist: k6 leaves out of its summary what was never added to. */
  addZeros(): void {
    for (const name of metricNames) {
      if (metricTable[name].kind === 'counter') this.#metrics[name].add(0);
    }
  }

  #slot(clock: Clock): number {
    return Math.min(slotCount - 1, Math.floor(clock.sinceStart() / this.#slotMilliseconds));
  }
}
