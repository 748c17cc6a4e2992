import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation } from '@dunlin/testkit';
import { Cluster } from '../cluster/cluster.ts';
import { startBroker } from '../command.ts';

/** Place that clients connect to: one node with a store of its own, or two nodes on NATS and Redis. */
export interface Place extends AsyncDisposable {
  /** A connection to a node, another one than the last time where there are several. */
  open(): Promise<Conversation>;
  /** A node that clients are on is gone at once, and clients can connect again. */
  kill(): Promise<void>;
}

export const stores = ['memory', 'lmdb', 'redis'] as const;

export function startPlace(store: (typeof stores)[number]): Promise<Place> {
  return store === 'redis' ? startNodes() : startNode(store);
}

async function startNode(store: 'memory' | 'lmdb'): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), 'dunlin-sessions-'));
  const words = ['--workers', '2', '--store', store, ...(store === 'lmdb' ? ['--data', directory] : [])];
  let { broker, port } = await startBroker(words);
  return {
    open: () => Conversation.open(`mqtt://127.0.0.1:${port}`),
    kill: async () => {
      broker.child.kill('SIGKILL');
      await broker.finished;
      ({ broker, port } = await startBroker(words));
    },
    [Symbol.asyncDispose]: async () => {
      broker.child.kill('SIGTERM');
      await broker.finished;
      rmSync(directory, { recursive: true });
    },
  };
}

async function startNodes(): Promise<Place> {
  const cluster = await Cluster.start({ nodes: 2 });
  let nodes = [...cluster.nodes];
  let opened = 0;
  return {
    open: () => nodes[opened++ % nodes.length].open(),
    kill: async () => {
      await nodes[0].kill();
      nodes = nodes.slice(1);
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}
