import { z } from 'zod';
import { endpoint, incomplete } from '../endpoint.ts';
import type { WorkerFiguresRecord } from '../node-figures.ts';
import { nodesOf, totalsOf } from '../nodes-of.ts';

const count = z.int().nonnegative();
const totals = {
  connections: count.meta({ description: 'Connected clients.' }),
  subscriptions: count,
  messagesReceived: count.meta({ description: 'PUBLISH packets from clients since the start.' }),
  messagesSent: count,
  dropped: z
    .record(z.string(), count)
    .meta({ description: 'Messages that were dropped since the start, by reason (docs/metrics.md).' }),
  rates: z
    .object({ messagesReceived: z.number(), messagesSent: z.number(), dropped: z.number() })
    .meta({ description: 'A second, over the last five; without what no subscriber wanted.' }),
};

const node = z.object({
  node: z.string(),
  version: z.string(),
  runtime: z.string(),
  startedAt: z.iso.datetime(),
  ready: z.boolean(),
  notReady: z.array(z.string()).meta({ description: 'Reasons why it is not ready, as in `/readyz`.' }),
  workers: count,
  ...totals,
  store: z.boolean().meta({ description: 'It reaches the store.' }),
  backplane: z.boolean().meta({ description: 'It reaches the other nodes.' }),
  memoryBytes: count.meta({ description: 'Memory of its workers: heaps and buffers.' }),
});

export const nodeEndpoints = [
  endpoint({
    method: 'GET',
    path: '/api/v1/overview',
    scope: 'read',
    summary: 'Is it well? The cluster in a few figures, and what is wrong now.',
    answer: z.object({
      ...{ nodes: count, ready: count.meta({ description: 'Nodes that are ready for clients.' }) },
      ...{ sessionsStored: count, messagesRetained: count },
      ...totals,
      wrong: z
        .array(z.object({ node: z.string(), reason: z.string() }))
        .meta({ description: 'What is wrong now, in words; empty: nothing.' }),
      incomplete,
    }),
    handle: async ({ parts: { gathering } }) => {
      const gathered = await gathering.all<WorkerFiguresRecord>({ kind: 'node' });
      const nodes = nodesOf(gathered);
      const wrong = nodes.flatMap(({ node, notReady }) => notReady.map((reason) => ({ node, reason })));
      const versions = new Set(nodes.map(({ version }) => version));
      if (versions.size > 1)
        for (const { node, version } of nodes)
          wrong.push({ node, reason: `the nodes run different releases, this one ${version}` });
      return {
        nodes:
          nodes.length +
          gathered.incomplete.filter((missing) => nodes.every(({ node }) => node !== missing.node)).length,
        ready: nodes.filter(({ ready }) => ready).length,
        sessionsStored: gathered.parts.reduce((sum, { value }) => sum + value.sessionsStored, 0),
        messagesRetained: gathered.parts.reduce((sum, { value }) => sum + value.messagesRetained, 0),
        ...totalsOf(gathered.parts),
        wrong: [...wrong, ...gathered.incomplete],
        incomplete: gathered.incomplete,
      };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/nodes',
    scope: 'read',
    summary: 'Nodes of the cluster, with release, readiness, load and rates.',
    answer: z.object({ nodes: z.array(node), incomplete }),
    handle: async ({ parts: { gathering } }) => {
      const gathered = await gathering.all<WorkerFiguresRecord>({ kind: 'node' });
      return { nodes: nodesOf(gathered), incomplete: gathered.incomplete };
    },
  }),
];
