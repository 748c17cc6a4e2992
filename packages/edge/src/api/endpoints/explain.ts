import { explainOutcomes, explainVerdicts, type FateRecord, fateKinds, fatesMax } from '@dunlin/broker/ports';
import { z } from 'zod';
import { endpoint, incomplete, limit, text } from '../endpoint.ts';
import { explain } from '../explanations.ts';

/** Largest message that is supposed: what MQTT allows is far more than any configuration. */
const payloadBytesMax = 16 * 1024 * 1024;

export const explainEndpoints = [
  endpoint({
    method: 'POST',
    path: '/api/v1/explain',
    scope: 'read',
    summary:
      'Would this client get a message on this topic now, and if not, why? Nothing is published: the functions that deliver are asked.',
    body: z.strictObject({
      client: text('Client identifier of the receiver.').min(1),
      topic: text('Topic name.').min(1),
      publisher: text('Client identifier of the publisher, whose rights are asked as well; none unless given.').default(
        '',
      ),
      qos: z
        .union([z.literal(0), z.literal(1), z.literal(2)])
        .default(0)
        .meta({ description: '0, 1 or 2; 0 unless given.', allowed: '0, 1, 2' }),
      retain: z.boolean().default(false),
      payloadBytes: z
        .int()
        .min(0)
        .max(payloadBytesMax)
        .default(0)
        .meta({ description: `Size of its payload, at most ${payloadBytesMax}.`, allowed: `0 to ${payloadBytesMax}` }),
    }),
    answer: z.object({
      verdict: z.enum(explainVerdicts).meta({
        description:
          '`yes`: it gets it now; `later`: the message is kept for it; `chance`: it is one of several members of a shared group; `no`; `unknown`: a node did not answer.',
      }),
      summary: z.string().meta({ description: 'The verdict and what decides it.' }),
      steps: z.array(
        z.object({
          check: z.string(),
          outcome: z
            .enum(explainOutcomes)
            .meta({ description: '`failed`, `waits` and `chance` decide; `note` decides nothing.' }),
          text: z.string(),
        }),
      ),
      node: z.string().nullable().meta({ description: 'Node that the client is connected to; null: none.' }),
      incomplete,
    }),
    handle: async ({ parts: { gathering } }, { body }) => {
      const { client: clientId, ...rest } = body;
      return explain(gathering, { kind: 'explain', clientId, ...rest });
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/fates',
    scope: 'read',
    summary: `What became of the last messages of a client or topic, the newest first: drops and refusals, and a sample of deliveries (limits.fatesSampledPercent). Each worker remembers ${fatesMax}.`,
    query: z.strictObject({
      client: text('Client identifier of the receiver or the publisher.').optional(),
      filter: text('Topic filter.').optional(),
      limit,
    }),
    answer: z.object({
      fates: z.array(
        z.object({
          at: z.iso.datetime(),
          fate: z
            .enum(fateKinds)
            .meta({ description: '`delivered`, or a reason as in `dunlin_messages_dropped_total` (docs/metrics.md).' }),
          topic: z.string().meta({ description: 'The beginning of a long one.' }),
          qos: z.int(),
          client: z.string().meta({ description: 'Receiver; empty: none in particular.' }),
          publisher: z.string().meta({ description: 'Empty: not known, or not a client.' }),
          node: z.string(),
        }),
      ),
      incomplete,
    }),
    handle: async ({ parts: { gathering } }, { query }) => {
      const { client: clientId = '', filter = '' } = query;
      const gathered = await gathering.all<FateRecord[]>({ kind: 'fates', clientId, filter, limit: query.limit });
      const all = gathered.parts.flatMap(({ node, value }) => value.map((fate) => ({ ...fate, node })));
      all.sort((one, other) => other.at - one.at);
      const fates = all.slice(0, query.limit).map((fate) => ({ ...fate, at: new Date(fate.at).toISOString() }));
      return { fates, incomplete: gathered.incomplete };
    },
  }),
];
