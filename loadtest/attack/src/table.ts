/** The results as a Markdown table, the rows of another broker below those of Dunlin. */
import { attacks } from './attacks/index.ts';
import { excesses } from './ceilings.ts';
import type { RowResult } from './row-result.ts';

const head = [
  '| attack | broker | memory before/peak/after, MiB | back after | p99 quiet/during/after, ms | lost QoS 0, QoS 1 | healthy clients in, slowest | answers | ceiling |',
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
];

/** Line of the table. */
function tableLine(row: RowResult, headroom: number): string {
  const { memory, quiet, during, after, lost, newcomers } = row;
  const whole = (...numbers: number[]) => numbers.map((number) => number.toFixed(0)).join(' / ');
  const wrong = excesses(row, headroom).map(({ text }) => text);
  const cells = [
    attacks.find(({ name }) => name === row.attack)?.title ?? row.attack,
    row.broker,
    whole(memory.before, memory.peak, memory.after),
    row.backSeconds === null ? `not in ${row.afterSeconds} s` : `${row.backSeconds} s`,
    whole(quiet.p99, during.p99, after.p99),
    `${lost.qos0} of ${lost.sentQos0}, ${lost.qos1}`,
    `${newcomers.tried - newcomers.refused - newcomers.late} of ${newcomers.tried}, ${newcomers.slowest.toFixed(0)} ms`,
    row.answers === '' ? 'nothing refused' : row.answers,
    wrong.length === 0 ? 'kept' : wrong.join('; '),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The whole table. */
export function table(rows: readonly RowResult[], headroom: number): string {
  return [...head, ...rows.map((row) => tableLine(row, headroom))].join('\n');
}
