import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { DeadlineError } from './deadline.ts';
import { freePort, retryingPorts } from './free-port.ts';
import { redisCall } from './redis-call.ts';
import { ServerProcess } from './server-process.ts';

/** Name of the server on the PATH. `REDIS_SERVER` in the environment names another. */
export const redisServerPath = process.env.REDIS_SERVER ?? 'redis-server';

/** Options of `startRedis`. */
export interface RedisOptions {
  /**
   * True for an append-only file: everything acknowledged is on disk (`appendfsync always`). Without: nothing survives
   * the process.
   */
  readonly appendOnly?: boolean;
  /** The password of the user `default`. */
  readonly password?: string;
  /** PEM files; the server then speaks TLS only, and asks clients for no certificate. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** Further arguments, such as `--maxmemory 1mb`. */
  readonly args?: readonly string[];
  /** The TCP port; a free one by default. */
  readonly port?: number;
  /** The program; `redisServerPath` by default. */
  readonly program?: string;
}

/** A running Redis or Valkey. */
export interface RedisServer {
  /** Names the server with its password, for TLS as `rediss`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  output(): string;
  /** Ends it (SIGTERM) and removes its data. */
  stop(): Promise<void>;
  /** Ends it at once (SIGKILL). What is on disk stays for `restart`. */
  kill(): Promise<void>;
  /** Stops it in its tracks: it answers nothing, and its connections stay open. `resume` lets it go on. */
  pause(): void;
  resume(): void;
  /** Starts it again after `kill`, or ends it first: the same port, the same directory. */
  restart(): Promise<void>;
}

/** Starts Redis on a free loopback port, with a directory of its own. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  return retryingPorts(options.port === undefined, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'redis-'));
    const port = options.port ?? (await freePort());
    try {
      return await startIn(directory, port, options);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  });
}

async function startIn(directory: string, port: number, options: RedisOptions): Promise<RedisServer> {
  const { password, tls, args = [], appendOnly = false, program = redisServerPath } = options;
  const data = join(directory, 'data');
  await mkdir(data, { recursive: true });
  const all = [
    ...['--bind', '127.0.0.1', '--dir', data, '--save', '', '--daemonize', 'no', '--enable-debug-command', 'local'],
    ...(tls === undefined
      ? ['--port', String(port)]
      : ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no']),
    ...(tls === undefined
      ? []
      : ['--tls-ca-cert-file', tls.ca, '--tls-cert-file', tls.certificate, '--tls-key-file', tls.key]),
    ...['--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'always'],
    ...(password === undefined ? [] : ['--requirepass', password]),
    // With a bound, as it should have; more than any test fills.
    ...['--maxmemory', '8gb'],
    ...args,
  ];
  const credentials = password === undefined ? '' : `default:${encodeURIComponent(password)}@`;
  const url = `${tls === undefined ? 'redis' : 'rediss'}://${credentials}127.0.0.1:${port}`;
  return keepServer({ directory, url, port }, () =>
    ServerProcess.start({
      name: 'redis-server',
      command: program,
      args: all,
      isReady: (line) => /Ready to accept connections/.test(line),
    }),
  );
}

async function keepServer(
  { directory, url, port }: { directory: string; url: string; port: number },
  start: () => Promise<ServerProcess>,
): Promise<RedisServer> {
  let server = await start();
  let running = true;
  return {
    url,
    port,
    get pid() {
      return server.pid;
    },
    output: () => server.output(),
    async stop() {
      if (running) {
        process.kill(server.pid, 'SIGCONT');
        await server.stop();
      }
      running = false;
      await rm(directory, { recursive: true, force: true });
    },
    async kill() {
      await server.kill();
      running = false;
    },
    pause: () => void process.kill(server.pid, 'SIGSTOP'),
    resume: () => void process.kill(server.pid, 'SIGCONT'),
    async restart() {
      if (running) await server.stop();
      server = await start();
      running = true;
    },
  };
}

/** A running Redis Cluster. */
export interface RedisCluster {
  /** `redis+cluster://…` with all its servers. */
  readonly url: string;
  readonly servers: readonly RedisServer[];
  stop(): Promise<void>;
}

const slotsTotal = 16_384;
/** Interval of questions about the state of servers while they are getting to know each other. */
const pollMilliseconds = 50;
const settleMilliseconds = 20_000;

/** Starts a Redis Cluster of masters without replicas, and waits until every one of them serves. */
export async function startRedisCluster(
  options: RedisOptions & { readonly masters?: number } = {},
): Promise<RedisCluster> {
  const { masters = 3 } = options;
  const servers: RedisServer[] = [];
  const busPorts: number[] = [];
  for (let i = 0; i < masters; i++) {
    await retryingPorts(true, async () => {
      // Otherwise it would be the server's port and 10,000, which may be none.
      const busPort = await freePort();
      const clusterArgs = [
        '--cluster-enabled',
        'yes',
        '--cluster-node-timeout',
        '2000',
        '--cluster-port',
        String(busPort),
      ];
      servers.push(await startRedis({ ...options, args: [...clusterArgs, ...(options.args ?? [])] }));
      busPorts.push(busPort);
    });
  }
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    for (let i = 0; i < masters; i++) {
      const first = Math.floor((i * slotsTotal) / masters);
      const last = Math.floor(((i + 1) * slotsTotal) / masters) - 1;
      await redisCall(servers[i].url, ['CLUSTER', 'ADDSLOTSRANGE', String(first), String(last)]);
      await redisCall(servers[i].url, ['CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1)]);
    }
    for (let i = 1; i < masters; i++) {
      await redisCall(servers[0].url, ['CLUSTER', 'MEET', '127.0.0.1', String(servers[i].port), String(busPorts[i])]);
    }
    await Promise.all(
      servers.map((server) =>
        until(`the cluster of ${server.url}`, async () => {
          const info = String(await redisCall(server.url, ['CLUSTER', 'INFO']));
          return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${masters}`);
        }),
      ),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, servers, stop };
}

/** A master, a replica and the Sentinel that watches them. */
export interface RedisSentinel {
  /** `redis+sentinel://…/main` */
  readonly url: string;
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinel: RedisServer;
  stop(): Promise<void>;
}

/** Starts a master with one replica and one Sentinel, which alone decides that the master is down, after a second. */
export async function startSentinel(options: RedisOptions = {}): Promise<RedisSentinel> {
  // Otherwise a master waits five seconds for further replicas.
  const args = ['--repl-diskless-sync-delay', '0', ...(options.args ?? [])];
  const master = await startRedis({ ...options, args });
  const replica = await startRedis({
    ...options,
    args: ['--replicaof', `127.0.0.1 ${master.port}`, ...args],
  });
  await until('the replica', async () =>
    String(await redisCall(replica.url, ['INFO', 'replication'])).includes('master_link_status:up'),
  );
  // A replica follows the stream of writes, and so counts for WAIT, only when its master has heard from it once more.
  await redisCall(master.url, ['PUBLISH', 'testkit', 'something to confirm']);
  await until('the replica in the eyes of its master', async () =>
    /state=online,offset=[1-9]/.test(await redisCall(master.url, ['INFO', 'replication'])),
  );
  const sentinel = await startSentinelServer(options.program);
  await redisCall(sentinel.url, ['SENTINEL', 'MONITOR', 'main', '127.0.0.1', String(master.port), '1']);
  await redisCall(sentinel.url, ['SENTINEL', 'SET', 'main', 'down-after-milliseconds', '1000']);
  await redisCall(sentinel.url, ['SENTINEL', 'SET', 'main', 'failover-timeout', '5000']);
  await until('Sentinel to see the replica', async () =>
    String(await redisCall(sentinel.url, ['SENTINEL', 'REPLICAS', 'main'])).includes(String(replica.port)),
  );
  return {
    url: `redis+sentinel://127.0.0.1:${sentinel.port}/main`,
    master,
    replica,
    sentinel,
    async stop() {
      await Promise.all([sentinel.stop(), replica.stop(), master.stop()]);
    },
  };
}

/** Sentinel writes its configuration file, and so needs one. */
async function startSentinelServer(program = redisServerPath): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'sentinel-'));
  const file = join(directory, 'sentinel.conf');
  const port = await freePort();
  await writeFile(file, `port ${port}\nbind 127.0.0.1\ndir ${directory}\nsentinel resolve-hostnames no\n`);
  return keepServer({ directory, url: `redis://127.0.0.1:${port}`, port }, () =>
    ServerProcess.start({
      name: 'sentinel',
      command: program,
      args: [file, '--sentinel'],
      isReady: (line) => /Sentinel ID is/.test(line),
    }),
  );
}

/** Asks again until it is so. For what other processes agree on among themselves and tell nobody. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + settleMilliseconds;
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > end) throw new DeadlineError(`after ${settleMilliseconds} ms ${what} is not ready`);
    await setTimeout(pollMilliseconds);
  }
}
