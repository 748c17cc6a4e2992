import {
  type MetricName,
  type MetricRow,
  metricNames,
  metricTable,
  slotCount,
  slotMetric,
  slotSeconds,
} from './metric-table.ts';
import { describeSettings, type Settings } from './settings.ts';

/** Data that k6 hands to `handleSummary`, as far as it is used here. */
export interface SummaryData {
  readonly state: { readonly testRunDurationMs: number };
  readonly metrics: Readonly<Record<string, SummaryMetric | undefined>>;
}
export interface SummaryMetric {
  readonly values: Readonly<Record<string, number>>;
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>;
}

/** A condition and what became of it. */
export interface ThresholdResult {
  readonly metric: string;
  readonly condition: string;
  /** The value that the condition is about. */
  readonly value: number;
  readonly isMet: boolean;
}

/** The distribution of a trend, in milliseconds. */
export interface TrendResult {
  readonly metric: string;
  readonly count: number;
  readonly mean: number;
  /** Quantiles by the names in `quantileNames`. */
  readonly quantiles: Readonly<Record<string, number>>;
}

/** A metric over the time of the run: one value for each slot, null where there was nothing. */
export interface Series {
  readonly metric: MetricName;
  /** `p(99)` and so on, in milliseconds; `rate`: a second. */
  readonly statistic: string;
  readonly values: readonly (number | null)[];
}

export interface Report {
  readonly scenario: string;
  readonly settings: readonly (readonly [variable: string, value: string])[];
  readonly runSeconds: number;
  readonly isPassed: boolean;
  readonly thresholds: readonly ThresholdResult[];
  readonly trends: readonly TrendResult[];
  readonly counters: readonly { readonly metric: string; readonly count: number }[];
  readonly slotSeconds: number;
  readonly series: readonly Series[];
}

/** Quantiles from the fastest to the slowest; k6's names and how people write them. */
export const quantileNames = {
  min: 'min',
  med: 'p50',
  'p(90)': 'p90',
  'p(95)': 'p95',
  'p(99)': 'p99',
  'p(99.9)': 'p99.9',
  max: 'max',
} as const;
const quantiles = Object.keys(quantileNames);

/** Quantiles of a trend over time: these lines. */
const seriesQuantiles = ['med', 'p(95)', 'p(99)', 'max'];

/** Brings what k6 counted into the form that all summaries are made of. */
export function makeReport(settings: Settings, data: SummaryData): Report {
  const thresholds = thresholdResults(data);
  return {
    scenario: settings.scenario,
    settings: describeSettings(settings),
    runSeconds: data.state.testRunDurationMs / 1000,
    isPassed: thresholds.every(({ isMet }) => isMet),
    thresholds,
    trends: metricNames.flatMap((name) => trendResult(name, data)),
    counters: metricNames
      .filter((name) => metricTable[name].kind === 'counter')
      .map((metric) => ({ metric, count: data.metrics[metric]?.values.count ?? 0 })),
    slotSeconds: slotSeconds(settings),
    series: metricNames.flatMap((name) => seriesOf(name, settings, data)),
  };
}

function thresholdResults(data: SummaryData): ThresholdResult[] {
  // Those with a tag only make k6 keep the parts of a series.
  const names = Object.keys(data.metrics).filter((name) => !name.includes('{'));
  return names.sort().flatMap((metric) => {
    const { thresholds = {}, values } = data.metrics[metric] as SummaryMetric;
    return Object.entries(thresholds).map(([condition, { ok }]) => {
      const statistic = condition.slice(0, condition.search(/[<>=!]/)).trim();
      return { metric, condition, value: values[statistic] ?? 0, isMet: ok };
    });
  });
}

function trendResult(metric: MetricName, data: SummaryData): TrendResult[] {
  const values = data.metrics[metric]?.values;
  if (metricTable[metric].kind !== 'trend' || values === undefined || !(values.count > 0)) return [];
  return [
    {
      metric,
      count: values.count,
      mean: values.avg,
      quantiles: Object.fromEntries(quantiles.map((name) => [name, values[name] ?? 0])),
    },
  ];
}

function seriesOf(metric: MetricName, settings: Settings, data: SummaryData): Series[] {
  const row: MetricRow = metricTable[metric];
  if (row.isSeries !== true) return [];
  const seconds = slotSeconds(settings);
  const used = Math.min(slotCount, Math.ceil(data.state.testRunDurationMs / 1000 / seconds));
  const slots = Array.from({ length: used }, (_, slot) => data.metrics[slotMetric(metric, slot)]?.values ?? {});
  if (!slots.some(({ count }) => count > 0)) return [];
  if (row.kind === 'counter') {
    // The last slots are shorter, or take the rest of the run.
    const rate = slots.map(({ count = 0 }, slot) => count / slotLength(slot, used, seconds, data));
    return [{ metric, statistic: 'rate', values: rate }];
  }
  return seriesQuantiles.map((statistic) => ({
    metric,
    statistic,
    values: slots.map((values) => (values.count > 0 ? (values[statistic] ?? null) : null)),
  }));
}

function slotLength(slot: number, used: number, seconds: number, data: SummaryData): number {
  const rest = data.state.testRunDurationMs / 1000 - slot * seconds;
  // Never so short that a single message would look like a flood.
  return slot === used - 1 ? Math.max(rest, seconds / 2) : seconds;
}
