/** Results of a comparison, their file (JSON lines), and their medians. */
import type { BrokerName } from './brokers.ts';
import type { Sample } from './generator.ts';
import type { Machine } from './machine.ts';
import { ROWS } from './rows.ts';
import type { Medians } from './targets.ts';

export interface Measured {
  readonly name: BrokerName;
  readonly version: string;
  readonly command: string;
  readonly configuration: string;
}

export interface Header {
  readonly kind: 'header';
  readonly date: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly string[];
  readonly brokers: readonly Measured[];
  readonly absent: readonly { readonly name: string; readonly howToGet: string }[];
}

export interface SampleLine {
  readonly kind: 'sample';
  readonly round: number;
  readonly row: string;
  readonly broker: string;
  readonly sample: Sample;
}

export interface FailureLine {
  readonly kind: 'failure';
  readonly round: number;
  readonly row: string;
  readonly broker: string;
  readonly reason: string;
}

export interface Results {
  readonly header: Header;
  readonly samples: readonly SampleLine[];
  readonly failures: readonly FailureLine[];
}

export function toLines(results: Results): string {
  return [results.header, ...results.samples, ...results.failures].map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** @throws SyntaxError when the text was not written by `toLines`. */
export function fromLines(text: string): Results {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Header | SampleLine | FailureLine);
  const header = lines[0];
  if (header?.kind !== 'header') throw new SyntaxError('the first line is not the header of a comparison');
  return {
    header,
    samples: lines.filter((line) => line.kind === 'sample'),
    failures: lines.filter((line) => line.kind === 'failure'),
  };
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each row's own figure, per broker, over the rounds. */
export function medians(samples: readonly SampleLine[]): Medians {
  const result = new Map<string, Map<string, number>>();
  for (const row of ROWS) {
    const values = new Map<string, number[]>();
    for (const line of samples) {
      if (line.row !== row.name) continue;
      values.set(line.broker, [...(values.get(line.broker) ?? []), Number(line.sample[row.figure.field])]);
    }
    const figures = [...values].map(
      ([broker, numbers]) => [broker, Number(median(numbers).toFixed(row.figure.digits))] as const,
    );
    if (figures.length > 0) result.set(row.name, new Map(figures));
  }
  return result;
}
