import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { AccessTexts } from '@dunlin/auth';
import { type DrainOptions, type EndpointId, type Logger, refusalMemoryBytes } from '@dunlin/broker';
import type { Configuration, ListenerAddress } from '@dunlin/config';
import { type NodeMetrics, spokenBytes } from '@dunlin/telemetry';
import { EndpointNames } from '../endpoint-name.ts';
import type { TlsMaterial } from '../listeners/tls-material.ts';
import type { WorkerHealth, WorkerStatus } from './worker-message.ts';
import { type WorkerExit, WorkerThread } from './worker-thread.ts';

/** A worker that ends is replaced after this long, doubled each time it ends again soon, up to the longest. */
const firstBackoffMilliseconds = 50;
const longestBackoffMilliseconds = 10_000;
/** A worker that served this long was healthy: the next end begins at the first backoff again. */
const healthyAfterMilliseconds = 60_000;
/** A worker that is busy answers within some turns of its event loop; whoever asks for metrics is not kept longer than this. */
const countMilliseconds = 500;

export interface PoolOptions {
  configuration: Configuration;
  version: string;
  logger: Logger;
  /** A port to the store thread for one more worker, or null when workers open the store themselves. */
  connectStore(): MessagePort | null;
  /** The last good texts, for a worker that begins now. */
  accessTexts(): AccessTexts | null;
  metrics: NodeMetrics;
  connectionCounts: SharedArrayBuffer;
  /** Called when a worker has died, before its successor starts: what it owned is nobody's now. */
  releaseOwner(endpoint: EndpointId): Promise<void>;
  /** Certificates as they are now, one for each listener; null where it has no TLS. */
  tls(): readonly (TlsMaterial | null)[];
  /** Called when `health` or `listening` may have changed. */
  changed(): void;
}

interface Seat {
  thread: WorkerThread;
  startedAt: number;
  backoffMilliseconds: number;
  timer: NodeJS.Timeout | null;
  isAlive: boolean;
  isListening: boolean;
}

/** The worker threads of a node: starts them, connects each with every other, replaces those that die. */
export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #names: EndpointNames;
  readonly #refusals = new SharedArrayBuffer(refusalMemoryBytes);
  readonly #spoken = new SharedArrayBuffer(spokenBytes);
  #seats: Seat[] = [];
  #addresses: ListenerAddress[];
  #stopping = false;
  #replaced = 0;
  /** The node is leaving: workers that die are not replaced. */
  #isLeaving = false;
  #isPrepared = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#names = new EndpointNames(options.configuration.nodeId);
    this.#addresses = options.configuration.listeners.map((listener) => listener.address);
  }

  /** Starts the threads. Resolves when they have loaded what they need: the supervisor gets on meanwhile. */
  async load(): Promise<void> {
    for (let index = 0; index < this.#options.configuration.workers; index++) this.#seats.push(this.#newSeat(index));
    await Promise.all(this.#seats.map((seat) => seat.thread.composed));
  }

  /** Resolves when every worker has opened the store and joined the others. Rejects, with all threads ended, when one cannot. After `load`. */
  async prepare(): Promise<void> {
    try {
      await Promise.all(this.#seats.map((seat) => seat.thread.prepare()));
    } catch (error) {
      await this.terminate();
      throw error;
    }
    this.#isPrepared = true;
    this.#options.changed();
  }

  /** Resolves with the addresses when every worker listens. Rejects, with all threads ended, when one cannot. After `prepare`. */
  async start(): Promise<ListenerAddress[]> {
    try {
      // The first one picks the ports that the configuration leaves open, and holds them while the others join.
      this.#addresses = await this.#seats[0].thread.listen(this.#addresses);
      await Promise.all(this.#seats.slice(1).map((seat) => seat.thread.listen(this.#addresses)));
    } catch (error) {
      await this.terminate();
      throw error;
    }
    for (const seat of this.#seats) {
      seat.isListening = true;
      this.#watch(seat);
    }
    this.#options.changed();
    return this.#addresses;
  }

  get threads(): readonly WorkerThread[] {
    return this.#seats.map((seat) => seat.thread);
  }

  /** Every worker has loaded the durable filters, and the routes of all others. */
  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  /** Workers that accept connections. */
  get listening(): number {
    return this.#seats.filter((seat) => seat.isListening).length;
  }

  /** Health of all workers that accept connections; before the first does, of all that were started. */
  get health(): WorkerHealth {
    const seats = this.listening > 0 ? this.#seats.filter((seat) => seat.isListening) : this.#seats;
    return {
      store: seats.every((seat) => seat.thread.health?.store !== false),
      writable: seats.every((seat) => seat.thread.health?.writable !== false),
      backplane: seats.every((seat) => seat.thread.health?.backplane !== false),
      denied: seats.map((seat) => seat.thread.health?.denied ?? '').find((denied) => denied !== '') ?? '',
    };
  }

  /** Workers that died and were replaced. */
  get replaced(): number {
    return this.#replaced;
  }

  /** Resolves when every worker has written what it counts, or some time has passed: what one that hangs wrote last has to do. */
  async count(): Promise<void> {
    const counted = this.#seats.filter((seat) => seat.isAlive).map((seat) => seat.thread.count());
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, countMilliseconds);
    await Promise.race([Promise.allSettled(counted), late]);
    clearTimeout(timer);
  }

  /** Workers that are between death and replacement are left out. */
  async status(): Promise<WorkerStatus[]> {
    const answers = await Promise.allSettled(
      this.#seats.filter((seat) => seat.isListening).map((seat) => seat.thread.status()),
    );
    return answers.filter((answer) => answer.status === 'fulfilled').map((answer) => answer.value);
  }

  setLog(log: Configuration['log']): void {
    for (const seat of this.#seats) if (seat.isAlive) seat.thread.command({ kind: 'log', log });
  }

  replaceAccess(texts: AccessTexts): void {
    for (const seat of this.#seats) if (seat.isAlive) seat.thread.command({ kind: 'access', texts });
  }

  /** Accepts no connection from now on; workers that die are not replaced. */
  async closeListeners(): Promise<void> {
    this.#isLeaving = true;
    for (const seat of this.#seats) if (seat.timer !== null) clearTimeout(seat.timer);
    await Promise.allSettled(this.#seats.map((seat) => seat.thread.closeListeners()));
  }

  /** Sends all clients away; resolves when none is left. Those of a worker that dies are gone, too. */
  async drain(options: DrainOptions): Promise<void> {
    await Promise.allSettled(this.#seats.map((seat) => seat.thread.drain(options)));
  }

  /** Gives all workers other certificates for one listener; those that come later get them at their birth. */
  renewTls(listener: number, material: TlsMaterial): void {
    for (const seat of this.#seats) if (seat.isAlive) seat.thread.command({ kind: 'tls', listener, material });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const seat of this.#seats) if (seat.timer !== null) clearTimeout(seat.timer);
    // One that dies on its way out is out, too.
    await Promise.allSettled(this.#seats.map((seat) => seat.thread.stop()));
  }

  /** Ends all threads at once. */
  async terminate(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#seats.map((seat) => seat.thread.terminate()));
  }

  #newSeat(index: number): Seat {
    return {
      thread: this.#spawn(index, this.#seats),
      startedAt: Date.now(),
      backoffMilliseconds: firstBackoffMilliseconds,
      timer: null,
      isAlive: true,
      isListening: false,
    };
  }

  /** Starts a thread with a channel to each of the others. */
  #spawn(index: number, others: readonly Seat[]): WorkerThread {
    const { configuration, version, connectStore, accessTexts, tls } = this.#options;
    const endpoint = this.#names.next(index);
    const channels = others.filter((seat) => seat.isAlive).map((seat) => ({ seat, channel: new MessageChannel() }));
    const peers = channels.map(({ seat, channel }) => ({ endpoint: seat.thread.setup.endpoint, port: channel.port1 }));
    const setup = {
      ...{ configuration, version, endpoint, index, peers },
      storePort: connectStore(),
      accessTexts: accessTexts(),
      figures: this.#options.metrics.attach(index),
      refusals: this.#refusals,
      connectionCounts: this.#options.connectionCounts,
      spoken: this.#spoken,
      tls: tls(),
    };
    const thread = new WorkerThread(setup, () => this.#options.changed());
    for (const { seat, channel } of channels) {
      seat.thread.command({ kind: 'peer', peer: { endpoint, port: channel.port2 } }, [channel.port2]);
    }
    return thread;
  }

  #watch(seat: Seat): void {
    const { thread } = seat;
    void thread.exited.then((exit) => {
      if (!this.#stopping && seat.thread === thread) void this.#workerDied(seat, exit);
    });
  }

  async #workerDied(seat: Seat, { code, error, isEvicted }: WorkerExit): Promise<void> {
    seat.isAlive = false;
    seat.isListening = false;
    this.#options.metrics.detach(seat.thread.setup.index);
    this.#options.changed();
    const { index, endpoint } = seat.thread.setup;
    if (Date.now() - seat.startedAt > healthyAfterMilliseconds) seat.backoffMilliseconds = firstBackoffMilliseconds;
    const delay = seat.backoffMilliseconds;
    seat.backoffMilliseconds = Math.min(delay * 2, longestBackoffMilliseconds);
    const { logger } = this.#options;
    const what = isEvicted ? 'worker was held for dead and has ended' : 'worker died';
    logger.error(`${what}, another takes its place`, { worker: index, endpoint, code, error, inMilliseconds: delay });
    try {
      await this.#options.releaseOwner(endpoint);
    } catch (releaseError) {
      logger.error('what a dead worker owned could not be released', { endpoint, error: releaseError });
    }
    if (this.#stopping || this.#isLeaving) return;
    seat.timer = setTimeout(() => void this.#replace(seat), delay);
  }

  async #replace(seat: Seat): Promise<void> {
    seat.timer = null;
    seat.startedAt = Date.now();
    const thread = this.#spawn(seat.thread.setup.index, this.#seats);
    seat.thread = thread;
    seat.isAlive = true;
    this.#watch(seat);
    try {
      await thread.prepare();
      await thread.listen(this.#addresses);
      seat.isListening = true;
      this.#replaced++;
      this.#options.changed();
      this.#options.logger.info('worker replaced', { worker: thread.setup.index, endpoint: thread.setup.endpoint });
    } catch (error) {
      if (this.#stopping) return;
      this.#options.logger.error('a worker could not be replaced', { worker: thread.setup.index, error });
      // Its end is seen by the watch, which tries again later.
      await thread.terminate();
    }
  }
}
