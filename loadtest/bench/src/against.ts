/** `compare --against DIR`: what a change costs. This checkout beside another one of Dunlin, from before the change; starts take turns, and the median of each side counts. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '@dunlin/testkit';
import { type Broker, dunlinOf, selectBrokers } from './brokers.ts';
import { type CompareOptions, compare } from './compare.ts';
import { markdownTable } from './report.ts';
import { median, type SampleLine } from './results.ts';
import { FIGURES, type Row } from './rows.ts';

/** Rows that say most of the ways that messages take. */
export const AGAINST_ROWS = 'pair-w1000,20pairs-w100,1to100,100to1,qos1-20pairs,qos2-20pairs,durable-qos1';
/** V8 compiles the same program in several ways, and one start of six costs a tenth more or less: fewer rounds say little. */
export const AGAINST_ROUNDS = 5;
/** Highest ratio that a change may cost. */
const RATIO_MAX = 1.05;

export interface AgainstFigure {
  readonly row: string;
  readonly figure: string;
  /** Null: not measured. */
  readonly before: number | null;
  readonly here: number | null;
  /** Ratio of the figures, above 1 where it is worse here, whatever the figure counts. */
  readonly ratio: number | null;
  readonly outcome: 'met' | 'missed' | 'not measured';
}

/** @throws UsageError when there is no Dunlin in `directory`, or none that is built. */
export function checkoutBefore(directory: string): Broker {
  const program = join(directory, 'packages', 'cli', 'bin', 'dunlin.js');
  for (const file of [program, join(directory, 'packages', 'cli', 'dist')]) {
    if (!existsSync(file))
      throw new UsageError(`--against must be a checkout of Dunlin that is built, not '${directory}': no ${file}`);
  }
  return dunlinOf('before', directory);
}

function medianOf(samples: readonly SampleLine[], row: Row, broker: string): number | null {
  const figures = samples
    .filter((line) => line.row === row.name && line.broker === broker)
    .map((line) => Number(line.sample[row.figure.field]));
  return figures.length === 0 ? null : median(figures);
}

/** Figures, one for each row, in their order. */
export function figuresAgainst(rows: readonly Row[], samples: readonly SampleLine[]): AgainstFigure[] {
  return rows.map((row) => {
    const before = medianOf(samples, row, 'before');
    const here = medianOf(samples, row, 'dunlin');
    const known = { row: row.name, figure: row.figure.title, before, here };
    if (before === null || here === null) return { ...known, ratio: null, outcome: 'not measured' };
    const ratio = row.figure === FIGURES.messagesPerSecond ? before / here : here / before;
    return { ...known, ratio: Number(ratio.toFixed(3)), outcome: ratio <= RATIO_MAX ? 'met' : 'missed' };
  });
}

export async function measureAgainst(
  before: Broker,
  options: Omit<CompareOptions, 'brokers'>,
): Promise<AgainstFigure[]> {
  const { samples } = await compare({ ...options, brokers: [before, ...selectBrokers('dunlin')] });
  return figuresAgainst(options.rows, samples);
}

export function renderAgainst(figures: readonly AgainstFigure[]): string {
  const shown = (value: number | null) => value ?? '–';
  const rows = figures.map(({ row, figure, before, here, ratio, outcome }) => [
    ...[row, figure, shown(before), shown(here), shown(ratio), outcome],
  ]);
  return markdownTable(['row', 'figure', 'before', 'here', 'ratio', `at most ${RATIO_MAX}`], rows);
}
