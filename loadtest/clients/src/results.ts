import { type StepName, stepNames } from './steps.ts';

/** Result of one step. */
export type Outcome =
  | { readonly kind: 'ok' }
  /** The library has not what the step needs. */
  | { readonly kind: 'none' }
  | { readonly kind: 'known'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** Library in one version of the protocol. `skipped`: why it was not tried. */
export interface Row {
  readonly name: string;
  readonly library: string;
  readonly version: string;
  readonly skipped?: string;
  readonly outcomes: Map<StepName, Outcome>;
}

const words = { ok: 'ok', none: '-', known: 'known', failed: 'FAILED' } as const;

/** The table, and below it the reasons. */
export function resultTable(rows: readonly Row[]): string {
  const header = ['client', 'library', ...stepNames];
  const cells = rows.map((row) => [
    row.name,
    `${row.library} ${row.version}`,
    ...(row.skipped === undefined
      ? stepNames.map((step) => words[row.outcomes.get(step)?.kind ?? 'none'])
      : ['skipped']),
  ]);
  const all = [header, ...cells];
  const widths = header.map((_, column) => Math.max(...all.map((line) => (line[column] ?? '').length)));
  const lines = all.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  return [...lines, ...reasons(rows)].join('\n');
}

function reasons(rows: readonly Row[]): string[] {
  const found = rows.flatMap((row) => [
    ...(row.skipped === undefined ? [] : [`${row.name}: skipped, ${row.skipped}`]),
    ...stepNames.flatMap((step) => {
      const outcome = row.outcomes.get(step);
      if (outcome?.kind !== 'known' && outcome?.kind !== 'failed') return [];
      return [`${row.name} ${step}: ${outcome.kind === 'known' ? 'known: ' : 'FAILED: '}${outcome.reason}`];
    }),
  ]);
  return found.length === 0 ? [] : ['', ...found];
}

export function hasFailed(rows: readonly Row[]): boolean {
  return rows.some(({ outcomes }) => [...outcomes.values()].some(({ kind }) => kind === 'failed'));
}
