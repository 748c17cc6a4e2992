/** `table NAME=COMMAND ...`: the same measurements for any command that listens on {port}. */
import { freePort, UsageError } from '@dunlin/testkit';
import { BrokerProcess, StartFailure } from './broker-process.ts';
import { RowFailure, runGenerator } from './generator.ts';
import { markdownTable } from './report.ts';
import { median } from './results.ts';
import { type Row, startGroups } from './rows.ts';

export interface TableOptions {
  readonly commands: readonly { readonly name: string; readonly command: string }[];
  readonly rows: readonly Row[];
  readonly rounds: number;
  readonly seconds: number;
}

export interface TableResult {
  /** Row, then name. */
  readonly figures: Record<string, Record<string, number | null>>;
  readonly notes: readonly string[];
}

/** @throws UsageError when an argument is not NAME=COMMAND. */
export function parseCommands(parameters: readonly string[]): { name: string; command: string }[] {
  return parameters.map((parameter) => {
    const at = parameter.indexOf('=');
    if (at < 1) throw new UsageError(`'${parameter}' is not NAME=COMMAND`);
    return { name: parameter.slice(0, at), command: parameter.slice(at + 1) };
  });
}

/** Runs `command` in a shell, with {port} and {tmp} filled in, and measures every row once. */
async function measureOnce(
  name: string,
  command: string,
  rows: readonly Row[],
  seconds: number,
  samples: Map<string, number[]>,
  notes: string[],
): Promise<void> {
  const directory = BrokerProcess.makeDirectory();
  const port = await freePort();
  const filled = command.replaceAll('{port}', String(port)).replaceAll('{tmp}', directory);
  let broker: BrokerProcess;
  try {
    broker = await BrokerProcess.start(['bash', '-c', filled], [port], directory);
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    notes.push(`${name}: ${error.message}`);
    return;
  }
  try {
    for (const row of rows) {
      const key = `${row.name} ${name}`;
      const load = { row, publisherPort: port, subscriberPort: port, pids: broker.pids(), seconds };
      try {
        const sample = await runGenerator(load);
        samples.set(key, [...(samples.get(key) ?? []), Number(sample[row.figure.field])]);
      } catch (error) {
        if (!(error instanceof RowFailure)) throw error;
        notes.push(`${name} ${row.name}: ${error.message}`);
      }
    }
  } finally {
    await broker.stop();
  }
}

export async function measureTable(options: TableOptions): Promise<TableResult> {
  const samples = new Map<string, number[]>();
  const notes: string[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const { name, command } of options.commands) {
      for (const rows of startGroups(options.rows))
        await measureOnce(name, command, rows, options.seconds, samples, notes);
    }
  }
  const figures: TableResult['figures'] = {};
  for (const row of options.rows) {
    figures[row.name] = {};
    for (const { name } of options.commands) {
      const values = samples.get(`${row.name} ${name}`);
      figures[row.name][name] = values ? Number(median(values).toFixed(row.figure.digits)) : null;
    }
  }
  return { figures, notes };
}

export function renderTable(result: TableResult, options: TableOptions): string {
  const names = options.commands.map(({ name }) => name);
  const rows = options.rows.map((row) => [
    row.name,
    row.figure.title,
    ...names.map((name) => result.figures[row.name][name] ?? '–'),
  ]);
  return [
    markdownTable(['row', 'figure', ...names], rows),
    ...result.notes.map((note) => `# ${note.replaceAll(/\s+/g, ' ')}`),
  ].join('\n');
}
