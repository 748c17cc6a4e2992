/** The results as a Markdown table, the rows of another broker below those of Dunlin. */
import { exceeded } from './ceilings.ts';
import type { RowResult } from './row.ts';

const head = [
  '| attack | broker | memory before/peak/after, MiB | p99 quiet/during/after, ms | lost QoS 0, QoS 1 | healthy clients in, slowest | answers | ceiling |',
  '| --- | --- | --- | --- | --- | --- | --- | --- |',
];

/** Line of the table. */
export function tableLine(row: RowResult, afterSeconds: number): string {
  const { memory, quiet, during, after, lost, newcomers } = row;
  const whole = (...numbers: number[]) => numbers.map((number) => number.toFixed(0)).join(' / ');
  const wrong = exceeded(row, afterSeconds);
  const cells = [
    row.title,
    row.broker,
    whole(memory.before, memory.peak, memory.after),
    whole(quiet.p99, during.p99, after.p99),
    `${lost.qos0} of ${lost.sentQos0}, ${lost.qos1}`,
    `${newcomers.tried - newcomers.failed} of ${newcomers.tried}, ${newcomers.slowest.toFixed(0)} ms`,
    row.answers === '' ? 'nothing refused' : row.answers,
    wrong.length === 0 ? 'kept' : wrong.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The whole table. */
export function table(rows: readonly RowResult[], afterSeconds: number): string {
  return [...head, ...rows.map((row) => tableLine(row, afterSeconds))].join('\n');
}
