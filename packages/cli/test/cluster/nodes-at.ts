import { freePort, startNats } from '@dunlin/testkit';
import { ClusterNode } from './cluster-node.ts';

/** Nodes of a worker each, not started, at a Redis of the test's own and a NATS that is theirs alone. All of it ends with `use`. */
export async function useNodes(
  redisUrl: string,
  names: readonly string[],
  use: (nodes: ClusterNode[]) => Promise<void>,
): Promise<void> {
  const nats = await startNats();
  const nodes = await Promise.all(
    names.map(async (name) => {
      const [port, adminPort] = [await freePort(), await freePort()];
      const addresses = { name, port, adminPort, redisUrl, natsUrl: `nats://127.0.0.1:${nats.port}`, workers: 1 };
      return new ClusterNode({ ...addresses, arguments: [], environment: {} });
    }),
  );
  try {
    await use(nodes);
  } finally {
    await Promise.all(nodes.map((node) => node.clear()));
    await nats.stop();
  }
}
