import { performance } from 'node:perf_hooks';
import type { WorkerFigures } from './worker-figures.ts';

/** Four looks a second find every stall above a quarter of a second and many below; ten were a tenth of what an idle node costs. */
const lookMilliseconds = 250;
/**
 * Number of looks between two writes of the figures that nobody asked for: the counts of a worker that is stuck, or was
 * killed, are known up to the last second.
 */
const writeEveryLooks = 4;

/** Looks how the event loop of this thread fares until the returned function is called. `write` is called every second. */
export function watchThread(figures: WorkerFigures, write: () => void): () => void {
  let due = performance.now() + lookMilliseconds;
  let looks = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    figures.delaySeconds.observe(Math.max(0, now - due) / 1000);
    due = now + lookMilliseconds;
    if (++looks % writeEveryLooks === 0) write();
  }, lookMilliseconds);
  timer.unref();
  return () => clearInterval(timer);
}

/** Renews what is known of this thread. */
export function observeThread(figures: WorkerFigures): void {
  figures.activeSeconds = performance.eventLoopUtilization().active / 1000;
  // Of buffers outside of the heap V8 keeps a count of its own (`external`), which hears of those that are freed at its next collection only: it may be hours behind.
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  figures.heapBytes = heapUsed;
  figures.externalBytes = arrayBuffers;
}
