import { z } from 'zod';
import { endpoint, text } from '../endpoint.ts';

const count = z.int().nonnegative();
/** Clients that change their node each second, unless the request says otherwise. */
const rateDefault = 50;

const state = z.object({
  running: z.boolean(),
  outcome: z
    .enum(['none', 'running', 'even', 'stopped', 'given-up'])
    .meta({ description: 'How the last one ended. `none`: there was none since this node started.' }),
  rounds: count,
  sent: count.meta({ description: 'Clients that were disconnected so far.' }),
  nodes: z
    .array(
      z.object({
        node: z.string(),
        connections: count,
        above: count.meta({ description: 'Clients that it has above an equal share.' }),
      }),
    )
    .meta({ description: 'Nodes that are ready, in the last round.' }),
});

export const rebalanceEndpoints = [
  endpoint({
    method: 'POST',
    path: '/api/v1/rebalance',
    scope: 'admin',
    summary:
      'Moves clients from nodes that have more than an equal share (MQTT 5: DISCONNECT 0x9C), those first that are connected longest. What they sent is answered before. It goes on at the node that was asked until the nodes differ by less than 5 % from their mean, or DELETE.',
    body: z.strictObject({
      ratePerSecond: z.int().min(1).max(100_000).default(rateDefault).meta({
        description: 'Clients that are disconnected each second, by all nodes together.',
        allowed: 'a whole number from 1 to 100000',
      }),
      references: z.record(z.string(), text('HOST or HOST:PORT')).default({}).meta({
        description:
          'Server References for clients with MQTT 5 by the name of the node that they lead to; without, `drain.serverReference` of the node that is asked.',
        allowed: 'texts by the names of nodes',
      }),
      dryRun: z.boolean().default(false).meta({
        description: 'Shows how many each node has above its share, and moves none.',
        allowed: 'true, false',
      }),
    }),
    answer: state,
    change: 'rebalance begun',
    handle: async ({ rebalance, parts }, { body: { dryRun, ...options } }) => {
      if (dryRun) return { running: false, outcome: 'none', rounds: 0, sent: 0, nodes: await rebalance.look() };
      return rebalance.start({ ...options, serverReference: parts.configuration.drain.serverReference });
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/rebalance',
    scope: 'read',
    summary: 'How far the rebalance is that this node was asked for.',
    answer: state,
    handle: async ({ rebalance }) => rebalance.state,
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/rebalance',
    scope: 'admin',
    summary: 'Ends the rebalance that this node was asked for.',
    answer: state,
    change: 'rebalance ended',
    handle: async ({ rebalance }) => rebalance.stop(),
  }),
];
