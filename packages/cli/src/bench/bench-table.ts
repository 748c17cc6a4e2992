/** The result of `dunlin bench` as a table for people. */
import type { BenchResult } from './run-bench.ts';

interface Column {
  readonly title: string;
  readonly width: number;
  readonly cell: (result: BenchResult) => string;
}

function whole(value: number | undefined): string {
  return value === undefined ? '-' : Math.round(value).toString();
}

/** Lost messages and those that came twice; `exact` when there are none. */
function exactness({ messages }: BenchResult): string {
  if (messages === null) return '-';
  const lost = messages.expected - messages.received;
  if (lost === 0 && messages.duplicatedOrLate === 0) return 'exact';
  return `${lost} lost, ${messages.duplicatedOrLate} again`;
}

function cpu({ messages, connects }: BenchResult): string {
  const value = messages?.brokerCpuMicrosecondsPerDelivery ?? connects?.brokerCpuMicrosecondsPerConnect ?? null;
  return value === null ? '-' : value.toFixed(2);
}

// biome-ignore format: a table
const columns: readonly Column[] = [
  { title: 'row', width: 12, cell: ({ row }) => row.name },
  { title: 'messages/s', width: 12, cell: ({ messages, connects }) => messages ? whole(messages.deliveredPerSecond) : `${whole(connects?.connectsPerSecond)} conn.` },
  { title: 'p50 us', width: 9, cell: ({ messages, connects }) => whole((messages ?? connects)?.p50Microseconds) },
  { title: 'p99 us', width: 9, cell: ({ messages, connects }) => whole((messages ?? connects)?.p99Microseconds) },
  { title: 'p99.9 us', width: 9, cell: ({ messages, connects }) => whole((messages ?? connects)?.p999Microseconds) },
  { title: 'CPU us each', width: 12, cell: cpu },
  { title: 'arrived', width: 8, cell: exactness },
];

function line(cells: readonly string[]): string {
  return cells
    .map((cell, i) => (i === 0 ? cell.padEnd(columns[i].width) : cell.padStart(columns[i].width)))
    .join(' ')
    .trimEnd();
}

export function benchTableHeader(): string {
  return line(columns.map(({ title }) => title));
}

export function benchTableLine(result: BenchResult): string {
  if (result.failure !== null)
    return `${result.row.name.padEnd(columns[0].width)} not measured: ${result.failure.message}`;
  return line(columns.map(({ cell }) => cell(result)));
}
