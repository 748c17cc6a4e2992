import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { Report } from '../src/report.ts';

const main = join(import.meta.dirname, '..', 'src', 'main.ts');

/** Result of `npm run k6 -- …`. */
export interface LoadResult {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
  /** Files in the folder for reports, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** The command while it runs. */
export interface RunningLoad {
  readonly ended: Promise<LoadResult>;
  kill(signal: NodeJS.Signals): void;
}

/** Runs the command with these arguments and variables, and waits for its end. */
export async function runLoad(
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<LoadResult> {
  const { ended } = await startLoad(args, variables);
  return ended;
}

/** Starts the command with these arguments and variables; its reports go to a folder of its own. */
export async function startLoad(
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<RunningLoad> {
  const directory = await mkdtemp(join(tmpdir(), 'k6-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const { BROKER_URL: _, ...environment } = process.env;
  const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, REPORT_DIRECTORY: directory, ...variables },
  });
  return { ended: resultOf(child, directory), kill: (signal) => child.kill(signal) };
}

async function resultOf(child: ChildProcessByStdio<null, Readable, Readable>, directory: string): Promise<LoadResult> {
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (errors += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  const names = await readdir(directory);
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return { code, output, errors, files: Object.fromEntries(names.map((name, index) => [name, texts[index]])) };
}

/** The report in JSON that a run wrote. */
export function reportOf(result: LoadResult, scenario: string): Report {
  const text = result.files[`${scenario}.json`];
  if (text === undefined) throw new TypeError(`there is no report:\n${result.output}\n${result.errors}`);
  return JSON.parse(text) as Report;
}

/** The count of a metric in a report. */
export function countOf(report: Report, metric: string): number {
  const found = report.counters.find((counter) => counter.metric === metric);
  if (found === undefined) throw new RangeError(`there is no metric ${metric}`);
  return found.count;
}
