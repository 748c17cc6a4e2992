import { panelRows } from './dashboard-panels.ts';
import type { Panel, PanelRow, Thresholds } from './dashboard-rows.ts';

/** The grid of Grafana has 24 columns; heights are its units, about 30 pixels each. */
const gridColumns = 24;
const sizes = {
  stat: { w: 6, h: 4 },
  timeseries: { w: 8, h: 8 },
} as const;

/** Choices above the dashboard. Grafana takes the source of data it has when there is none of that name. */
const datasource = { type: 'prometheus', uid: '$datasource' };

/** Choice of some values of a label, of those that the choices before it leave. Clusters outside of Kubernetes may lack the label: `.*` takes them too. */
function choice(name: string, label: string, selector: string, value = name): object {
  const query = `label_values(up{${selector}}, ${value})`;
  return {
    ...{ name, label, type: 'query', datasource, definition: query, hide: 0, refresh: 2, sort: 1 },
    query: { query, refId: name },
    ...{ multi: true, includeAll: true, allValue: '.*', current: { text: ['All'], value: ['$__all'] } },
  };
}

const variables = [
  {
    ...{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', hide: 0, refresh: 1 },
    current: { text: 'Prometheus', value: 'prometheus' },
  },
  choice('namespace', 'Namespace', 'job="dunlin"'),
  choice('service', 'Service', 'job="dunlin", namespace=~"$namespace"'),
  choice('node', 'Node', 'job="dunlin", namespace=~"$namespace", service=~"$service"', 'instance'),
];

const noThresholds = [{ color: 'green', value: null }];

function fieldConfig({ unit, max, isStacked }: Panel, thresholds: Thresholds | undefined, isStat: boolean): object {
  const custom = {
    ...{ drawStyle: 'line', lineWidth: 1, fillOpacity: isStacked ? 30 : 8, showPoints: 'never', spanNulls: false },
    stacking: { mode: isStacked ? 'normal' : 'none', group: 'A' },
    thresholdsStyle: { mode: thresholds === undefined ? 'off' : 'dashed' },
  };
  const defaults = {
    ...{ unit, min: 0, ...(max === undefined ? {} : { max }) },
    color: { mode: isStat ? 'thresholds' : 'palette-classic' },
    thresholds: { mode: 'absolute', steps: thresholds ?? noThresholds },
    ...(isStat ? {} : { custom }),
  };
  return { defaults, overrides: [] };
}

const statOptions = {
  reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  ...{ colorMode: 'value', graphMode: 'area', justifyMode: 'auto', orientation: 'auto', textMode: 'value_and_name' },
};
const timeseriesOptions = {
  legend: { displayMode: 'table', placement: 'bottom', showLegend: true, calcs: ['lastNotNull', 'max'] },
  tooltip: { mode: 'multi', sort: 'desc' },
};

/** `gridPos`, `id`: where it is, and its number. */
function panelOf(panel: Panel, gridPos: object, id: number): object {
  const { title, description, kind, thresholds } = panel;
  const targets = panel.targets.map(([expr, legendFormat], at) => ({
    ...{ refId: String.fromCharCode('A'.charCodeAt(0) + at), datasource, expr, legendFormat, range: true },
  }));
  return {
    ...{ id, type: kind ?? 'timeseries', title, description, gridPos, datasource },
    fieldConfig: fieldConfig(panel, thresholds, kind === 'stat'),
    options: kind === 'stat' ? statOptions : timeseriesOptions,
    targets,
  };
}

/** Places panels from left to right, and begins a new line where one does not fit or is of another height. */
function layOut(rows: readonly PanelRow[]): object[] {
  let x = 0;
  let y = 0;
  let lineHeight = 0;
  const newLine = (): void => {
    x = 0;
    y += lineHeight;
    lineHeight = 0;
  };
  return rows.map((row, index) => {
    const id = index + 1;
    if ('row' in row) {
      newLine();
      const gridPos = { x: 0, y, w: gridColumns, h: 1 };
      y += 1;
      return { id, type: 'row', title: row.row, collapsed: false, gridPos, panels: [] };
    }
    const { w, h } = sizes[row.kind ?? 'timeseries'];
    if (x + w > gridColumns || (lineHeight > 0 && lineHeight !== h)) newLine();
    const gridPos = { x, y, w, h };
    x += w;
    lineHeight = h;
    return panelOf(row, gridPos, id);
  });
}

/** charts/dunlin/dashboards/dunlin.json, of the table of panels. */
export function dashboard(): string {
  const document = {
    ...{
      uid: 'dunlin',
      title: 'Dunlin',
      tags: ['mqtt'],
      schemaVersion: 39,
      version: 1,
      editable: true,
      graphTooltip: 1,
    },
    ...{ refresh: '10s', time: { from: 'now-1h', to: 'now' }, timezone: 'browser' },
    templating: { list: variables },
    annotations: { list: [] },
    panels: layOut(panelRows),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
