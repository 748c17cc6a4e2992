/**
 * Types of a row of the table of panels (dashboard-panels.ts), and short words for the usual questions to Prometheus.
 */

/** A colour from a value on; the first holds below the second's. */
export type Thresholds = readonly [
  { readonly color: string; readonly value: null },
  { readonly color: string; readonly value: number },
];

/** A question to Prometheus, and the legend of each series that it gives. */
export type Target = readonly [expr: string, legend: string];

export interface Panel {
  readonly title: string;
  /** A time series unless said. */
  readonly kind?: 'stat';
  /** Unit as Grafana names it: `s`, `bytes`, `Bps`, `cps` (a second), `percentunit` (0 to 1), `short`, `none`. */
  readonly unit: string;
  /** Meaning of a bad value, and what to do. */
  readonly description: string;
  readonly targets: readonly Target[];
  readonly thresholds?: Thresholds;
  /** The top of the scale, where that is known. */
  readonly max?: number;
  readonly isStacked?: boolean;
}

/** A panel, or the heading of those that follow. */
export type PanelRow = Panel | { readonly row: string };

/** Thresholds for a value that is bad from `value` on. */
export function warnAbove(value: number): Thresholds {
  return [
    { color: 'green', value: null },
    { color: 'red', value },
  ];
}

/** Thresholds for a value that is bad below `value`. */
export function warnBelow(value: number): Thresholds {
  return [
    { color: 'red', value: null },
    { color: 'green', value },
  ];
}

const chosen = ['job="dunlin"', 'namespace=~"$namespace"', 'service=~"$service"', 'instance=~"$node"'];

/** The series of a metric at the nodes that were chosen, of the clusters that were chosen. */
export function selected(metric: string, matcher?: string): string {
  return `${metric}{${[...chosen, matcher].filter((part) => part !== undefined).join(', ')}}`;
}

/** Added up over the nodes. */
export function total(metric: string): string {
  return `sum(${selected(metric)})`;
}

/** Added up but for these labels, with commas. */
export function by(labels: string, metric: string): string {
  return `sum by (${labels}) (${selected(metric)})`;
}

/** The value of each node, of a metric that has one series there. */
export function each(metric: string, matcher?: string): string {
  return `max by (instance) (${selected(metric, matcher)})`;
}

/** Growth of a counter in a second, by these labels, or in all. */
export function rate(metric: string, labels?: string, matcher?: string): string {
  const sum = labels === undefined ? 'sum' : `sum by (${labels})`;
  return `${sum} (rate(${selected(metric, matcher)}[$__rate_interval]))`;
}

/** Longest time of this share of all cases, by these labels too. */
export function quantile(share: number, metric: string, labels?: string, matcher?: string): string {
  return `histogram_quantile(${share}, ${rate(`${metric}_bucket`, labels === undefined ? 'le' : `${labels}, le`, matcher)})`;
}

/** The half and the slowest hundredth of all cases. */
export function quantiles(metric: string, matcher?: string): Target[] {
  return [
    [quantile(0.5, metric, undefined, matcher), '50 %'],
    [quantile(0.99, metric, undefined, matcher), '99 %'],
  ];
}
