import { startHaproxy } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { ClusterLoad, nothingWrong } from './cluster-load.ts';
import type { ClusterNode } from './cluster-node.ts';

/** Nodes are started from their sources, on a machine that other tests want too; alone it takes a fraction of it. */
const timeout = 120_000;
const graceMilliseconds = 15_000;

/** Drains it under load and starts it again, with a pace that clients notice: two a second. */
async function restart(node: ClusterNode, load: ClusterLoad): Promise<void> {
  await load.packets(500);
  const begun = performance.now();
  expect(await node.stop()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(graceMilliseconds);
  const [{ connections }] = node.lines('drain.began');
  expect(connections).toBeGreaterThan(0);
  expect(node.lines('drain.finished')).toHaveLength(1);
  await load.packets(500);
  await node.start();
}

/**
 * The whole way: readiness off, HAProxy takes the node out, its clients come to the others through HAProxy. What was promised holds also for a node that is
 * killed (node-killed.test.ts); what a drain adds is seen in drain.test.ts.
 */
test('three nodes behind HAProxy are restarted in turn, under load: nothing is lost, nothing of QoS 2 comes twice', {
  timeout,
}, async () => {
  await using cluster = await Cluster.start({
    nodes: 3,
    workers: 2,
    arguments: ['--set', 'drain.ratePerSecond=2', '--set', `drain.graceSeconds=${graceMilliseconds / 1000}`],
  });
  const servers = cluster.nodes.map(({ name, port, adminPort }) => ({ name, port, readyPort: adminPort }));
  const haproxy = await startHaproxy({ servers });
  const entrance = { url: `mqtt://127.0.0.1:${haproxy.port}` };
  const load = new ClusterLoad(cluster.nodes.map(() => entrance));
  try {
    await load.start();
    for (const node of cluster.nodes) await restart(node, load);
    await load.packets(500);
    expect(await load.finish()).toMatchObject(nothingWrong);
  } finally {
    await load.stop();
    await haproxy.stop();
  }
});
