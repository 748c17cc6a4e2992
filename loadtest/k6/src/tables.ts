/** The tables of the settings and metrics as rows of text: for `--help`, and for README.md, whose tables a test compares with these. */
import { type MetricRow, metricTable } from './metric-table.ts';
import { type NumberVariable, numberTable, scenarioNames, scenarioTable, textTable } from './settings.ts';

type Row = readonly string[];

/** Scenarios by name: what they do. */
export function scenarioRows(): Row[] {
  return [['scenario', 'what it does'], ...Object.entries(scenarioTable).map(([name, does]) => [`\`${name}\``, does])];
}

/** Variables: their defaults, what they may be, and what they are. */
export function variableRows(): Row[] {
  const texts = Object.values(textTable).map((row) => [`\`${row.variable}\``, row.default, '', row.describes]);
  const numbers = Object.values<NumberVariable>(numberTable).map((row) => [
    `\`${row.variable}\``,
    describeDefaults(row),
    `${row.lowest} to ${row.highest === Number.MAX_SAFE_INTEGER ? '…' : row.highest}`,
    row.describes,
  ]);
  return [['variable', 'default', 'from, to', 'what it is'], ...texts, ...numbers];
}

/** Metrics: their kind and what they are. */
export function metricRows(): Row[] {
  const rows = Object.entries<MetricRow>(metricTable).map(([name, { kind, describes }]) => [
    `\`${name}\``,
    kind,
    describes,
  ]);
  return [['metric', 'kind', 'what it is'], ...rows];
}

/** Text of a default: one value where it is the same for all that use it; otherwise each with its scenarios. */
function describeDefaults({ defaults }: NumberVariable): string {
  const users = scenarioNames.filter((name) => defaults[name] !== undefined);
  const values = [...new Set(users.map((name) => defaults[name]))];
  const isForAll = values.length === 1 && users.length >= scenarioNames.length - 1;
  if (isForAll) return String(values[0]);
  return values.map((value) => `${value} (${users.filter((name) => defaults[name] === value).join(', ')})`).join('; ');
}

/** A table in Markdown, with its columns aligned as the formatter wants them. */
export function markdownTable(rows: readonly Row[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const [head, ...body] = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])));
  const rule = widths.map((width) => '-'.repeat(width));
  return [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
