import { barChart, escapeText, lineChart } from './chart.ts';
import { type MetricName, metricTable } from './metric-table.ts';
import { quantileNames, type Report, type Series } from './report.ts';
import { shortNumber } from './report-text.ts';

const style = `
:root { color-scheme: light dark; --ink: #1d2733; --soft: #687787; --line: #d9e0e7; --page: #fff; --card: #f7f9fb;
  --c0: #2367b8; --c1: #1d8f6d; --c2: #c77700; --c3: #b3323d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --soft: #93a1b0; --line: #35414d; --page: #12181e; --card: #1a222a;
  --c0: #6aa9f0; --c1: #53c9a3; --c2: #f0ac4e; --c3: #ef7b84; } }
body { margin: 2rem auto; max-width: 84rem; padding: 0 1.5rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
.verdict { font-weight: 600; } .met { color: var(--c1); } .missed { color: var(--c3); } .soft, .unit { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .8rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
figcaption { font-weight: 600; } .unit { font-weight: 400; }
svg { width: 100%; height: auto; } .grid { stroke: var(--line); } .tick { fill: var(--soft); font-size: 11px; }
.value { fill: var(--ink); font-size: 11px; } .bar { fill: var(--c0); } .line { fill: none; stroke-width: 2; }
path.colour0 { stroke: var(--c0); } path.colour1 { stroke: var(--c1); } path.colour2 { stroke: var(--c2); } path.colour3 { stroke: var(--c3); }
circle.colour0 { fill: var(--c0); } circle.colour1 { fill: var(--c1); } circle.colour2 { fill: var(--c2); } circle.colour3 { fill: var(--c3); }
.legend { display: flex; gap: 1.2rem; list-style: none; margin: .2rem 0 0; padding: 0; font-size: .85rem; }
.legend li::before { content: ''; display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; }
.legend .colour0::before { background: var(--c0); } .legend .colour1::before { background: var(--c1); }
.legend .colour2::before { background: var(--c2); } .legend .colour3::before { background: var(--c3); }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 0 2rem; align-items: start; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .25rem .6rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; } .number { text-align: right; font-variant-numeric: tabular-nums; }
`;

/** The report as one HTML page that needs nothing else. */
export function reportPage(report: Report): string {
  const { scenario, isPassed } = report;
  const verdict = isPassed ? '<span class="met">every threshold is met</span>' : '<span class="missed">failed</span>';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(scenario)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeText(scenario)}</h1>
<p class="verdict">${verdict} <span class="soft">after ${shortNumber(report.runSeconds)} s</span></p>
<div class="charts">
${charts(report).join('\n')}
</div>
<h2>Distributions, in milliseconds</h2>
<div class="wide">${trendTable(report)}</div>
<div class="tables">
<section><h2>Thresholds</h2>${thresholdTable(report)}</section>
<section><h2>Counts</h2>${counterTable(report)}</section>
<section><h2>Settings</h2>${settingsTable(report)}</section>
</div>
</body>
</html>
`;
}

function charts(report: Report): string[] {
  const overTime = groupSeries(report.series).map(({ title, unit, series }) =>
    lineChart({ title, unit, secondsPerValue: report.slotSeconds, series }),
  );
  const distributions = report.trends.map(({ metric, quantiles }) =>
    barChart({
      title: metric,
      unit: 'milliseconds',
      bars: Object.entries(quantileNames).map(([name, label]) => ({ label, value: quantiles[name] })),
    }),
  );
  return [...overTime, ...distributions];
}

/** Rates share a chart by what they count; the percentiles of a trend share one. */
function groupSeries(all: readonly Series[]) {
  const rates = all.filter(({ statistic }) => statistic === 'rate');
  const messages = rates.filter(({ metric }) => metric.startsWith('mqtt_messages'));
  const connections = rates.filter(({ metric }) => !metric.startsWith('mqtt_messages'));
  const trends = [...new Set(all.filter(({ statistic }) => statistic !== 'rate').map(({ metric }) => metric))];
  return [
    { title: 'messages over time', unit: 'a second', series: messages.map(labelled(({ metric }) => metric)) },
    ...trends.map((name) => ({
      title: `${name} over time`,
      unit: 'milliseconds',
      series: all.filter(({ metric }) => metric === name).map(labelled(({ statistic }) => quantileLabel(statistic))),
    })),
    { title: 'connections over time', unit: 'a second', series: connections.map(labelled(({ metric }) => metric)) },
  ].filter(({ series }) => series.length > 0);
}

function labelled(label: (series: Series) => string) {
  return (series: Series) => ({ label: label(series), values: series.values });
}

function quantileLabel(statistic: string): string {
  return quantileNames[statistic as keyof typeof quantileNames] ?? statistic;
}

function row(cells: readonly string[], classes: readonly string[]): string {
  const columns = cells.map((cell, index) => `<td class="${classes[index] ?? ''}">${escapeText(cell)}</td>`);
  return `<tr>${columns.join('')}</tr>`;
}

function trendTable(report: Report): string {
  const labels = ['metric', 'count', 'mean', ...Object.values(quantileNames)];
  const classes = labels.map((_, index) => (index === 0 ? '' : 'number'));
  const head = labels.map((label, index) => `<th class="${classes[index]}">${label}</th>`).join('');
  const rows = report.trends.map(({ metric, count, mean, quantiles }) => {
    const values = [mean, ...Object.keys(quantileNames).map((name) => quantiles[name])].map(shortNumber);
    return row([metric, String(count), ...values], classes);
  });
  return `<table><tr>${head}</tr>${rows.join('')}</table>`;
}

function thresholdTable(report: Report): string {
  const rows = report.thresholds.map(({ metric, condition, value, isMet }) =>
    row(
      [isMet ? 'met' : 'not met', `${metric} ${condition}`, shortNumber(value)],
      [isMet ? 'met' : 'missed', '', 'number'],
    ),
  );
  return `<table>${rows.join('')}</table>`;
}

function counterTable(report: Report): string {
  const rows = report.counters.map(({ metric, count }) => {
    const { describes } = metricTable[metric as MetricName];
    return `<tr title="${escapeText(describes)}"><td>${escapeText(metric)}</td><td class="number">${count}</td></tr>`;
  });
  return `<table>${rows.join('')}</table>`;
}

function settingsTable(report: Report): string {
  return `<table>${report.settings.map(([variable, value]) => row([variable, value], [])).join('')}</table>`;
}
