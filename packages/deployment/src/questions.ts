import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { repositoryRoot } from './repository-root.ts';

/** Queries of dashboard and alerts to Prometheus. */

export interface GridPosition {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface DashboardPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: GridPosition;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: { readonly type: string; readonly uid: string };
  }[];
}

export interface DashboardDocument {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly multi?: boolean;
      readonly includeAll?: boolean;
      readonly allValue?: string;
      readonly definition?: string;
      readonly current: { readonly value: string | readonly string[] };
    }[];
  };
  readonly panels: readonly DashboardPanel[];
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const chart = join(repositoryRoot, 'charts', 'dunlin');
export const dashboardFile = join(chart, 'dashboards', 'dunlin.json');
export const rulesFile = join(chart, 'rules', 'dunlin.yaml');

export function readDashboard(): DashboardDocument {
  return JSON.parse(readFileSync(dashboardFile, 'utf8')) as DashboardDocument;
}

export function readAlerts(): AlertRule[] {
  const { groups } = parse(readFileSync(rulesFile, 'utf8')) as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** A question as Grafana asks it when all nodes are chosen; what a rate is taken over is at least four scrapes. */
export function asGrafanaAsks(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5s').replaceAll(/\$(namespace|service|node)/g, '.*');
}

/** A choice of series within a question: `up{job="dunlin"}`. */
export interface Selector {
  readonly text: string;
  readonly metric: string;
  /** Labels of its matchers. */
  readonly labels: readonly string[];
}

/** Every choice of series in a question. */
export function selectorsOf(expr: string): Selector[] {
  return [...expr.matchAll(/\b([a-z_:][\w:]*)\{([^}]*)\}/g)].map(([text, metric, matchers]) => ({
    ...{ text, metric },
    labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label]) => label),
  }));
}

/** The same choice with each value that its matchers name alone, so that a value that does not exist is noticed among others that do. */
export function alternativesOf({ text }: Selector): string[] {
  return [...text.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([\w-]+(?:\|[\w-]+)*)"/g)].flatMap(([matcher, label, values]) =>
    values.split('|').map((value) => text.replace(matcher, `${label}="${value}"`)),
  );
}

/** Labels that a question groups by. */
export function groupingsOf(expr: string): string[] {
  return [...expr.matchAll(/\b(?:by|on|group_left)\s*\(([^)]*)\)/g)].flatMap(([, labels]) =>
    labels
      .split(',')
      .map((label) => label.trim())
      .filter((label) => label !== ''),
  );
}

/** Names in a question that look like a metric of ours. */
export function metricNamesOf(expr: string): string[] {
  return [...expr.matchAll(/\bdunlin_\w+/g)].map(([name]) => name);
}

/** Labels of every metric, by its name as it is asked for, out of docs/metrics.md: `…_bucket`, `…_sum` and `…_count` for a histogram. */
export function metricLabels(): Map<string, readonly string[]> {
  const text = readFileSync(join(repositoryRoot, 'docs', 'metrics.md'), 'utf8');
  const table = new Map<string, readonly string[]>([['up', []]]);
  for (const [, name, type, cell] of text.matchAll(/^\| `(dunlin_\w+)` \| (\w+) \| ([^|]*)\|/gm)) {
    const labels = [...cell.matchAll(/`(\w+)`/g)].map(([, label]) => label);
    if (type !== 'histogram') table.set(name, labels);
    else
      for (const suffix of ['_bucket', '_sum', '_count'])
        table.set(name + suffix, suffix === '_bucket' ? [...labels, 'le'] : labels);
  }
  return table;
}
