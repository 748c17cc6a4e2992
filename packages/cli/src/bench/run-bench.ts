/** Runs rows one after another; a row that fails does not keep the others from running. */
import { BenchFailure } from './bench-failure.ts';
import type { BenchRow } from './bench-row.ts';
import { type ConnectResult, runConnects } from './connect-run.ts';
import { type MessageResult, MessageRun, type RunOptions } from './message-run.ts';

export interface BenchResult {
  row: BenchRow;
  messages: MessageResult | null;
  connects: ConnectResult | null;
  /** Null when the row was measured. */
  failure: { code: string; message: string } | null;
}

/**
 * Runs one row. A BenchFailure becomes part of the result, except a wrong option, which no other row would survive
 * either.
 */
export async function runBenchRow(row: BenchRow, options: RunOptions): Promise<BenchResult> {
  try {
    if (row.scenario === 'connect') {
      return { row, messages: null, connects: await runConnects(row, options), failure: null };
    }
    return { row, messages: await new MessageRun(row, options).run(), connects: null, failure: null };
  } catch (error) {
    if (!(error instanceof BenchFailure) || error.code === 'BENCH_OPTION') throw error;
    return { row, messages: null, connects: null, failure: { code: error.code, message: error.message } };
  }
}
