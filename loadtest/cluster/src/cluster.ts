import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClusterNode, isReadyLine, nodeArguments, nodeId, openLinks } from './cluster-node.ts';
import { haproxyFiles } from './haproxy-configuration.ts';
import { type ClusterPorts, freePorts, portsFrom, requireFree } from './ports.ts';
import { Program, type ProgramCommand } from './program.ts';
import { composeFile, dunlinCommand, findProgram } from './program-files.ts';

/** End or start of a program. `how` is the exit code or the signal. */
export type ClusterEvent =
  | { readonly kind: 'ended'; readonly program: Program; readonly how: number | NodeJS.Signals }
  | { readonly kind: 'restarted'; readonly program: Program };

/** Options of a cluster. */
export interface ClusterOptions {
  /** 3 unless said. */
  readonly nodes?: number;
  /** Worker threads of each node; 1 unless said. */
  readonly workers?: number;
  /** The first of the ports, in the order of `portsFrom`; unless said, the system chooses each. */
  readonly basePort?: number;
  /** A program that ends without being asked is started again after a second. True unless said. */
  readonly restarts?: boolean;
  /** Nodes reach NATS and Redis through proxies that can be cut: `links` of the nodes. */
  readonly proxies?: boolean;
  /** Further arguments of `dunlin start`, for every node. */
  readonly nodeArguments?: readonly string[];
  /**
   * Directory of the programs' logs, one file each. A temporary folder unless said, which stays when the cluster is
   * gone.
   */
  readonly logs?: string;
  readonly onEvent?: (event: ClusterEvent) => void;
  /** Every line that any program writes. */
  readonly onLine?: (program: Program, line: string) => void;
  /** Gives the start up; what runs by then is stopped. */
  readonly signal?: AbortSignal;
}

/** Nodes run from their sources, as this package does: no build lies between a change and its effect. */
const conditions = ['--conditions=source'];

/**
 * NATS, Redis with an append-only file, nodes, and HAProxy in front of them, on loopback.
 *
 *     HAProxy ──> node a ──(proxy)──> NATS
 *            └──> node b ──(proxy)──> Redis
 *
 * They are stopped in the opposite order: clients lose their way in first, servers go when nobody needs them any more.
 */
export class Cluster {
  readonly nodes: readonly ClusterNode[];
  readonly nats: Program;
  readonly redis: Program;
  /** Directory of Redis' file. */
  readonly redisDirectory: string;
  readonly haproxy: Program;
  readonly ports: ClusterPorts;
  /** The folder of the logs. */
  readonly logs: string;
  readonly #data: string;
  #stopped: Promise<void> | null = null;

  private constructor(parts: Parts, data: string) {
    this.nodes = parts.nodes;
    this.nats = parts.nats;
    this.redis = parts.redis;
    this.redisDirectory = parts.redisDirectory;
    this.haproxy = parts.haproxy;
    this.ports = parts.ports;
    this.logs = parts.logs;
    this.#data = data;
  }

  /**
   * Starts a cluster; resolves when every program is ready. When it cannot, nothing of it is left but the logs.
   * @throws MissingProgramError, PortOccupiedError, ProgramStartError; the reason of `signal`
   */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const files = programFiles();
    const count = options.nodes ?? 3;
    const ids = Array.from({ length: count }, (_, index) => nodeId(index));
    const ports = options.basePort === undefined ? await freePorts(count) : portsFrom(options.basePort, count);
    await requireFree(ports, ids);
    const data = await mkdtemp(join(tmpdir(), 'dunlin-cluster-'));
    let cluster: Cluster | null = null;
    try {
      cluster = await assemble(options, { ports, ids, data, files }, (parts) => new Cluster(parts, data));
      await cluster.#startAll(options.signal);
      return cluster;
    } catch (error) {
      if (cluster === null) await rm(data, { recursive: true, force: true });
      else await cluster.stop();
      throw error;
    }
  }

  /** The node with this identifier. */
  node(id: string): ClusterNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new RangeError(`there is no node ${id}`);
    return found;
  }

  /** All of its programs, in the order of their start. */
  get programs(): readonly Program[] {
    return [this.nats, this.redis, ...this.nodes.map(({ program }) => program), this.haproxy];
  }

  /** Stops everything, and removes what it kept on disk except the logs. Done twice, it is done once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #startAll(signal: AbortSignal | undefined): Promise<void> {
    const abort = () => void this.stop();
    signal?.throwIfAborted();
    signal?.addEventListener('abort', abort);
    try {
      await all([this.nats.start(), this.redis.start()]);
      await all(this.nodes.map(({ program }) => program.start()));
      await this.#configureHaproxy();
      await this.haproxy.start();
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async #configureHaproxy(): Promise<void> {
    const nodes = this.nodes.map(({ id }, index) => ({ id, ports: this.ports.nodes[index] }));
    const { before, after } = haproxyFiles(this.ports.haproxy, nodes);
    await writeFile(join(this.#data, haproxyNames.before), before);
    await writeFile(join(this.#data, haproxyNames.after), after);
  }

  async #stop(): Promise<void> {
    await this.haproxy.stop();
    await Promise.all(this.nodes.map(({ program }) => program.stop()));
    await this.nats.stop();
    await this.redis.stop();
    await Promise.all(this.nodes.flatMap(({ links }) => [links?.nats.close(), links?.redis.close()]));
    await rm(this.#data, { recursive: true, force: true });
  }
}

/** Waits as Promise.all does, but for all of them also when one fails: none is half started when it returns. */
async function all(starts: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(starts);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Parts of a cluster. */
type Parts = Pick<Cluster, 'nodes' | 'nats' | 'redis' | 'redisDirectory' | 'haproxy' | 'ports' | 'logs'>;

interface Assembly {
  readonly ports: ClusterPorts;
  readonly ids: readonly string[];
  /** The folder of everything that goes with the cluster. */
  readonly data: string;
  readonly files: ReturnType<typeof programFiles>;
}

function programFiles() {
  return { nats: findProgram('nats-server'), redis: findProgram('redis-server'), haproxy: findProgram('haproxy') };
}

/** The files beside `compose/haproxy.cfg`, in the folder of the cluster. */
const haproxyNames = { before: 'haproxy.cfg', after: 'nodes.cfg' } as const;

function haproxyArguments(data: string): string[] {
  const files = [join(data, haproxyNames.before), composeFile('haproxy.cfg'), join(data, haproxyNames.after)];
  return ['-db', ...files.flatMap((file) => ['-f', file])];
}

/** Arguments as for Compose, but on loopback and where the cluster lies. */
function redisArguments(port: number, directory: string): string[] {
  const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--daemonize', 'no'];
  return [composeFile('redis.conf'), ...place];
}

/** Makes the folders, the proxies and the programs; starts none. */
async function assemble(
  options: ClusterOptions,
  { ports, ids, data, files }: Assembly,
  make: (parts: Parts) => Cluster,
): Promise<Cluster> {
  const redisDirectory = join(data, 'redis');
  await mkdir(redisDirectory);
  const logs = options.logs ?? (await mkdtemp(join(tmpdir(), 'dunlin-cluster-logs-')));
  await mkdir(logs, { recursive: true });
  const watcher = {
    line: (program: Program, line: string) => options.onLine?.(program, line),
    ended: (program: Program, how: number | NodeJS.Signals) => options.onEvent?.({ kind: 'ended', program, how }),
    restarted: (program: Program) => options.onEvent?.({ kind: 'restarted', program }),
  };
  const program = (name: string, file: string, args: readonly string[], ready: ProgramCommand['ready']) =>
    new Program(
      { name, file, args, ready, logFile: join(logs, `${name}.log`), restarts: options.restarts ?? true },
      watcher,
    );
  const natsArguments = ['--config', composeFile('nats.conf'), '--addr', '127.0.0.1', '--port', String(ports.nats)];
  const nats = program('nats', files.nats, natsArguments, (line) => line.includes('Server is ready'));
  const redis = program('redis', files.redis, redisArguments(ports.redis, redisDirectory), (line) =>
    line.includes('Ready to accept connections'),
  );
  const haproxy = program('haproxy', files.haproxy, haproxyArguments(data), { port: ports.haproxy });
  const nodes: ClusterNode[] = [];
  for (const [index, id] of ids.entries()) {
    const links = options.proxies === true ? await openLinks(ports.nats, ports.redis) : null;
    const args = nodeArguments({
      id,
      ports: ports.nodes[index],
      natsPort: links?.nats.port ?? ports.nats,
      redisPort: links?.redis.port ?? ports.redis,
      workers: options.workers ?? 1,
      further: options.nodeArguments ?? [],
    });
    const node = program(id, process.execPath, [...conditions, dunlinCommand, ...args], isReadyLine);
    nodes.push({ id, ...ports.nodes[index], program: node, links });
  }
  return make({ nodes, nats, redis, redisDirectory, haproxy, ports, logs });
}
