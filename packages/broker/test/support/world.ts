import { AnonymousAuthenticator } from '../../src/anonymous-authenticator.ts';
import { Broker } from '../../src/broker.ts';
import type { BrokerOptions } from '../../src/broker-options.ts';
import { MemoryBackplaneHub } from '../../src/memory/memory-backplane.ts';
import { MemoryStore } from '../../src/memory/memory-store.ts';
import type { Audit } from '../../src/ports/audit.ts';
import type { Authenticator } from '../../src/ports/authenticator.ts';
import type { Authorizer } from '../../src/ports/authorizer.ts';
import type { Backplane } from '../../src/ports/backplane.ts';
import type { Leases } from '../../src/ports/leases.ts';
import { defaultLimits, type Limits } from '../../src/ports/limits.ts';
import type { LogEvent, Logger } from '../../src/ports/logger.ts';
import { Metrics } from '../../src/ports/metrics.ts';
import type { Tracer } from '../../src/ports/tracer.ts';
import { Client, type ConnectOptions, connect } from './client.ts';
import { FakeClock } from './fake-clock.ts';
import { StoreGate } from './store-gate.ts';
import { WorkerView } from './worker-view.ts';

export interface WorkerOptions {
  limits?: Partial<Limits>;
  authenticator?: Authenticator;
  authorizer?: Authorizer;
  deniedPublish?: 'drop' | 'disconnect';
  deniedWill?: 'drop' | 'refuse';
  sessionOwner?: 'user' | 'anybody';
  clientIds?: BrokerOptions['clientIds'];
  leases?: Leases;
  tracer?: Tracer;
  audit?: Audit;
  recordsBans?: boolean;
  /** Carrier of frames between the workers; one that loses nothing unless given. */
  hub?: (clock: FakeClock) => Hub;
}

/** Endpoints that can reach each other. `kill`: gone at once, as by a crash. */
export interface Hub {
  endpoint(self: string): Backplane & { kill(): void };
}

/** Broker of one worker with its own way to the store. */
export class Worker {
  readonly broker: Broker;
  readonly view: WorkerView;
  readonly gate: StoreGate;
  readonly backplane: (Backplane & { kill(): void }) | null;
  readonly log: string[] = [];
  private readonly clock: FakeClock;

  constructor(world: World, name: string, options: WorkerOptions, alone: boolean) {
    this.clock = world.clock;
    this.gate = new StoreGate(world.store);
    this.backplane = alone ? null : world.hub.endpoint(`test/${name}`);
    const write = (event: LogEvent, fields?: Record<string, unknown>): void => {
      const { message } = event;
      this.log.push(
        `${message} ${JSON.stringify(fields ?? {}, (_name, value) => (value instanceof Error ? String(value) : value))}`,
      );
    };
    const logger: Logger = { debug: write, info: write, warn: write, error: write };
    this.broker = new Broker({
      nodeId: 'test',
      version: '0',
      store: this.gate.store,
      backplane: this.backplane,
      clock: world.clock,
      logger,
      metrics: new Metrics(),
      authenticator: options.authenticator ?? new AnonymousAuthenticator(),
      authorizer: options.authorizer ?? null,
      deniedPublish: options.deniedPublish,
      deniedWill: options.deniedWill,
      sessionOwner: options.sessionOwner,
      clientIds: options.clientIds,
      leases: options.leases ?? null,
      tracer: options.tracer ?? null,
      audit: options.audit ?? null,
      recordsBans: options.recordsBans,
      limits: { ...defaultLimits, sysIntervalSeconds: 0, ...options.limits },
      seed: 1,
    });
    this.view = new WorkerView(this.broker);
  }

  async start(): Promise<void> {
    const started = this.broker.start();
    await this.clock.settle();
    await started;
  }

  /** A connection on which nothing was sent yet. */
  socket(version: 3 | 4 | 5 = 5, address = '192.0.2.1:1883'): Client {
    return new Client(
      (transport) => {
        transport.remoteAddress = address;
        return this.broker.accept(transport);
      },
      version,
      () => this.clock.settle(),
    );
  }

  /** A connection with CONNECT sent; CONNACK is left to be read. */
  async dial(clientId: string, options: ConnectOptions = {}): Promise<Client> {
    const client = this.socket(options.version ?? 5);
    await client.send(connect(clientId, options));
    return client;
  }

  /** A connected client; CONNACK was read. */
  async connect(clientId: string, options: ConnectOptions = {}): Promise<Client> {
    const client = await this.dial(clientId, options);
    const connack = client.one('connack');
    if (connack.reasonCode !== 0) throw new Error(`CONNACK ${connack.reasonCode}`);
    return client;
  }

  /** Gone in the middle of whatever it did, as by `kill -9`. Its sockets close without its doing. */
  async crash(): Promise<void> {
    this.gate.die();
    this.backplane?.kill();
    await this.clock.settle();
  }
}

/** A store, and workers around it. */
export class World {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore();
  readonly hub: Hub;
  private made = 0;

  constructor(options: WorkerOptions = {}) {
    this.hub = options.hub?.(this.clock) ?? new MemoryBackplaneHub(this.clock);
  }

  /** Starts one worker that has no others. */
  static async alone(options: WorkerOptions = {}): Promise<{ world: World; worker: Worker }> {
    const world = new World();
    await world.store.open();
    const worker = new Worker(world, 'alone', options, true);
    await worker.start();
    return { world, worker };
  }

  static async of(count: number, options: WorkerOptions = {}): Promise<{ world: World; workers: Worker[] }> {
    const world = new World(options);
    await world.store.open();
    const workers: Worker[] = [];
    for (let i = 0; i < count; i++) workers.push(await world.add(options));
    return { world, workers };
  }

  async add(options: WorkerOptions = {}): Promise<Worker> {
    const worker = this.make(options);
    await worker.start();
    return worker;
  }

  /** Makes one that is not started. */
  make(options: WorkerOptions = {}): Worker {
    return new Worker(this, `${this.made}#${++this.made}`, options, false);
  }

  /** The alone worker has died and another takes its place, with its name and the same store. */
  async replace(worker: Worker, options: WorkerOptions = {}): Promise<Worker> {
    await worker.crash();
    await this.store.sessions.releaseOwner(worker.broker.self, this.clock.now());
    const next = new Worker(this, 'alone', options, true);
    await next.start();
    return next;
  }
}
