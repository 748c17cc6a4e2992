import { quantileNames, type Report } from './report.ts';

/** A number for people: three digits that matter, none of them after the point of a large one. */
export function shortNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The report for a terminal. */
export function reportText(report: Report): string {
  const quantiles = Object.entries(quantileNames);
  const parts = [
    `${report.scenario}: ${report.isPassed ? 'every threshold is met' : 'FAILED'}, ${shortNumber(report.runSeconds)} s`,
    table(report.settings.map(([variable, value]) => [variable, value])),
    table(
      [
        ['milliseconds', 'count', 'mean', ...quantiles.map(([, label]) => label)],
        ...report.trends.map(({ metric, count, mean, quantiles: values }) => [
          metric,
          String(count),
          shortNumber(mean),
          ...quantiles.map(([name]) => shortNumber(values[name])),
        ]),
      ],
      true,
    ),
    table(
      report.counters.map(({ metric, count }) => [metric, String(count)]),
      true,
    ),
    table(
      report.thresholds.map(({ metric, condition, value, isMet }) => [
        isMet ? 'met' : 'NOT MET',
        `${metric} ${condition}`,
        isMet ? '' : `it is ${shortNumber(value)}`,
      ]),
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** Columns as wide as their widest cell; all but the first to the right, if asked. */
function table(rows: readonly (readonly string[])[], isRight = false): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text: string, column: number) =>
    isRight && column > 0 ? text.padStart(widths[column]) : text.padEnd(widths[column]);
  return rows.map((row) => `  ${row.map(cell).join('  ')}`.trimEnd()).join('\n');
}
