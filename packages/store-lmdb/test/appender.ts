/** Run by the tests, as a worker thread or as a process: appends to one log, and says which numbers were confirmed. */
import { parentPort, workerData } from 'node:worker_threads';
import { LmdbStore, type LmdbStoreOptions } from '../src/index.ts';

interface Task {
  options: LmdbStoreOptions;
  filter: string;
  name: string;
  /** Null: until killed. */
  batches: number | null;
  perBatch: number;
}

const task: Task = parentPort === null ? JSON.parse(process.argv[2]) : workerData;
/** Batches on their way at once: their commits overlap, as they do in a broker. */
const UNDER_WAY = 4;

function report(confirmed: { batch: number; sequences: number[] }): void {
  if (parentPort !== null) parentPort.postMessage(confirmed);
  else process.send?.(confirmed);
}

const store = new LmdbStore(task.options);
await store.open();
let next = 0;
async function appendBatches(): Promise<void> {
  while (next < (task.batches ?? Infinity)) {
    const batch = next++;
    const requests = Array.from({ length: task.perBatch }, (_, index) => ({
      filters: [task.filter],
      record: new TextEncoder().encode(`${task.name} ${batch} ${index}`),
      expiresAt: Infinity,
      producer: null,
      inbound: null,
    }));
    const sequences = (await store.logs.append(requests, 0)).map(([sequence]) => sequence);
    report({ batch, sequences });
  }
}
await Promise.all(Array.from({ length: UNDER_WAY }, appendBatches));
await store.close();
