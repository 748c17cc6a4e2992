import { extname } from 'node:path';
import { type MessagePort, Worker } from 'node:worker_threads';
import type { ListenerAddress } from '@dunlin/config';
import type { WorkerCommand, WorkerReport, WorkerSetup, WorkerStatus } from './worker-message.ts';

/** How a worker thread ended. */
export interface WorkerExit {
  code: number;
  /** What was thrown, if anything was. */
  error: Error | undefined;
}

/** One worker thread as the supervisor sees it. Every wait ends when the thread does. */
export class WorkerThread {
  readonly setup: WorkerSetup;
  /** Resolves when the store is open and the broker has started; rejects if that fails. */
  readonly prepared: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  /** For the line that says what hung: the last phase of the stop that was reported. */
  stopPhase = 'not answering';
  readonly #thread: Worker;
  readonly #waiting = new Map<string, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastStatusId = 0;
  #ended: Error | null = null;

  constructor(setup: WorkerSetup) {
    this.setup = setup;
    const ports: MessagePort[] = setup.peers.map((peer) => peer.port);
    if (setup.storePort !== null) ports.push(setup.storePort);
    const entry = new URL(`./worker-entry${extname(import.meta.filename)}`, import.meta.url);
    this.#thread = new Worker(entry, { workerData: setup, transferList: ports, name: `worker ${setup.index}` });
    this.prepared = this.#wait('prepared') as Promise<void>;
    this.exited = this.#watch();
    this.#thread.on('message', (report: WorkerReport) => this.#hear(report));
  }

  async #watch(): Promise<WorkerExit> {
    let error: Error | undefined;
    this.#thread.on('error', (thrown: unknown) => {
      error = thrown instanceof Error ? thrown : new Error(String(thrown));
    });
    const code = await new Promise<number>((resolve) => this.#thread.once('exit', resolve));
    this.#giveUp(new Error(`worker ${this.setup.index} ended with code ${code}`, { cause: error }));
    return { code, error };
  }

  #giveUp(error: Error): void {
    this.#ended = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #wait(report: string): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const promise = new Promise((resolve, reject) => this.#waiting.set(report, { resolve, reject }));
    // Whoever waits handles it; if nobody does, the end of the thread is told by `exited`.
    promise.catch(() => undefined);
    return promise;
  }

  #hear(report: WorkerReport): void {
    if (report.kind === 'failed') this.#giveUp(new Error(report.message));
    else if (report.kind === 'stopping') this.stopPhase = report.phase;
    else {
      const name = report.kind === 'status' ? `status ${report.id}` : report.kind;
      const value =
        report.kind === 'status' ? report.status : report.kind === 'listening' ? report.addresses : undefined;
      this.#waiting.get(name)?.resolve(value);
      this.#waiting.delete(name);
    }
  }

  command(command: WorkerCommand, transfer: MessagePort[] = []): void {
    this.#thread.postMessage(command, transfer);
  }

  /** Opens the doors; returns the addresses with the ports that were taken. */
  listen(addresses: ListenerAddress[]): Promise<ListenerAddress[]> {
    const listening = this.#wait('listening');
    this.command({ kind: 'listen', addresses });
    return listening as Promise<ListenerAddress[]>;
  }

  status(): Promise<WorkerStatus> {
    const id = ++this.#lastStatusId;
    const status = this.#wait(`status ${id}`);
    this.command({ kind: 'status', id });
    return status as Promise<WorkerStatus>;
  }

  /** Lets it finish what it has begun, then ends it. */
  async stop(): Promise<void> {
    const stopped = this.#wait('stopped');
    this.command({ kind: 'stop' });
    await stopped;
    await this.#thread.terminate();
  }

  /** Ends it at once, as a crash does. */
  async terminate(): Promise<void> {
    await this.#thread.terminate();
  }
}
