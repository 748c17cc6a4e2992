import { FaultProxy, freePort, type NatsProcess, type RedisServer, startNats, startRedis } from '@dunlin/testkit';
import { ClusterNode } from './cluster-node.ts';

export interface ClusterOptions {
  /** Number of nodes: a, b, c … */
  readonly nodes: number;
  readonly workers?: number;
  /** Redis keeps what it has acknowledged through its own end (`appendfsync always`). */
  readonly appendOnly?: boolean;
  /** Further arguments of every node. */
  readonly arguments?: readonly string[];
  /** Further variables of every node. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** The way of one node to one server. */
export interface Ways {
  readonly redis: FaultProxy;
  readonly nats: FaultProxy;
}

/**
 * Nodes in processes of their own with a real Redis and a real nats-server. Each node reaches the servers through proxies of its own, which can be cut:
 *
 *     a ──┬── proxy ── Redis        b ──┬── proxy ── Redis
 *         └── proxy ── NATS             └── proxy ── NATS
 */
export class Cluster implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly nats: NatsProcess;
  readonly nodes: readonly ClusterNode[];
  readonly #ways: ReadonlyMap<ClusterNode, Ways>;

  private constructor(redis: RedisServer, nats: NatsProcess, ways: ReadonlyMap<ClusterNode, Ways>) {
    this.redis = redis;
    this.nats = nats;
    this.#ways = ways;
    this.nodes = [...ways.keys()];
  }

  /** Servers and nodes; no node is started. */
  static async prepare(options: ClusterOptions): Promise<Cluster> {
    const [redis, nats] = await Promise.all([startRedis({ appendOnly: options.appendOnly }), startNats()]);
    const ways = new Map<ClusterNode, Ways>();
    for (let index = 0; index < options.nodes; index++) {
      const [toRedis, toNats] = await Promise.all([FaultProxy.start(redis), FaultProxy.start(nats)]);
      const node = new ClusterNode({
        name: String.fromCharCode('a'.charCodeAt(0) + index),
        port: await freePort(),
        adminPort: await freePort(),
        redisUrl: `redis://127.0.0.1:${toRedis.port}`,
        natsUrl: `nats://127.0.0.1:${toNats.port}`,
        workers: options.workers ?? 1,
        arguments: options.arguments ?? [],
        environment: options.environment ?? {},
      });
      ways.set(node, { redis: toRedis, nats: toNats });
    }
    return new Cluster(redis, nats, ways);
  }

  /** All of it, ready. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.prepare(options);
    try {
      await Promise.all(cluster.nodes.map((node) => node.start()));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  ways(node: ClusterNode): Ways {
    return this.#ways.get(node) as Ways;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.clear()));
    await Promise.all([...this.#ways.values()].flatMap(({ redis, nats }) => [redis.close(), nats.close()]));
    await Promise.all([this.redis.stop(), this.nats.stop()]);
  }
}
