// Entry of a worker thread.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { runWorker } from './worker.ts';
import type { WorkerSetup } from './worker-message.ts';

await runWorker(workerData as WorkerSetup, parentPort as MessagePort);
