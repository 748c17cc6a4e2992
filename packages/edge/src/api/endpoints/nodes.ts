import type { Query } from '@dunlin/broker/ports';
import { z } from 'zod';
import type { ApiNode } from '../api-node.ts';
import { endpoint, incomplete } from '../endpoint.ts';
import type { WorkerFiguresRecord } from '../node-figures.ts';
import { nodesOf, totalsOf } from '../nodes-of.ts';
import { ApiError } from '../problem.ts';

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

/** Clients that a drain sends away each second unless the request says otherwise: as many as one at SIGTERM in a cluster. */
const drainRateDefault = 500;

/** Rejects with ApiError unless all workers of the node have taken the order. */
async function order(node: ApiNode, name: string, query: Query): Promise<unknown[]> {
  const { parts, incomplete: missing } = await node.parts.gathering.all<unknown>(query, name);
  if (missing.length > 0)
    throw new ApiError(503, `node: given "${name}", which has not done it, or not whole: ${missing[0].reason}`);
  return parts.map(({ value }) => value);
}

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
  endpoint({
    method: 'POST',
    path: '/api/v1/nodes/{node}/cordon',
    scope: 'admin',
    summary:
      'A node takes no new connections, and is not ready (`cordoned`). Those that it has stay. Until DELETE, or until the process ends.',
    answer: z.object({ cordoned: z.literal(true) }),
    change: 'node cordoned',
    handle: async (api, { path }) => {
      await order(api, path.node, { kind: 'cordon', isCordoned: true });
      return { cordoned: true };
    },
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/nodes/{node}/cordon',
    scope: 'admin',
    summary: 'A node takes connections again, and ends a drain that an operator has begun.',
    answer: z.object({ cordoned: z.literal(false) }),
    change: 'node uncordoned',
    handle: async (api, { path }) => {
      await order(api, path.node, { kind: 'cordon', isCordoned: false });
      return { cordoned: false };
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/nodes/{node}/drain',
    scope: 'admin',
    summary:
      'A node is cordoned, and sends its clients away evenly (MQTT 5: DISCONNECT 0x9C). What they sent is answered before. The process goes on, until DELETE of `cordon` makes it take clients again, or it is stopped.',
    body: z.strictObject({
      ratePerSecond: z.int().min(1).max(100_000).default(drainRateDefault).meta({
        description: 'Clients that are disconnected each second.',
        allowed: 'a whole number from 1 to 100000',
      }),
    }),
    answer: z.object({
      leaving: count.meta({ description: 'Clients that are disconnected.' }),
      seconds: z.number().meta({ description: 'Time that it takes.' }),
    }),
    change: 'node drained',
    handle: async (api, { path, body }) => {
      await order(api, path.node, { kind: 'cordon', isCordoned: true });
      const figures = (await order(api, path.node, { kind: 'node' })) as WorkerFiguresRecord[];
      const connections = figures.reduce((sum, each) => sum + each.connections, 0);
      const spreadMilliseconds = Math.round((connections * 1000) / body.ratePerSecond);
      const { serverReference } = api.parts.configuration.drain;
      const counts = await order(api, path.node, { kind: 'send-away', share: 1, spreadMilliseconds, serverReference });
      const leaving = (counts as number[]).reduce((sum, each) => sum + each, 0);
      return { leaving, seconds: spreadMilliseconds / 1000 };
    },
  }),
];
