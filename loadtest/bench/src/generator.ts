/** Runs mqload for one row against one broker. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { GENERATOR_CORE, pinned } from './broker-process.ts';
import { nativeProgram } from './native-build.ts';
import type { Row } from './rows.ts';

/** Beyond the measured seconds: connecting, warming up, draining; a broker may take 300 s for the idle row. */
const EXTRA_SECONDS = 60;
const IDLE_EXTRA_SECONDS = 330;

export type Sample = Readonly<Record<string, number | string | boolean>>;

/** Raised when mqload refuses or gives up; the message is its last line. */
export class RowFailure extends Error {}

export interface Load {
  readonly row: Row;
  /** Port that publishers and subscribers connect to. */
  readonly publisherPort: number;
  readonly subscriberPort: number;
  readonly pids: readonly number[];
  readonly seconds: number;
}

/** Returns the JSON object that mqload prints. */
export async function runGenerator(load: Load): Promise<Sample> {
  const ports = [...new Set([load.publisherPort, load.subscriberPort])].join(',');
  const [program, ...parameters] = pinned(GENERATOR_CORE, [
    ...[nativeProgram('mqload'), '-p', ports, '-d', String(load.seconds), '-c', load.pids.join(',')],
    ...load.row.arguments,
  ]);
  const extraSeconds = load.row.figure.field === 'bytes_per_connection' ? IDLE_EXTRA_SECONDS : EXTRA_SECONDS;
  try {
    const timeout = (load.seconds + extraSeconds) * 1000;
    const { stdout } = await promisify(execFile)(program, parameters, { timeout });
    return JSON.parse(stdout.trim().split('\n').at(-1) as string) as Sample;
  } catch (error) {
    const { stderr, killed } = error as { stderr?: string; killed?: boolean };
    const reason = killed ? 'timed out' : (stderr?.trim().split('\n').at(-1) ?? String(error));
    throw new RowFailure(reason.replace(/^mqload: /, ''), { cause: error });
  }
}
