import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '@dunlin/cluster';
import { type BrokerProcess, freePort, startDunlin } from '@dunlin/testkit';

/** Address that a client connects to. */
export interface Place {
  readonly tcp: number;
  readonly ws: number;
}

/** Place that the story is played on. */
export interface Stage {
  readonly nodes: number;
  /** Address that clients connect to, and the one they connect to again; the same where there is one node. */
  readonly first: Place;
  readonly second: Place;
  /** Address that the other side of the story is connected to. */
  readonly reference: Place;
  /**
   * Ends the first node with SIGKILL. On one node it resolves when the node is there again, on several while it is away: what is published
   * then is published by nodes that never had the connection.
   */
  kill(): Promise<void>;
  /** Resolves when all nodes are there. */
  restore(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one node that keeps its sessions in LMDB. */
export async function oneNode(): Promise<Stage> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'dunlin-clients-'));
  const ws = await freePort();
  const start = (port?: number): Promise<BrokerProcess> =>
    startDunlin({ port, store: 'lmdb', dataDirectory, workers: 2, listeners: [`ws://127.0.0.1:${ws}/mqtt`] });
  let node = await start();
  const place: Place = { tcp: node.port, ws };
  return {
    nodes: 1,
    first: place,
    second: place,
    reference: place,
    kill: async () => {
      await node.kill();
      node = await start(place.tcp);
    },
    restore: async () => undefined,
    stop: async () => {
      await node.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** Three nodes on NATS and Redis: clients connect at the first, and again at the third; the other side is at the second. */
export async function threeNodes(): Promise<Stage> {
  let ended = Promise.withResolvers<void>();
  const cluster = await Cluster.start({
    nodes: 3,
    onEvent: ({ kind, program }) => {
      if (kind === 'ended' && program === cluster.nodes[0].program) ended.resolve();
    },
  });
  const [first, reference, second] = cluster.nodes.map(({ mqtt, ws }): Place => ({ tcp: mqtt, ws }));
  const { program } = cluster.nodes[0];
  return {
    nodes: 3,
    first,
    second,
    reference,
    kill: async () => {
      await program.untilRunning();
      ended = Promise.withResolvers();
      program.signal('SIGKILL');
      await ended.promise;
    },
    restore: () => program.untilRunning(),
    stop: async () => {
      await cluster.stop();
      await rm(cluster.logs, { recursive: true, force: true });
    },
  };
}
