import type { PublishQuery, RetainedRecordPage } from '@dunlin/broker/ports';
import { z } from 'zod';
import { cursor, endpoint, incomplete, limit, text, yes } from '../endpoint.ts';
import { bytesOf, payloadForms, shownPayload } from '../payload.ts';
import { ApiError } from '../problem.ts';

const count = z.int().nonnegative();
/** Bytes of a payload that a list shows. */
const payloadBytesMax = 256;
/** Retained messages that are removed in one step, and by one request. */
const removedAtOnce = 200;
const removedMax = 10_000;
/** Topics of an answer about a removal. */
const topicsMax = 100;

const filter = text('Topic filter.');

const retained = z.object({
  topic: z.string(),
  qos: z.int(),
  payload: z
    .string()
    .nullable()
    .meta({ description: `The payload, or the first ${payloadBytesMax} bytes of it; null: it is no text.` }),
  payloadBase64: z.string().nullable(),
  isCut: z.boolean(),
  payloadBytes: count,
  expiresAt: z.iso.datetime().nullable(),
});

const properties = z.strictObject({
  messageExpiryInterval: z.int().min(0).max(0xffffffff).optional().meta({ description: 'Seconds.' }),
  contentType: text('Content type.').optional(),
  responseTopic: text('Response topic.').optional(),
  correlationData: z.base64().optional().meta({ description: 'Base64.' }),
  payloadFormatIndicator: z.union([z.literal(0), z.literal(1)]).optional(),
  userProperties: z
    .array(z.tuple([z.string(), z.string()]))
    .max(100)
    .optional()
    .meta({ description: 'Names and values.' }),
});

export const messageEndpoints = [
  endpoint({
    method: 'POST',
    path: '/api/v1/publish',
    scope: 'write',
    summary: 'Publishes a message, under no rules; answered when it is as safe as an acknowledged one.',
    body: z.strictObject({
      topic: text('Topic name; not one that begins with `$`.'),
      ...payloadForms,
      qos: z
        .union([z.literal(0), z.literal(1), z.literal(2)])
        .default(0)
        .meta({ description: '0, 1 or 2; 0 unless given.', allowed: '0, 1, 2' }),
      retain: z.boolean().default(false),
      properties: properties.default({}),
    }),
    answer: z.object({
      published: z.literal(true),
      sessions: count.meta({ description: 'Connected sessions with a subscription to it, when it was published.' }),
      groups: count.meta({ description: 'Shared groups that get it, as the worker that published it knows.' }),
      logs: count.meta({
        description: 'Durable filters whose logs it went into, for sessions that are away too (QoS 1 and 2).',
      }),
      incomplete,
    }),
    change: 'message published',
    handle: async ({ parts: { gathering } }, { body }) => {
      const { topic, qos, retain } = body;
      const payload = bytesOf(body);
      if (typeof payload === 'string') throw new ApiError(400, `body: ${payload}`);
      const reached = await gathering.all<{ sessions: number; groups: number; logs: number }>({
        kind: 'receivers',
        topic,
      });
      const query: PublishQuery = {
        ...{ kind: 'publish', topic, qos, retain, payload: payload.toString('base64') },
        properties: body.properties,
      };
      await gathering.one(query);
      const values = reached.parts.map(({ value }) => value);
      return {
        published: true,
        sessions: values.reduce((sum, { sessions }) => sum + sessions, 0),
        groups: Math.max(0, ...values.map(({ groups }) => groups)),
        logs: qos === 0 ? 0 : Math.max(0, ...values.map(({ logs }) => logs)),
        incomplete: reached.incomplete,
      };
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/retained',
    scope: 'read',
    summary: 'Retained messages whose topics match a filter.',
    query: z.strictObject({
      filter: filter.default('#').meta({ description: 'Topic filter; `#` unless given.' }),
      limit,
      cursor,
    }),
    answer: z.object({ messages: z.array(retained), next: z.string().nullable() }),
    handle: async ({ parts: { gathering } }, { query }) => {
      const { messages, next } = await gathering.one<RetainedRecordPage>({
        ...{ kind: 'retained', filter: query.filter, after: query.cursor ?? null, limit: query.limit },
        ...{ payloadBytesMax, removes: false },
      });
      return {
        messages: messages.map(({ payload, expiresAt, ...rest }) => ({
          ...rest,
          ...shownPayload(payload, rest.payloadBytes),
          expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
        })),
        next,
      };
    },
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/retained',
    scope: 'write',
    summary: `Removes retained messages whose topics match a filter, at most ${removedMax} at a time. Subscribers get the empty message that MQTT has for it.`,
    query: z.strictObject({
      filter,
      dryRun: yes
        .default(false)
        .meta({ description: '`true`: counts and lists, and removes nothing.', allowed: 'true, false' }),
    }),
    answer: z.object({
      removed: count.meta({ description: 'With `dryRun`: how many there are to remove.' }),
      dryRun: z.boolean(),
      topics: z.array(z.string()).meta({ description: `The first ${topicsMax}.` }),
      hasMore: z.boolean().meta({ description: 'There are more: ask again.' }),
    }),
    handle: async (node, { query, sender }) => {
      const { gathering } = node.parts;
      const topics: string[] = [];
      let removed = 0;
      let after: string | null = null;
      do {
        const page: RetainedRecordPage = await gathering.one<RetainedRecordPage>({
          ...{ kind: 'retained', filter: query.filter, after, limit: removedAtOnce },
          ...{ payloadBytesMax: 0, removes: !query.dryRun },
        });
        removed += page.messages.length;
        for (const { topic } of page.messages) if (topics.length < topicsMax) topics.push(topic);
        after = page.next;
      } while (after !== null && removed < removedMax);
      if (!query.dryRun)
        node.changed('retained messages removed', sender.name, { filter: query.filter, count: String(removed) });
      return { removed, dryRun: query.dryRun, topics, hasMore: after !== null };
    },
  }),
];
