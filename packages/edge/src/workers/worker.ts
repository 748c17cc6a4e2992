import { setTimeout as delay } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { AccessTexts } from '@dunlin/auth';
import type { Broker } from '@dunlin/broker';
import { MemoryLevel, RefusalAllowance, SharedCounts } from '@dunlin/broker/guards';
import type { Store } from '@dunlin/broker/ports';
import type { ListenerAddress } from '@dunlin/config';
import {
  measuredStore,
  type NodeLogger,
  type OtelTracer,
  OutageLogger,
  observeThread,
  SpokenLines,
  WorkerFigures,
  WorkerRegion,
  watchThread,
} from '@dunlin/telemetry';
import type { MessagePortBackplane } from '../backplane/message-port-backplane.ts';
import {
  type ComposedAccess,
  closeStore,
  composeAccess,
  composeLeases,
  composeLogger,
  composeStore,
  isInCluster,
  isStoreRemote,
  listenerNames,
  type OpenLeases,
} from '../compose.ts';
import { ConnectionRoom } from '../connection-room.ts';
import { collectNow, collectWhenIdle } from '../idle-collection.ts';
import { Admission } from '../listeners/admission.ts';
import { revokedNames } from '../listeners/crl.ts';
import { listenError } from '../listeners/listen-failure.ts';
import { SocketListener } from '../listeners/socket-listener.ts';
import type { TlsMaterial } from '../listeners/tls-material.ts';
import { events } from '../log-events.ts';
import {
  type ComposedBackplane,
  composeAudit,
  composeBackplane,
  composeBroker,
  composeTracer,
} from './compose-worker.ts';
import { Heartbeats } from './heartbeats.ts';
import { StartLogger } from './start-logger.ts';
import { surviveUncaughtErrors } from './uncaught-errors.ts';
import type { StopPhase, WorkerCommand, WorkerHealth, WorkerReport, WorkerSetup } from './worker-message.ts';
import { WorkerQueries } from './worker-queries.ts';

/**
 * Time that disconnected clients have to read the reason and close; a socket that is closed earlier may cost them the
 * DISCONNECT.
 */
const clientsCloseMilliseconds = 1000;
/** … and at least this time after everything else was done. */
const clientsCloseLeastMilliseconds = 100;
/** Time in which the last spans may be sent at a stop. */
const tracesSendMilliseconds = 500;

/**
 * Worker thread: compose (load and put together), prepare when told (store, broker, backplane), listen, serve, stop
 * when told. Unexpected errors end it only if there are many (uncaught-errors.ts); the supervisor replaces a thread
 * that ends.
 */
export async function runWorker(setup: WorkerSetup, supervisor: MessagePort): Promise<void> {
  const worker = new ServingWorker(setup, supervisor);
  if (await worker.compose()) supervisor.on('message', (command: WorkerCommand) => worker.obey(command));
}

interface Parts extends ComposedBackplane {
  broker: Broker;
  store: Store;
  leases: OpenLeases | null;
  access: ComposedAccess | null;
  tracer: OtelTracer | null;
  queries: WorkerQueries;
}

class ServingWorker {
  readonly #setup: WorkerSetup;
  readonly #supervisor: MessagePort;
  readonly #logger: NodeLogger;
  readonly #adapterLogger: StartLogger;
  readonly #brokerLogger: OutageLogger;
  readonly #figures: WorkerFigures;
  readonly #region: WorkerRegion;
  readonly #listeners: SocketListener[] = [];
  readonly #room: ConnectionRoom;
  readonly #admission: Admission;
  /** Resolves when the last connection through the listeners is closed; null: they are open. */
  #listenersClosed: Promise<unknown> | null = null;
  /** Certificates by the place of their listener in the configuration, as they were last given. */
  readonly #tls: (TlsMaterial | null)[];
  /** Listeners that are open, by their place in the configuration. */
  readonly #listenersAt = new Map<number, SocketListener>();
  readonly #health: WorkerHealth;
  #parts!: Parts;
  #isEnding = false;

  constructor(setup: WorkerSetup, supervisor: MessagePort) {
    const { configuration, index } = setup;
    this.#setup = setup;
    this.#tls = [...setup.tls];
    this.#room = new ConnectionRoom(setup.connectionCounts, index);
    const { connections, connectRates: rates } = setup.byAddress;
    this.#admission = new Admission(configuration.limits, { connections, rates, marks: setup.attempts.marks }, index);
    this.#supervisor = supervisor;
    this.#logger = composeLogger(configuration, index);
    const spoken = new SpokenLines(index, setup.spoken);
    this.#adapterLogger = new StartLogger(this.#logger, spoken, index > 0);
    this.#brokerLogger = new OutageLogger(this.#logger, spoken);
    const names = listenerNames(configuration);
    this.#figures = new WorkerFigures(names);
    this.#region = new WorkerRegion(this.#figures, names, setup.figures);
    this.#health = {
      store: !isStoreRemote(configuration),
      writable: true,
      backplane: !isInCluster(configuration),
      denied: '',
    };
    surviveUncaughtErrors(this.#logger, this.#figures.broker);
  }

  report(report: WorkerReport): void {
    this.#supervisor.postMessage(report);
  }

  /** Returns whether the configuration can be used. */
  async compose(): Promise<boolean> {
    try {
      this.#parts = await this.#compose();
      this.report({ kind: 'composed' });
      return true;
    } catch (error) {
      this.report({ kind: 'failed', message: (error as Error).message });
      return false;
    }
  }

  async #compose(): Promise<Parts> {
    const { configuration, version, storePort, accessTexts, attempts, refusals, rates } = this.#setup;
    const logger = this.#adapterLogger;
    const onStatus = (store: boolean): void => this.#tellHealth({ store });
    const onWritable = (writable: boolean): void => this.#tellHealth({ writable });
    const onEviction = (mayEvict: boolean): void => {
      this.#figures.storeNoeviction = mayEvict ? 0 : 1;
    };
    const onWentBack = (what: string): void => this.#parts?.broker.storeSetBack(what);
    const onStore = { onStatus, onWritable, onEviction, onWentBack };
    const plain = await composeStore({ configuration, logger, port: storePort, ...onStore });
    const store = measuredStore(plain, this.#figures.storeSeconds);
    const leases = await composeLeases(configuration);
    const composed = await composeBackplane({
      setup: this.#setup,
      leases,
      logger,
      refused: (reason) => this.#figures.backplaneRefused[reason]++,
      events: {
        connected: (backplane) => this.#tellHealth({ backplane }),
        denied: (what) => this.#tellHealth({ denied: what.join(', ') }),
        leaseLost: () => this.#leaseLost(),
        leaseRegained: () => this.#parts.broker.leaseRegained(),
        evicted: () => void this.#evicted(),
      },
    });
    const { backplane } = composed;
    const access = await composeAccess(configuration, accessTexts, attempts, this.#figures.httpQuestions, this.#logger);
    const tracer = await composeTracer(this.#setup, this.#logger, this.#figures.broker);
    const broker = composeBroker({
      ...{ configuration, version, store, leases, backplane },
      access: access?.access ?? null,
      logger: this.#brokerLogger,
      metrics: this.#figures.broker,
      tracer,
      audit: await composeAudit(this.#setup),
      refusals: new RefusalAllowance(refusals),
      rates,
      subscriptionCounts: new SharedCounts(this.#setup.subscriptionCounts, this.#setup.index),
      memory: new MemoryLevel(this.#setup.memoryLevel),
      attempts,
    });
    const queries = new WorkerQueries(broker, this.#setup, this.#health, (report) => this.report(report));
    const heartbeats = new Heartbeats(this.#setup.heartbeats);
    watchThread(this.#figures, () => {
      heartbeats.beat(this.#setup.index);
      this.#count();
      queries.sample();
    });
    collectWhenIdle({
      isEmpty: () => broker.connectionCount === 0,
      connectionsEnded: () => broker.metrics.connectionsOpened - broker.connectionCount,
      collected: (freedBytes) => this.#logger.debug(events['memory.collected'], { freedBytes }),
    });
    // Counts of a worker outlive it.
    process.once('exit', () => this.#count());
    return { broker, store, leases, access, tracer, queries, ...composed };
  }

  async #prepare(): Promise<void> {
    const { broker, store, leases, access } = this.#parts;
    try {
      access?.redis?.start();
      access?.access.start();
      await Promise.all([store.open(), leases?.open()]);
      await broker.start();
      this.#adapterLogger.speak();
      this.report({ kind: 'prepared' });
    } catch (error) {
      // Stopped, or evicted, while it waited for servers.
      if (this.#isEnding) return;
      this.#logger.error(events['worker.start-failed'], { error });
      this.report({ kind: 'failed', message: (error as Error).message });
    }
  }

  obey(command: WorkerCommand): void {
    switch (command.kind) {
      case 'prepare':
        void this.#prepare();
        break;
      case 'listen':
        void this.#listen(command.addresses);
        break;
      case 'peer':
        (this.#parts.local as MessagePortBackplane).join(command.peer);
        break;
      case 'tls':
        this.#tls[command.listener] = command.material;
        this.#listenersAt.get(command.listener)?.renewTls(command.material);
        this.#endRevoked(command.listener, command.material);
        break;
      case 'log':
        this.#logger.setLevel(command.log.level);
        this.#parts.broker.clientLog.tellsConnections = command.log.connections;
        break;
      case 'access':
        void this.#replaceAccess(command.texts);
        break;
      case 'status': {
        const { index, endpoint } = this.#setup;
        const status = { index, endpoint, connections: this.#parts.broker.connectionCount };
        this.report({ kind: 'status', id: command.id, status });
        break;
      }
      case 'query':
        void this.#parts.queries.put(command).then((report) => this.report(report));
        break;
      case 'serve-store':
        void this.#parts.queries.serveStore(this.#parts.store, command.port);
        break;
      case 'count':
        this.#count();
        this.report({ kind: 'counted' });
        break;
      case 'collect':
        collectNow(command.isUrgent);
        this.report({ kind: 'collected' });
        break;
      case 'shed':
        this.#parts.broker.shedMemory(command.bytes);
        break;
      case 'close-listeners':
        void this.#closeListeners();
        this.report({ kind: 'listeners-closed' });
        break;
      case 'drain':
        void this.#parts.broker.drain(command.options).then(() => this.report({ kind: 'drained' }));
        break;
      case 'stop':
        void this.#stop();
        break;
    }
  }

  /** Ends connections of clients whose certificates were withdrawn meanwhile; new ones are refused by TLS. */
  #endRevoked(listener: number, { clientCrl }: TlsMaterial): void {
    if (clientCrl === null) return;
    const { name } = this.#setup.configuration.listeners[listener];
    this.#parts.broker.certificatesRevoked(name, revokedNames(clientCrl));
  }

  async #replaceAccess(texts: AccessTexts): Promise<void> {
    const { access, broker } = this.#parts;
    if ((await access?.access.replace(texts)) !== false) broker.rulesChanged();
  }

  /** Writes the counters into shared memory. */
  #count(): void {
    this.#figures.storeConnected = this.#health.store ? 1 : 0;
    this.#figures.storeWritable = this.#health.writable ? 1 : 0;
    this.#figures.backplaneConnected = this.#health.backplane ? 1 : 0;
    this.#parts.broker.observe();
    observeThread(this.#figures);
    this.#region.write();
  }

  #tellHealth(change: Partial<WorkerHealth>): void {
    if (this.#health.store && change.store === false) this.#figures.broker.storeOutages++;
    if (change.store === false) this.#parts?.broker.storeLost();
    // Not at the first change: then there is no broker yet, and nothing that could be older.
    if (!this.#health.store && change.store === true) this.#parts?.broker.storeReturned();
    Object.assign(this.#health, change);
    if (change.store !== undefined) this.#brokerLogger.storeConnected(change.store);
    if (!this.#isEnding) this.report({ kind: 'health', ...this.#health });
  }

  /** Handles a lost lease: others may own the durable sessions of this worker by now. */
  #leaseLost(): void {
    const sessions = this.#parts.broker.giveUpDurableSessions();
    this.#logger.warn(events['sessions.given-up'], { sessions });
  }

  /**
   * Handles an eviction: others have released what this worker owned, so it must not write any more. It ends, and
   * another takes its place.
   */
  async #evicted(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.report({ kind: 'evicted' });
    const allClosed = this.#closeListeners();
    this.#parts.broker.giveUpAllSessions();
    await Promise.race([allClosed, delay(clientsCloseMilliseconds)]);
    process.exit();
  }

  /**
   * Opens the listeners. A TCP port is shared by all workers. A Unix socket is opened by worker 0 alone: the system
   * cannot spread its connections over several sockets, and Node cannot hand an accepted socket to another thread.
   */
  async #listen(addresses: ListenerAddress[]): Promise<void> {
    if (this.#listenersClosed !== null) return; // a worker that replaced a dead one while the node was already leaving
    const { configuration, index } = this.#setup;
    const taken: ListenerAddress[] = [];
    for (const [position, listener] of configuration.listeners.entries()) {
      const address = addresses[position];
      if (address.kind === 'unix' && index > 0) {
        taken.push(address);
        continue;
      }
      try {
        const material = this.#tls[position];
        const open = new SocketListener({
          listener,
          address,
          broker: this.#parts.broker,
          logger: this.#logger,
          room: this.#room,
          admission: this.#admission,
          material,
        });
        this.#listenersAt.set(position, open);
        this.#listeners.push(open);
        taken.push(await open.listen(configuration.workers > 1));
      } catch (error) {
        this.report({ kind: 'failed', message: listenError(address, error).message });
        return;
      }
    }
    this.report({ kind: 'listening', addresses: taken });
  }

  #closeListeners(): Promise<unknown> {
    this.#listenersClosed ??= Promise.all(this.#listeners.map((listener) => listener.close()));
    return this.#listenersClosed;
  }

  async #stop(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const { broker, store, leases, access, tracer } = this.#parts;
    const begun = performance.now();
    this.#enter('closing listeners');
    const allClosed = this.#closeListeners();
    this.#enter('disconnecting clients and writing sessions back');
    await broker.stop();
    this.#enter('waiting for clients to close');
    const left = clientsCloseMilliseconds - (performance.now() - begun);
    await Promise.race([allClosed, delay(Math.max(left, clientsCloseLeastMilliseconds))]);
    this.#enter('sending traces');
    // A collector that cannot be reached is not awaited; the failure was logged already.
    await Promise.race([tracer?.stop().catch(() => undefined), delay(tracesSendMilliseconds)]);
    this.#enter('closing the store');
    access?.access.stop();
    access?.redis?.close();
    await closeStore(this.#setup.configuration, store, leases);
    this.report({ kind: 'stopped' });
  }

  #enter(phase: StopPhase): void {
    this.report({ kind: 'stopping', phase });
  }
}
