/** Shares of the node's memory that its parts may have; see docs/memory.md. */

const mebibyte = 1024 * 1024;

/** Share that the heap of one worker may have: a worker that takes more ends before the whole process is killed. */
const heapShare = 0.6;
/** V8 needs so much to start with, however little memory there is. */
const heapMebibytesLeast = 64;

/** Most that the heap of one worker may grow to; null: what V8 allows is less. `heapLimitBytes`: what V8 allows. */
export function workerHeapMebibytes(limitBytes: number, heapLimitBytes: number): number | null {
  const share = Math.max(heapMebibytesLeast, Math.floor((limitBytes * heapShare) / mebibyte));
  return share * mebibyte < heapLimitBytes ? share : null;
}
