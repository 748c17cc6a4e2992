import type { AppendOrigin, AppendResult } from '../ports/log-store.ts';
import { StoreError } from '../ports/store-error.ts';

/**
 * Limit of remembered writers: more than the workers of a node, which are the writers of a store in its process, and
 * those that died recently.
 */
const writersMax = 1000;

/**
 * Answers to the last batch of each writer (AppendOrigin), for stores in the same process as their writers. They need
 * not be kept on disk: writers do not outlive the process, and while it lives no answer is lost except one that says
 * that nothing was stored.
 */
export class LastBatches {
  /** Batches by writer; the most recent writer is last. */
  private readonly batches = new Map<string, { batch: number; results: AppendResult[] }>();

  /**
   * The answers of a batch that was appended before, negated; null: it was not. Throws `fenced` for a batch that was
   * followed by a later one.
   */
  find({ writer, batch }: AppendOrigin): AppendResult[] | null {
    const last = this.batches.get(writer);
    if (last === undefined || last.batch < batch) return null;
    if (last.batch > batch) throw new StoreError('fenced', `batch ${batch} of ${writer} comes after ${last.batch}`);
    return last.results.map((result) => result.map((number) => (number > 0 ? -number : number)));
  }

  remember({ writer, batch }: AppendOrigin, results: AppendResult[]): void {
    this.batches.delete(writer);
    this.batches.set(writer, { batch, results });
    if (this.batches.size <= writersMax) return;
    for (const oldest of this.batches.keys()) {
      this.batches.delete(oldest);
      break;
    }
  }

  /** Forgets a batch that was not stored after all. */
  forget({ writer, batch }: AppendOrigin): void {
    if (this.batches.get(writer)?.batch === batch) this.batches.delete(writer);
  }
}
