import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { AccessTexts } from '@dunlin/auth';
import {
  newSharedCounts,
  newSharedRates,
  newSignInMemory,
  newSubscriptionCounts,
  refusalMemoryBytes,
} from '@dunlin/broker/guards';
import type { Asked, DrainOptions, EndpointId, Logger, QueryAnswer } from '@dunlin/broker/ports';
import type { Configuration, ListenerAddress } from '@dunlin/config';
import { type NodeMetrics, spokenBytes } from '@dunlin/telemetry';
import { EndpointNames } from '../endpoint-name.ts';
import type { TlsMaterial } from '../listeners/tls-material.ts';
import { events } from '../log-events.ts';
import { connectionsMax, networksMax } from '../node-limits.ts';
import { Heartbeats, newHeartbeats } from './heartbeats.ts';
import type { WorkerHealth, WorkerStatus } from './worker-message.ts';
import { WorkerError, type WorkerExit, WorkerThread } from './worker-thread.ts';

/** Delay until a worker that ended is replaced, doubled each time it ends again soon, up to the longest. */
const firstBackoffMilliseconds = 50;
const longestBackoffMilliseconds = 10_000;
/** Time after which a worker counts as healthy: after its end the delay is the first again. */
const healthyAfterMilliseconds = 60_000;
/** Time that a request for metrics waits for a worker: a busy one answers within some turns of its event loop. */
const countMilliseconds = 500;

/** Time that a collection waits for a worker: full collections of large heaps take about a millisecond for each MiB. */
const collectMilliseconds = 1000;

/** Resolves when all have settled, or some time has passed. */
async function within(milliseconds: number, all: readonly Promise<void>[]): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([Promise.allSettled(all), late]);
  clearTimeout(timer);
}

export interface PoolOptions {
  configuration: Configuration;
  version: string;
  logger: Logger;
  /** A port to the store thread for one more worker, or null when workers open the store themselves. */
  connectStore(): MessagePort | null;
  /** The last valid texts, for a worker that starts now. */
  accessTexts(): AccessTexts | null;
  /** A port to the audit log for one more worker; null: there is none. */
  connectAudit(): MessagePort | null;
  metrics: NodeMetrics;
  connectionCounts: SharedArrayBuffer;
  memoryLevel: SharedArrayBuffer;
  /** Reasons why the node is not ready, as `NodeStatus` shares them. */
  readiness: SharedArrayBuffer;
  /** Called when a worker has died, before its successor starts: releases what it owned. */
  releaseOwner(endpoint: EndpointId): Promise<void>;
  /** Current certificates, one for each listener; null where it has no TLS. */
  tls(): readonly (TlsMaterial | null)[];
  /** Called when an operator wants no new connections at this node, or wants them again. */
  cordoned(isCordoned: boolean): void;
  /** Called when `health` or `listening` may have changed. */
  changed(): void;
}

interface WorkerSlot {
  thread: WorkerThread;
  startedAt: number;
  backoffMilliseconds: number;
  timer: NodeJS.Timeout | null;
  isAlive: boolean;
  isListening: boolean;
}

/** Worker threads of a node: the pool starts them, connects each with every other, and replaces those that die. */
export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #names: EndpointNames;
  readonly #refusals = new SharedArrayBuffer(refusalMemoryBytes);
  readonly #rates = newSharedRates();
  readonly #spoken = new SharedArrayBuffer(spokenBytes);
  readonly #subscriptionCounts: SharedArrayBuffer;
  readonly #heartbeatMemory: SharedArrayBuffer;
  readonly #heartbeats: Heartbeats;
  readonly #byAddress: { readonly connections: SharedArrayBuffer; readonly connectRates: SharedArrayBuffer };
  readonly #attempts = newSignInMemory();
  #slots: WorkerSlot[] = [];
  #addresses: ListenerAddress[];
  #stopping = false;
  #replaced = 0;
  #asked = 0;
  /** The node is leaving: workers that die are not replaced. */
  #isLeaving = false;
  #isPrepared = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    const { workers, limits } = options.configuration;
    this.#byAddress = {
      connections: newSharedCounts(workers, networksMax(options.configuration)),
      connectRates: newSharedRates(),
    };
    this.#names = new EndpointNames(options.configuration.nodeId);
    this.#subscriptionCounts = newSubscriptionCounts(workers, limits, connectionsMax(options.configuration));
    this.#heartbeatMemory = newHeartbeats(options.configuration.workers);
    this.#heartbeats = new Heartbeats(this.#heartbeatMemory);
    this.#addresses = options.configuration.listeners.map((listener) => listener.address);
  }

  /** Starts the threads. Resolves when they have loaded what they need: the supervisor continues meanwhile. */
  async load(): Promise<void> {
    for (let index = 0; index < this.#options.configuration.workers; index++) this.#slots.push(this.#newSlot(index));
    await Promise.all(this.#slots.map((slot) => slot.thread.composed));
  }

  /**
   * Resolves when every worker has opened the store and joined the others. Rejects, with all threads ended, when one
   * cannot. To be called after `load`.
   */
  async prepare(): Promise<void> {
    try {
      await Promise.all(this.#slots.map((slot) => slot.thread.prepare()));
    } catch (error) {
      await this.terminate();
      throw error;
    }
    this.#isPrepared = true;
    this.#options.changed();
  }

  /**
   * Resolves with the addresses when every worker listens. Rejects, with all threads ended, when one cannot. To be
   * called after `prepare`.
   */
  async start(): Promise<ListenerAddress[]> {
    try {
      // The first worker picks the ports that the configuration leaves open, and holds them while the others join.
      this.#addresses = await this.#slots[0].thread.listen(this.#addresses);
      await Promise.all(this.#slots.slice(1).map((slot) => slot.thread.listen(this.#addresses)));
    } catch (error) {
      await this.terminate();
      throw error;
    }
    for (const slot of this.#slots) {
      slot.isListening = true;
      this.#watch(slot);
    }
    this.#options.changed();
    return this.#addresses;
  }

  get threads(): readonly WorkerThread[] {
    return this.#slots.map((slot) => slot.thread);
  }

  /** True when every worker has loaded the durable filters, and the routes of all others. */
  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  /** Workers that accept connections. */
  get listening(): number {
    return this.#slots.filter((slot) => slot.isListening).length;
  }

  /** False when a worker that accepts connections has been silent for too long. */
  get isAlive(): boolean {
    return this.#slots.every((slot) => !slot.isListening || this.#heartbeats.isAlive(slot.thread.setup.index));
  }

  /** Health of all workers that accept connections; before the first does, of all that were started. */
  get health(): WorkerHealth {
    const slots = this.listening > 0 ? this.#slots.filter((slot) => slot.isListening) : this.#slots;
    return {
      store: slots.every((slot) => slot.thread.health?.store !== false),
      writable: slots.every((slot) => slot.thread.health?.writable !== false),
      backplane: slots.every((slot) => slot.thread.health?.backplane !== false),
      denied: slots.map((slot) => slot.thread.health?.denied ?? '').find((denied) => denied !== '') ?? '',
    };
  }

  /** Workers that died and were replaced. */
  get replaced(): number {
    return this.#replaced;
  }

  /**
   * Resolves when every worker has written its counters, or some time has passed: of a worker that hangs the last
   * counters are used.
   */
  async count(): Promise<void> {
    const alive = this.#slots.filter((slot) => slot.isAlive);
    await within(
      countMilliseconds,
      alive.map((slot) => slot.thread.count()),
    );
  }

  /** Workers between death and replacement are left out. */
  async status(): Promise<WorkerStatus[]> {
    const answers = await Promise.allSettled(
      this.#slots.filter((slot) => slot.isListening).map((slot) => slot.thread.status()),
    );
    return answers.filter((answer) => answer.status === 'fulfilled').map((answer) => answer.value);
  }

  /** Puts a question of an operator through one of the workers, each time another. Rejects when it gives no answer in time. */
  async ask(asked: Asked, body: string, milliseconds: number): Promise<QueryAnswer[]> {
    const ready = this.#slots.filter((slot) => slot.isListening);
    if (ready.length === 0) throw new WorkerError('worker-ended', 'no worker accepts connections');
    return ready[this.#asked++ % ready.length].thread.query(asked, body, milliseconds);
  }

  /** Resolves when all workers have collected their garbage, or some time has passed. */
  async collect(isUrgent: boolean): Promise<void> {
    const alive = this.#slots.filter((slot) => slot.isAlive);
    await within(
      collectMilliseconds,
      alive.map((slot) => slot.thread.collect(isUrgent)),
    );
  }

  /** Gives up so many bytes that wait for clients, each worker its part. */
  shed(bytes: number): void {
    const alive = this.#slots.filter((slot) => slot.isListening);
    for (const slot of alive) slot.thread.command({ kind: 'shed', bytes: Math.ceil(bytes / alive.length) });
  }

  setLog(log: Configuration['log']): void {
    for (const slot of this.#slots) if (slot.isAlive) slot.thread.command({ kind: 'log', log });
  }

  replaceAccess(texts: AccessTexts): void {
    for (const slot of this.#slots) if (slot.isAlive) slot.thread.command({ kind: 'access', texts });
  }

  /** Accepts no connection from now on; workers that die are not replaced. */
  async closeListeners(): Promise<void> {
    this.#isLeaving = true;
    for (const slot of this.#slots) if (slot.timer !== null) clearTimeout(slot.timer);
    await Promise.allSettled(this.#slots.map((slot) => slot.thread.closeListeners()));
  }

  /** Disconnects all clients; resolves when none is left. Clients of a worker that dies count as disconnected. */
  async drain(options: DrainOptions): Promise<void> {
    await Promise.allSettled(this.#slots.map((slot) => slot.thread.drain(options)));
  }

  /** Gives all workers new certificates for one listener; workers that start later get them at the start. */
  renewTls(listener: number, material: TlsMaterial): void {
    for (const slot of this.#slots) if (slot.isAlive) slot.thread.command({ kind: 'tls', listener, material });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const slot of this.#slots) if (slot.timer !== null) clearTimeout(slot.timer);
    // A worker that dies while it drains has drained, too.
    await Promise.allSettled(this.#slots.map((slot) => slot.thread.stop()));
  }

  /** Ends all threads at once. */
  async terminate(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#slots.map((slot) => slot.thread.terminate()));
  }

  #newSlot(index: number): WorkerSlot {
    return {
      thread: this.#spawn(index, this.#slots),
      startedAt: Date.now(),
      backoffMilliseconds: firstBackoffMilliseconds,
      timer: null,
      isAlive: true,
      isListening: false,
    };
  }

  /** Starts a thread with a channel to each of the others. */
  #spawn(index: number, others: readonly WorkerSlot[]): WorkerThread {
    const { configuration, version, connectStore, connectAudit, accessTexts, tls } = this.#options;
    const endpoint = this.#names.next(index);
    const channels = others.filter((slot) => slot.isAlive).map((slot) => ({ slot, channel: new MessageChannel() }));
    const peers = channels.map(({ slot, channel }) => ({ endpoint: slot.thread.setup.endpoint, port: channel.port1 }));
    const setup = {
      ...{ configuration, version, endpoint, index, peers },
      storePort: connectStore(),
      auditPort: connectAudit(),
      accessTexts: accessTexts(),
      figures: this.#options.metrics.attach(index),
      refusals: this.#refusals,
      attempts: this.#attempts,
      byAddress: this.#byAddress,
      rates: this.#rates,
      connectionCounts: this.#options.connectionCounts,
      memoryLevel: this.#options.memoryLevel,
      readiness: this.#options.readiness,
      spoken: this.#spoken,
      heartbeats: this.#heartbeatMemory,
      subscriptionCounts: this.#subscriptionCounts,
      tls: tls(),
    };
    this.#heartbeats.beat(index);
    const thread = new WorkerThread(
      setup,
      () => this.#options.changed(),
      (isCordoned) => this.#options.cordoned(isCordoned),
    );
    for (const { slot, channel } of channels) {
      slot.thread.command({ kind: 'peer', peer: { endpoint, port: channel.port2 } }, [channel.port2]);
    }
    return thread;
  }

  #watch(slot: WorkerSlot): void {
    const { thread } = slot;
    void thread.exited.then((exit) => {
      if (!this.#stopping && slot.thread === thread) void this.#workerDied(slot, exit);
    });
  }

  async #workerDied(slot: WorkerSlot, { code, error, isEvicted }: WorkerExit): Promise<void> {
    slot.isAlive = false;
    slot.isListening = false;
    this.#options.metrics.detach(slot.thread.setup.index);
    this.#options.changed();
    const { index, endpoint } = slot.thread.setup;
    if (Date.now() - slot.startedAt > healthyAfterMilliseconds) slot.backoffMilliseconds = firstBackoffMilliseconds;
    const delay = slot.backoffMilliseconds;
    slot.backoffMilliseconds = Math.min(delay * 2, longestBackoffMilliseconds);
    const { logger } = this.#options;
    const event = events[isEvicted ? 'worker.evicted' : 'worker.died'];
    logger.error(event, { worker: index, endpoint, code, error, inMilliseconds: delay });
    try {
      await this.#options.releaseOwner(endpoint);
    } catch (releaseError) {
      logger.error(events['worker.release-failed'], { endpoint, error: releaseError });
    }
    if (this.#stopping || this.#isLeaving) return;
    slot.timer = setTimeout(() => void this.#replace(slot), delay);
  }

  async #replace(slot: WorkerSlot): Promise<void> {
    slot.timer = null;
    slot.startedAt = Date.now();
    const thread = this.#spawn(slot.thread.setup.index, this.#slots);
    slot.thread = thread;
    slot.isAlive = true;
    this.#watch(slot);
    try {
      await thread.prepare();
      await thread.listen(this.#addresses);
      slot.isListening = true;
      this.#replaced++;
      this.#options.changed();
      this.#options.logger.info(events['worker.replaced'], {
        worker: thread.setup.index,
        endpoint: thread.setup.endpoint,
      });
    } catch (error) {
      if (this.#stopping) return;
      this.#options.logger.error(events['worker.replace-failed'], { worker: thread.setup.index, error });
      // The watch sees its end, and tries again later.
      await thread.terminate();
    }
  }
}
