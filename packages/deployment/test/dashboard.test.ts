import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { programPath } from '../src/programs.ts';
import {
  type AlertRule,
  groupingsOf,
  metricLabels,
  metricNamesOf,
  readAlerts,
  readDashboard,
  rulesFile,
  selectorsOf,
} from '../src/questions.ts';
import { repositoryRoot } from '../src/repository-root.ts';

const run = promisify(execFile);
const casesFile = join(import.meta.dirname, 'alert-cases.yaml');
const gridColumns = 24;
/** Labels that Prometheus itself adds, and the operator in Kubernetes. */
const targetLabels = ['job', 'instance', 'namespace', 'service'];

const dashboard = readDashboard();
const alerts = readAlerts();
const labelsOf = metricLabels();
const panels = dashboard.panels.filter(({ type }) => type !== 'row');

/** Mistakes in the metrics and labels of a query. */
function mistakes(expr: string): string[] {
  const selectors = selectorsOf(expr);
  const known = new Set([...targetLabels, ...selectors.flatMap(({ metric }) => labelsOf.get(metric) ?? [])]);
  return [
    ...metricNamesOf(expr)
      .filter((name) => !labelsOf.has(name))
      .map((name) => `there is no metric ${name}`),
    ...metricNamesOf(expr)
      .filter((name) => !selectors.some(({ metric }) => metric === name))
      .map((name) => `${name} of all jobs`),
    ...selectors.flatMap(({ metric, labels }) =>
      labels
        .filter((label) => !targetLabels.includes(label) && !labelsOf.get(metric)?.includes(label))
        .map((label) => `${metric} has no label ${label}`),
    ),
    ...selectors.filter(({ labels }) => !labels.includes('job')).map(({ text }) => `${text} is of any job`),
    ...groupingsOf(expr)
      .filter((label) => !known.has(label))
      .map((label) => `nothing has a label ${label}`),
  ];
}

describe('what finds mistakes', () => {
  test.each([
    ['sum(dunlin_nonsense{job="dunlin"})', 'there is no metric dunlin_nonsense'],
    ['sum(dunlin_ready)', 'dunlin_ready of all jobs'],
    ['dunlin_ready{instance="a"}', 'dunlin_ready{instance="a"} is of any job'],
    ['dunlin_ready{job="dunlin",reason="store"}', 'dunlin_ready has no label reason'],
    ['sum by (qos) (dunlin_ready{job="dunlin"})', 'nothing has a label qos'],
    ['rate(dunlin_link_seconds{job="dunlin"}[5m])', 'there is no metric dunlin_link_seconds'],
  ])('%s: %s', (expr, mistake) => {
    expect(mistakes(expr)).toContain(mistake);
  });
});

describe('the dashboard', () => {
  test('has one shape that Grafana takes: numbers once, panels side by side within 24 columns', () => {
    expect(dashboard).toMatchObject({ uid: 'dunlin', schemaVersion: 39 });
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(gridColumns);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x} ${y}`), `${title} lies on`).toBeUndefined();
          taken.set(`${x} ${y}`, title);
        }
      }
    }
  });

  test('explains every panel, names its unit, and what each line is', () => {
    expect(panels.length).toBeGreaterThan(40);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    for (const { title, description, fieldConfig, targets } of panels) {
      expect(description?.length, title).toBeGreaterThan(60);
      expect(fieldConfig?.defaults.unit, title).toMatch(/^(s|bytes|Bps|cps|percentunit|short|none)$/);
      expect(targets?.length, title).toBeGreaterThan(0);
      const refIds = targets?.map(({ refId }) => refId);
      expect(new Set(refIds).size).toBe(targets?.length);
      for (const { legendFormat } of targets ?? []) expect(legendFormat, title).not.toBe('');
    }
  });

  test('names in its descriptions only panels that it has', () => {
    const titles = panels.map(({ title }) => title);
    const texts = [
      ...panels.map(({ description = '' }) => description),
      ...alerts.map((rule) => rule.annotations.description),
    ];
    const named = texts.flatMap((text) =>
      [...text.matchAll(/(?:see|panel|then) "([^"]+)"/g)].map(([, title]) => title),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((title) => !titles.includes(title))).toEqual([]);
  });

  test('asks the source, the clusters and the nodes that are chosen', () => {
    const variables = Object.fromEntries(dashboard.templating.list.map((variable) => [variable.name, variable]));
    expect(variables.datasource).toMatchObject({ type: 'datasource', query: 'prometheus' });
    expect(Object.keys(variables)).toEqual(['datasource', 'namespace', 'service', 'node']);
    for (const name of ['namespace', 'service', 'node']) {
      expect(variables[name]).toMatchObject({ type: 'query', multi: true, includeAll: true, allValue: '.*' });
      expect(mistakes(variables[name].definition ?? '')).toEqual([]);
    }
    const source = { type: 'prometheus', uid: '$datasource' };
    for (const { title, datasource, targets = [] } of panels) {
      expect(datasource, title).toEqual(source);
      for (const target of targets) {
        expect(target.datasource, title).toEqual(source);
        for (const { text } of selectorsOf(target.expr))
          for (const label of ['namespace=~"$namespace"', 'service=~"$service"', 'instance=~"$node"'])
            expect(text, title).toContain(label);
      }
    }
  });

  test.each(panels.map((panel) => [panel.title, panel] as const))(
    '%s: metrics and labels are in the table',
    (_, panel) => {
      for (const { expr } of panel.targets ?? []) expect(mistakes(expr), expr).toEqual([]);
    },
  );

  test('shows every metric', () => {
    const shown = new Set(panels.flatMap(({ targets = [] }) => targets).flatMap(({ expr }) => metricNamesOf(expr)));
    const names = new Set([...labelsOf.keys()].map((name) => name.replace(/_(bucket|sum|count)$/, '')));
    names.delete('up');
    expect([...names].filter((name) => ![name, `${name}_bucket`].some((asked) => shown.has(asked)))).toEqual([]);
  });
});

interface AlertCase {
  readonly expr: string;
  readonly exp_samples: readonly { readonly labels: string; readonly value: number }[];
}

/** The cases of an alert, in alert-cases.yaml. */
async function casesOf({ alert }: AlertRule): Promise<AlertCase[]> {
  const { tests } = parse(await readFile(casesFile, 'utf8')) as { tests: { promql_expr_test: AlertCase[] }[] };
  const expr = `ALERTS{alertname="${alert}",alertstate="firing"}`;
  return tests.flatMap(({ promql_expr_test }) => promql_expr_test).filter((one) => one.expr === expr);
}

describe('the alerts', () => {
  test('promtool takes them, and each fires when it is to and not otherwise', async () => {
    await run(programPath('promtool'), ['check', 'rules', rulesFile]);
    await run(programPath('promtool'), ['test', 'rules', casesFile]);
  });

  test.each(alerts.map((rule) => [rule.alert, rule] as const))(
    '%s: explained, tried both ways, of metrics that there are',
    async (_, rule) => {
      expect(rule.labels.severity).toMatch(/^(critical|warning)$/);
      expect(rule.for).toMatch(/^\d+[mh]$/);
      expect(Object.keys(rule.annotations)).toEqual(['summary', 'description']);
      expect(rule.annotations.description.length).toBeGreaterThan(100);
      expect(mistakes(rule.expr)).toEqual([]);
      const cases = await casesOf(rule);
      const firing = cases.flatMap(({ exp_samples }) => exp_samples);
      expect(firing.length, 'a case in which it fires').toBeGreaterThan(0);
      expect(
        cases.some(({ exp_samples }) => exp_samples.length === 0),
        'a case in which it does not',
      ).toBe(true);
      // What its summary says of labels is there whenever it fires.
      const used = [...rule.annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => `${label}="`);
      for (const { labels } of firing) for (const label of used) expect(labels).toContain(label);
    },
  );

  test('are the table of docs/operations.md', async () => {
    const text = await readFile(join(repositoryRoot, 'docs', 'operations.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `(Dunlin\w+)` \| (\w+) \| (\w+) \| [^|]{10,} \|$/gm)];
    expect(rows.map(([, alert, severity, after]) => [alert, severity, after])).toEqual(
      alerts.map((rule) => [rule.alert, rule.labels.severity, rule.for]),
    );
  });
});
