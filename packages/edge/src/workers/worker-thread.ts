import { extname } from 'node:path';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { type Asked, CodedError, type DrainOptions, type QueryAnswer, type Store } from '@dunlin/broker/ports';
import type { ListenerAddress } from '@dunlin/config';
import { workerHeapMebibytes } from '../memory-shares.ts';
import { memoryLimitBytes } from '../node-limits.ts';
import { RemoteStore } from '../store/remote-store.ts';
import type { WorkerCommand, WorkerHealth, WorkerReport, WorkerSetup, WorkerStatus } from './worker-message.ts';

/**
 * V8 option: buffers count towards the growth of the heap as objects do. Without it V8 collects the whole heap for
 * every 64 MiB of new buffers, of which Node makes 64 KiB for each read of a socket, however short-lived they are: with
 * frames between nodes that was 40 % of a worker's time (20 pairs across two nodes: 1.1 µs of CPU a delivery without,
 * 0.5 with). Older versions of Node do not know the option.
 */
if (Number(process.versions.node.split('.')[0]) >= 26)
  setFlagsFromString('--external-memory-accounted-in-global-limit');

/** Time by which the answers of a worker may be later than those that it waits for. */
const lateMilliseconds = 300;

/** Error of a worker thread that did not start, or has ended. */
export class WorkerError extends CodedError<'worker-ended' | 'worker-not-started' | 'worker-silent'> {}

/** End of a worker thread. */
export interface WorkerExit {
  code: number;
  /** Error that was thrown, if any was. */
  error: Error | undefined;
  /** The worker was evicted. */
  isEvicted: boolean;
}

/** Worker thread as the supervisor sees it. Every wait ends when the thread does. */
export class WorkerThread {
  readonly setup: WorkerSetup;
  /** Resolves when the thread has loaded what it needs; rejects when it cannot. */
  readonly composed: Promise<void>;
  readonly exited: Promise<WorkerExit>;
  /** Last phase of the stop that was reported, for the log line about a phase that hangs. */
  stopPhase = 'not answering';
  /** Last health that was reported; null: none yet. */
  health: WorkerHealth | null = null;
  readonly #thread: Worker;
  readonly #waiting = new Map<string, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #healthChanged: () => void;
  readonly #cordoned: (isCordoned: boolean) => void;
  #lastStatusId = 0;
  #store: Store | null = null;
  #counting: Promise<void> | null = null;
  #collecting: Promise<void> | null = null;
  #isEvicted = false;
  #ended: Error | null = null;

  constructor(setup: WorkerSetup, healthChanged: () => void, cordoned: (isCordoned: boolean) => void) {
    this.setup = setup;
    this.#cordoned = cordoned;
    this.#healthChanged = healthChanged;
    const ports: MessagePort[] = setup.peers.map((peer) => peer.port);
    if (setup.storePort !== null) ports.push(setup.storePort);
    if (setup.auditPort !== null) ports.push(setup.auditPort);
    const entry = new URL(`./worker-entry${extname(import.meta.filename)}`, import.meta.url);
    const heap = workerHeapMebibytes(memoryLimitBytes(setup.configuration), getHeapStatistics().heap_size_limit);
    const resourceLimits = heap === null ? {} : { maxOldGenerationSizeMb: heap };
    const name = `worker ${setup.index}`;
    this.#thread = new Worker(entry, { workerData: setup, transferList: ports, name, resourceLimits });
    this.composed = this.#wait('composed') as Promise<void>;
    this.exited = this.#watch();
    this.#thread.on('message', (report: WorkerReport) => this.#hear(report));
  }

  async #watch(): Promise<WorkerExit> {
    let error: Error | undefined;
    this.#thread.on('error', (thrown: unknown) => {
      error =
        thrown instanceof Error
          ? thrown
          : new WorkerError('worker-ended', `worker ${this.setup.index} threw ${String(thrown)}`);
    });
    const code = await new Promise<number>((resolve) => this.#thread.once('exit', resolve));
    this.#giveUp(
      new WorkerError('worker-ended', `worker ${this.setup.index} ended with code ${code}`, { cause: error }),
    );
    return { code, error, isEvicted: this.#isEvicted };
  }

  #giveUp(error: Error): void {
    this.#ended = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #wait(report: string): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const promise = new Promise((resolve, reject) => this.#waiting.set(report, { resolve, reject }));
    // The waiting caller handles it; without one, `exited` reports the end of the thread.
    promise.catch(() => undefined);
    return promise;
  }

  #hear(report: WorkerReport): void {
    switch (report.kind) {
      case 'failed':
        this.#giveUp(new WorkerError('worker-not-started', report.message));
        break;
      case 'stopping':
        this.stopPhase = report.phase;
        break;
      case 'evicted':
        this.#isEvicted = true;
        break;
      case 'health':
        this.health = {
          store: report.store,
          writable: report.writable,
          backplane: report.backplane,
          denied: report.denied,
        };
        this.#healthChanged();
        break;
      case 'cordoned':
        this.#cordoned(report.isCordoned);
        break;
      case 'status':
        this.#settle(`status ${report.id}`, report.status);
        break;
      case 'answers':
        this.#settle(`answers ${report.id}`, report.answers);
        break;
      case 'listening':
        this.#settle(report.kind, report.addresses);
        break;
      default:
        this.#settle(report.kind, undefined);
    }
  }

  #settle(report: string, value: unknown): void {
    this.#waiting.get(report)?.resolve(value);
    this.#waiting.delete(report);
  }

  command(command: WorkerCommand, transfer: MessagePort[] = []): void {
    this.#thread.postMessage(command, transfer);
  }

  /** Resolves when the store is open and the broker has started; rejects if that fails. */
  prepare(): Promise<void> {
    const prepared = this.#wait('prepared');
    this.command({ kind: 'prepare' });
    return prepared as Promise<void>;
  }

  /** Opens the listeners; returns the addresses with the ports in use. */
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

  /** Puts a question of an operator. Rejects with WorkerError when the worker itself gives no answer in time. */
  async query(asked: Asked, body: string, milliseconds: number): Promise<QueryAnswer[]> {
    const id = ++this.#lastStatusId;
    const answers = this.#wait(`answers ${id}`) as Promise<QueryAnswer[]>;
    this.command({ kind: 'query', id, asked, body, milliseconds });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#waiting.delete(`answers ${id}`);
      reject(new WorkerError('worker-silent', `worker ${this.setup.index} gives no answer within ${milliseconds} ms`));
    }, milliseconds + lateMilliseconds);
    return Promise.race([answers, late]).finally(() => clearTimeout(timer));
  }

  /** Store that this worker alone has, for the supervisor. */
  get store(): Store {
    if (this.#store === null) {
      const { port1, port2 } = new MessageChannel();
      this.#store = new RemoteStore('memory', port1);
      port1.unref();
      this.command({ kind: 'serve-store', port: port2 }, [port2]);
    }
    return this.#store;
  }

  /** Resolves when its counters are in shared memory. Calls before the answer share one request. */
  count(): Promise<void> {
    if (this.#counting === null) {
      this.#counting = (this.#wait('counted') as Promise<void>).finally(() => {
        this.#counting = null;
      });
      this.command({ kind: 'count' });
    }
    return this.#counting;
  }

  /** Resolves when it has collected its garbage. Calls before the answer share one request. */
  collect(isUrgent: boolean): Promise<void> {
    if (this.#collecting === null) {
      this.#collecting = (this.#wait('collected') as Promise<void>).finally(() => {
        this.#collecting = null;
      });
      this.command({ kind: 'collect', isUrgent });
    }
    return this.#collecting;
  }

  /** Accepts no connection from now on. */
  closeListeners(): Promise<void> {
    const closed = this.#wait('listeners-closed');
    this.command({ kind: 'close-listeners' });
    return closed as Promise<void>;
  }

  /** Disconnects its clients; resolves when none is left. */
  drain(options: DrainOptions): Promise<void> {
    const drained = this.#wait('drained');
    this.command({ kind: 'drain', options });
    return drained as Promise<void>;
  }

  /** Lets it finish its work, then ends it. */
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
