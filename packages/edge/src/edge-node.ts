import type { Store } from '@dunlin/broker';
import { type Configuration, formatListenerUrl, type Key, keys, type ListenerAddress } from '@dunlin/config';
import type { NodeLogger } from '@dunlin/telemetry';
import { composeLogger, composeStore, needsStoreThread } from './compose.ts';
import { refuseSharedPort } from './listeners/socket-listener.ts';
import { lockData } from './store/data-lock.ts';
import { StoreThread } from './store/store-thread.ts';
import type { WorkerStatus } from './workers/worker-message.ts';
import { WorkerPool } from './workers/worker-pool.ts';

export interface NodeOptions {
  version: string;
}

/**
 * A running node, seen from its supervisor thread. No MQTT byte passes here: the supervisor starts workers, replaces those that die, and
 * gives up what the dead owned.
 */
export class EdgeNode {
  readonly #configuration: Configuration;
  readonly #logger: NodeLogger;
  readonly #pool: WorkerPool;
  readonly #storeThread: StoreThread | null;
  /** The supervisor's own view of the store; null when only the one worker can see it. */
  #store: Store | null = null;
  #unlockData: () => void = () => undefined;
  #addresses: ListenerAddress[] = [];
  #stopped: Promise<void> | null = null;
  /** Rejects when the node cannot go on; never resolves. */
  readonly failure: Promise<never>;

  constructor(configuration: Configuration, options: NodeOptions) {
    this.#configuration = configuration;
    this.#logger = composeLogger(configuration, null);
    const { promise, reject } = Promise.withResolvers<never>();
    this.failure = promise;
    promise.catch((error: Error) => this.#logger.error('the node cannot go on', { error }));
    this.#storeThread = needsStoreThread(configuration) ? new StoreThread(reject) : null;
    this.#pool = new WorkerPool({
      configuration,
      version: options.version,
      logger: this.#logger,
      connectStore: () => this.#storeThread?.connect() ?? null,
      releaseOwner: (endpoint) => this.#releaseOwner(endpoint),
    });
  }

  /** The addresses clients reach, with the ports that were really taken, in the order of the configuration. */
  get addresses(): readonly ListenerAddress[] {
    return this.#addresses;
  }

  get logger(): NodeLogger {
    return this.#logger;
  }

  /** For tests that kill workers. */
  get pool(): WorkerPool {
    return this.#pool;
  }

  status(): Promise<WorkerStatus[]> {
    return this.#pool.status();
  }

  async start(version: string): Promise<void> {
    const begun = performance.now();
    const { listeners, store, workers } = this.#configuration;
    this.#logger.info('dunlin', {
      version,
      runtime: process.version,
      pid: process.pid,
      listeners: listeners.map((listener) => listener.url),
      store: store.kind === 'lmdb' ? `lmdb ${store.path} ${store.durability}` : 'memory',
      workers,
    });
    try {
      if (workers > 1) for (const listener of listeners) await refuseSharedPort(listener.address);
      await this.#openStore();
      this.#addresses = await this.#pool.start();
    } catch (error) {
      await this.#close();
      throw error;
    }
    const startMilliseconds = Math.round(performance.now() - begun);
    this.#logger.info('ready', {
      listeners: this.#addresses.map(formatListenerUrl),
      startMilliseconds,
    });
  }

  /**
   * Claims that are in the store at a start belong to workers of an earlier life: only one node uses an embedded store, so whoever owned
   * anything is dead, under whatever name. A lone worker's memory store is its own: it is empty at the start and gone with the worker.
   */
  async #openStore(): Promise<void> {
    const isPrivate = this.#configuration.store.kind === 'memory' && this.#storeThread === null;
    if (isPrivate) return;
    const { kind, path } = this.#configuration.store;
    if (kind === 'lmdb') this.#unlockData = await lockData(path);
    this.#store = await composeStore(this.#configuration, this.#storeThread?.connect() ?? null);
    await this.#store.open();
    for (const owner of await this.#store.owners()) await this.#store.releaseOwner(owner, Date.now());
  }

  async #releaseOwner(endpoint: string): Promise<void> {
    const store = this.#store;
    if (store === null) return;
    // Alone there is no backplane that gave the worker its name: everything belongs to it.
    const dead = this.#configuration.workers === 1 ? await store.owners() : [endpoint];
    for (const owner of dead) await store.releaseOwner(owner, Date.now());
  }

  /**
   * Takes over what may change while the node runs.
   * @returns the keys that changed and need a new start
   */
  reload(next: Configuration): string[] {
    const changed = keys.filter((key) => !isSame(key, this.#configuration, next));
    const { log } = this.#configuration;
    if (log.level !== next.log.level) {
      log.level = next.log.level;
      this.#logger.setLevel(next.log.level);
      this.#pool.setLogLevel(next.log.level);
    }
    const applied = changed.filter((key) => key.reloads).map((key) => key.path);
    const needStart = changed.filter((key) => !key.reloads).map((key) => key.path);
    this.#logger.info('configuration reloaded', { changed: applied });
    if (needStart.length > 0)
      this.#logger.warn('changed keys that take effect at the next start only', { keys: needStart });
    return needStart;
  }

  /** Stops accepting, disconnects clients, writes sessions back. Done twice, it is done once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#logger.info('stopping');
    await this.#pool.stop();
    await this.#close();
    this.#logger.info('stopped');
  }

  async #close(): Promise<void> {
    await this.#store?.close();
    await this.#storeThread?.stop();
    this.#unlockData();
  }

  /** What each worker was last busy with while stopping, for the line that says what hung. */
  describeStop(): string {
    return this.#pool.threads.map(({ setup, stopPhase }) => `worker ${setup.index}: ${stopPhase}`).join(', ');
  }
}

function isSame(key: Key, before: Configuration, after: Configuration): boolean {
  const read = (configuration: Configuration) =>
    key.path.split('.').reduce((value: unknown, step) => (value as Record<string, unknown>)[step], configuration);
  return JSON.stringify(read(before)) === JSON.stringify(read(after));
}

/** Starts a node; resolves when it accepts connections. */
export async function startNode(configuration: Configuration, options: NodeOptions): Promise<EdgeNode> {
  const node = new EdgeNode(configuration, options);
  await node.start(options.version);
  return node;
}
