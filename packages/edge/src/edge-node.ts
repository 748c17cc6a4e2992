import type { AccessTexts } from '@dunlin/auth';
import { auditEvents, type Store, StoreError } from '@dunlin/broker/ports';
import { type Configuration, formatListenerUrl, type ListenerAddress, withoutSecrets } from '@dunlin/config';
import { type NodeLogger, NodeMetrics } from '@dunlin/telemetry';
import { AdminServer } from './admin/admin-server.ts';
import { provideFirstKey } from './admin/first-key.ts';
import { LazyApi } from './admin/lazy-api.ts';
import { type ControlServer, openControl } from './admin/open-control.ts';
import { type NodeAudit, openAudit, processFields } from './audit/open-audit.ts';
import {
  closeStore,
  composeLeases,
  composeLogger,
  composeStore,
  isInCluster,
  isStoreRemote,
  listenerNames,
  needsStoreThread,
  type OpenLeases,
} from './compose.ts';
import { newConnectionCounts } from './connection-room.ts';
import { NodeDrain } from './drain.ts';
import { warnOfExposedServers } from './exposed-servers.ts';
import { warnOfOpenFiles } from './file-modes.ts';
import { refuseSharedPort } from './listeners/shared-port.ts';
import { events } from './log-events.ts';
import { warnOfLooseTokens } from './loose-tokens.ts';
import { connectionsMax } from './node-limits.ts';
import { NodeMemory } from './node-memory.ts';
import { NodeStatus } from './node-status.ts';
import { checkOpenFiles, makeRoom, openFiles } from './open-files.ts';
import { Renewal } from './renewal.ts';
import { StoppedError } from './stopped-error.ts';
import { lockData, widerThanNeeded } from './store/data-lock.ts';
import { StoreThread } from './store/store-thread.ts';
import { threadMemory } from './thread-memory.ts';
import type { WorkerStatus } from './workers/worker-message.ts';
import { WorkerPool } from './workers/worker-pool.ts';

export interface NodeOptions {
  version: string;
  /** Texts of the files with users and rules, if they were read already; null: there are none. */
  accessTexts?: AccessTexts | null;
  /** Places where the keys of the configuration were set; absent: they are not known. */
  origins?: ReadonlyMap<string, string>;
  /** Reads the configuration again; absent: it cannot be. Throws ConfigurationError. */
  reload?: () => Configuration;
}

/**
 * A running node, seen from its supervisor thread. No MQTT byte passes here: the supervisor starts workers, replaces those that die, and
 * gives up what the dead owned.
 */
export class EdgeNode {
  readonly #configuration: Configuration;
  readonly #logger: NodeLogger;
  readonly #version: string;
  readonly #pool: WorkerPool;
  readonly #metrics: NodeMetrics;
  readonly #renewal: Renewal;
  #audit: NodeAudit | null = null;
  /** Readiness of the node for clients, with the reasons. */
  readonly readiness: NodeStatus;
  readonly #api: LazyApi;
  readonly #admin: AdminServer | null;
  readonly #storeThread: StoreThread | null;
  /** The supervisor's own view of the store; null when only the one worker can see it. */
  #store: Store | null = null;
  #leases: OpenLeases | null = null;
  #isStoreConnected = false;
  #control: ControlServer | null = null;
  #unlockData: () => void = () => undefined;
  readonly #connectionCounts: SharedArrayBuffer;
  readonly #memory: NodeMemory;
  /** Limit of connections from the configuration, or what the open files leave room for when that is less. */
  #connectionsMax: number;
  #addresses: ListenerAddress[] = [];
  #adminUrl: string | null = null;
  #started: Promise<void> | null = null;
  #drain: NodeDrain | null = null;
  #stopped: Promise<void> | null = null;
  #closed: Promise<void> | null = null;
  /** Rejects when the node cannot go on; never resolves. */
  readonly failure: Promise<never>;

  constructor(configuration: Configuration, options: NodeOptions) {
    this.#configuration = configuration;
    this.#version = options.version;
    this.#logger = composeLogger(configuration, null);
    this.readiness = new NodeStatus(this.#logger);
    this.#api = this.#makeApi(options);
    this.#admin =
      configuration.admin.address === ''
        ? null
        : new AdminServer({
            status: this.readiness,
            isAlive: () => this.#pool.isAlive,
            metrics: () => this.#countAll(),
            metricsNeedKey: configuration.admin.metricsKey,
            api: this.#api,
          });
    this.#metrics = new NodeMetrics(listenerNames(configuration));
    const { promise, reject } = Promise.withResolvers<never>();
    this.failure = promise;
    promise.catch((error: Error) => this.#logger.error(events['node.failed'], { error }));
    this.#storeThread = needsStoreThread(configuration) ? new StoreThread(reject) : null;
    this.#renewal = new Renewal({
      ...{ configuration, logger: this.#logger, accessTexts: options.accessTexts ?? null },
      workers: () => this.#pool,
      audit: () => this.#audit,
    });
    this.#connectionsMax = connectionsMax(configuration);
    this.#connectionCounts = newConnectionCounts(configuration.workers);
    this.#memory = new NodeMemory(configuration, this.#logger, this.readiness, () => this.#pool);
    this.#pool = new WorkerPool({
      connectionCounts: this.#connectionCounts,
      memoryLevel: this.#memory.level,
      readiness: this.readiness.shared,
      tls: () => this.#renewal.certificates.materials,
      ...{ configuration, version: options.version, logger: this.#logger },
      connectStore: () => this.#storeThread?.connect() ?? null,
      accessTexts: () => this.#renewal.accessTexts,
      connectAudit: () => this.#audit?.connect() ?? null,
      metrics: this.#metrics,
      releaseOwner: (endpoint) => this.#releaseOwner(endpoint),
      cordoned: (isCordoned) => this.readiness.set({ cordoned: isCordoned }),
      changed: () => this.#observe(),
    });
    this.#observe();
  }

  /** The addresses clients reach, with the ports that were really taken, in the order of the configuration. */
  get addresses(): readonly ListenerAddress[] {
    return this.#addresses;
  }

  /** Address of the HTTP server, with the port that was taken; null: none. */
  get adminUrl(): string | null {
    return this.#adminUrl;
  }

  get logger(): NodeLogger {
    return this.#logger;
  }

  /** Worker pool for tests that kill workers. */
  get pool(): WorkerPool {
    return this.#pool;
  }

  status(): Promise<WorkerStatus[]> {
    return this.#pool.status();
  }

  /** Resolves when the node accepts connections. A store or a backplane that is a server and cannot be reached is waited for. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    const begun = performance.now();
    this.#introduce();
    try {
      const { listeners, workers, admin } = this.#configuration;
      checkOpenFiles(this.#configuration);
      this.#audit = await openAudit(this.#configuration, this.#logger);
      await this.#renewal.open();
      warnOfOpenFiles(this.#configuration, this.#logger);
      warnOfExposedServers(this.#configuration, this.#logger);
      warnOfLooseTokens(this.#configuration, this.#logger);
      if (workers > 1) for (const listener of listeners) await refuseSharedPort(listener.address);
      if (this.#admin !== null) {
        this.#adminUrl = await this.#admin.listen(admin.address);
        this.#logger.info(events['admin.opened'], { address: this.#adminUrl });
      }
      await Promise.all([this.#openStore(), this.#pool.load()]);
      this.#goOn();
      await provideFirstKey(this.#configuration, this.#store?.adminKeys ?? null, this.#logger);
      await this.#pool.prepare();
      // Everything that the node opens for itself is open now, and no connection yet.
      this.#connectionsMax = makeRoom(this.#configuration, this.#connectionCounts, this.#logger);
      this.#addresses = await this.#pool.start();
    } catch (error) {
      if (this.#stopped === null) await this.#pool.terminate();
      await this.#close();
      throw error;
    }
    const startMilliseconds = Math.round(performance.now() - begun);
    const listeners = this.#addresses.map(formatListenerUrl);
    this.#logger.info(events['node.started'], { listeners, startMilliseconds });
    this.#audit?.record(auditEvents['node.started'], { version: this.#version, ...processFields(), listeners });
    this.readiness.set({ starting: false });
    this.#memory.start();
  }

  #makeApi({ version, origins, reload }: NodeOptions): LazyApi {
    return new LazyApi({
      ...{ configuration: this.#configuration, origins: origins ?? new Map(), version, logger: this.#logger },
      audit: () => this.#audit,
      store: () => this.#storeOfApi(),
      ask: (...question) => this.#pool.ask(...question),
      addresses: () => this.#addresses,
      certificateEnds: () => this.#renewal.certificates.ends,
      reload: reload === undefined ? null : () => this.reload(reload()),
    });
  }

  /** The supervisor's own view of the store, or that of a lone worker which keeps it in memory. */
  #storeOfApi(): Store {
    const store = this.readiness.reasons.includes('starting') ? null : (this.#store ?? this.#pool.threads[0].store);
    if (store === null) throw new StoreError('unavailable', 'the node is starting');
    return store;
  }

  /** The first line: what this node is. */
  #introduce(): void {
    const { store, backplane, cluster, workers } = this.#configuration;
    const stores = {
      memory: 'memory',
      lmdb: `lmdb ${store.path} ${store.durability}`,
      redis: `${withoutSecrets(store.url)} ${store.durability}`,
    };
    this.#logger.info(events['node.launched'], {
      version: this.#version,
      runtime: process.version,
      pid: process.pid,
      store: stores[store.kind],
      ...(isInCluster(this.#configuration) ? { backplane: withoutSecrets(backplane.url), cluster: cluster.name } : {}),
      workers,
    });
  }

  /**
   * Claims that are in an embedded store at a start belong to workers of an earlier life: only one node uses it, so whoever owned
   * anything is dead, under whatever name. A lone worker's memory store is its own: it is empty at the start and gone with the worker. In Redis the
   * dead are told from the living by their leases, which is the workers' business.
   */
  async #openStore(): Promise<void> {
    const configuration = this.#configuration;
    const { kind, path } = configuration.store;
    if (kind === 'memory' && this.#storeThread === null) return;
    if (kind === 'lmdb') this.#unlockData = await lockData(path);
    const modes = kind === 'lmdb' ? widerThanNeeded(path) : null;
    if (modes !== null) this.#logger.warn(events['data-directory.exposed'], { path, ...modes });
    const port = this.#storeThread?.connect() ?? null;
    const onStatus = (connected: boolean): void => {
      this.#isStoreConnected = connected;
      this.#observe();
    };
    this.#store = await composeStore({ configuration, logger: this.#logger, port, onStatus });
    this.#leases = await composeLeases(configuration);
    this.#goOn();
    await this.#store.open();
    this.#goOn();
    await this.#leases?.open();
    if (isStoreRemote(configuration)) return;
    if (kind === 'lmdb') this.#control = await openControl(path, this.#logger, this.#api.answer);
    for (const owner of await this.#store.sessions.owners()) await this.#store.sessions.releaseOwner(owner, Date.now());
  }

  /** Throws when the node was stopped while it waited. */
  #goOn(): void {
    if (this.#stopped !== null) throw new StoppedError();
  }

  /** A worker of this node is dead for sure, so nobody need wait for the end of its lease. */
  async #releaseOwner(endpoint: string): Promise<void> {
    const store = this.#store;
    if (store === null) return;
    await this.#leases?.evict(endpoint, true);
    // Alone on an embedded store there is no backplane that gave the worker its name: everything belongs to it.
    const isNameless = this.#configuration.workers === 1 && this.#leases === null;
    const dead = isNameless ? await store.sessions.owners() : [endpoint];
    for (const owner of dead) await store.sessions.releaseOwner(owner, Date.now());
  }

  /** Looks at everything that readiness depends on. */
  #observe(): void {
    if (this.#stopped !== null) return;
    const health = this.#pool.health;
    const hasWorkers = this.#pool.threads.length > 0;
    const { denied } = health;
    this.readiness.explain('backplane', denied === '' ? '' : `NATS does not allow the node to ${denied}`);
    this.readiness.set({
      store: isStoreRemote(this.#configuration) && !(this.#isStoreConnected && health.store),
      'store-writes': !health.writable,
      backplane: isInCluster(this.#configuration) && !(hasWorkers && health.backplane),
      routes: isInCluster(this.#configuration) && !this.#pool.isPrepared,
      workers: this.#pool.listening === 0 && !this.readiness.reasons.includes('starting'),
    });
  }

  /** Counts of the whole node at this moment. */
  async #countAll(): Promise<{ contentType: string; text: string }> {
    await this.#pool.count();
    const { heap, buffers } = threadMemory();
    const [storeHeap, storeBuffers] = this.#storeThread?.memoryBytes ?? [0, 0];
    return this.#metrics.text({
      version: this.#version,
      runtime: process.version,
      startedAt: performance.timeOrigin / 1000,
      isReady: this.readiness.isReady,
      notReady: this.readiness.reasons,
      connectionsMax: this.#connectionsMax,
      openFiles: openFiles(),
      certificateEnds: this.#renewal.certificates.ends,
      auditDropped: this.#audit?.dropped ?? 0,
      adminKeysRefused: this.#api.keysRefused,
      ...this.#memory.figures,
      listening: this.#pool.listening,
      replaced: this.#pool.replaced,
      ...{ heapBytes: heap + storeHeap, externalBytes: buffers + storeBuffers },
      cpuUserSeconds: process.cpuUsage().user / 1e6,
      cpuSystemSeconds: process.cpuUsage().system / 1e6,
    });
  }

  /**
   * Takes over what may change while the node runs.
   * @returns the keys that changed and need a new start
   */
  reload(next: Configuration): string[] {
    return this.#renewal.reload(next);
  }

  /**
   * Readiness off, then no more connections, then the clients are sent away at a pace (drain.ts). Resolves when `stop` may follow: no client is left, the time for
   * it is over, or `stop` was called meanwhile.
   */
  async drain(): Promise<void> {
    if (this.#stopped !== null) return;
    this.readiness.set({ draining: true });
    const { drain: settings } = this.#configuration;
    const isAlone = !isInCluster(this.#configuration);
    this.#drain ??= new NodeDrain({ pool: this.#pool, logger: this.#logger, settings, isAlone });
    await this.#drain.run();
  }

  /** Stops accepting, disconnects clients, writes sessions back. Done twice, it is done once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#logger.info(events['node.stop-requested']);
    this.#drain?.cutShort();
    const isWaiting = isStoreRemote(this.#configuration) && this.readiness.reasons.includes('starting');
    this.readiness.set({ draining: true });
    // Whoever waits for a server is not waited for; opening an embedded store ends by itself.
    if (isWaiting) await closeStore(this.#configuration, this.#store, this.#leases);
    else await this.#started?.catch(() => undefined);
    await this.#pool.stop();
    this.#audit?.record(auditEvents['node.stopped'], {});
    await this.#close();
    this.#logger.info(events['node.stopped']);
  }

  #close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    this.#memory.stop();
    this.#renewal.close();
    await Promise.all([this.#admin?.close(), this.#control?.close()]);
    await closeStore(this.#configuration, this.#store, this.#leases);
    await this.#storeThread?.stop();
    this.#unlockData();
    await this.#audit?.close();
  }

  /** Last step of each worker in a stop, for the line that says what hung. */
  describeStop(): string {
    return this.#pool.threads.map(({ setup, stopPhase }) => `worker ${setup.index}: ${stopPhase}`).join(', ');
  }
}

/** Starts a node; resolves when it accepts connections. */
export async function startNode(configuration: Configuration, options: NodeOptions): Promise<EdgeNode> {
  const node = new EdgeNode(configuration, options);
  await node.start();
  return node;
}
