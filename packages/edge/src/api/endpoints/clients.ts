import type { ClientAnswer, ClientDetail, ClientPage, ClientRecord, DisconnectRecord } from '@dunlin/broker/ports';
import { z } from 'zod';
import { cursor, endpoint, incomplete, limit, text } from '../endpoint.ts';
import type { Gathered, Part } from '../gathering.ts';
import { ApiError } from '../problem.ts';

const count = z.int().nonnegative();

const client = z.object({
  clientId: z.string(),
  userName: z.string().nullable().meta({ description: 'Null: anonymous.' }),
  address: z.string(),
  node: z.string(),
  worker: count,
  listener: z.string(),
  version: z.string().meta({ description: 'Version of MQTT.' }),
  connectedAt: z.iso.datetime(),
  keepAliveSeconds: count,
  sessionExpirySeconds: count.meta({ description: '0: the session ends with the connection.' }),
  subscriptions: count,
  inFlight: count.meta({ description: 'Messages of QoS 1 and 2 on their way to the client.' }),
  waiting: count.meta({ description: 'Messages that wait for it in memory; those in logs are not among them.' }),
  outputBytes: count.meta({ description: 'Bytes that its socket has not taken.' }),
});

const disconnect = z.object({
  at: z.iso.datetime(),
  reason: z.string().meta({ description: 'As in `dunlin_connections_closed_total` (docs/metrics.md).' }),
  code: count.meta({ description: 'Reason code of the DISCONNECT, from either side; 0: none, or a normal one.' }),
  address: z.string(),
  node: z.string(),
});

const detail = client.extend({
  lastDisconnect: disconnect
    .nullable()
    .meta({ description: 'End of an earlier connection; null: none is remembered.' }),
  isBridge: z.boolean(),
  inFlightInbound: count.meta({ description: 'Messages of QoS 2 from the client that wait for PUBREL.' }),
  receiveMaximum: count.nullable().meta({ description: 'Null: nothing of QoS 1 or 2 was sent yet.' }),
  hasWill: z.boolean(),
  subscriptionList: z
    .array(
      z.object({
        filter: z.string(),
        qos: z.int(),
        noLocal: z.boolean(),
        retainAsPublished: z.boolean(),
        identifiers: z.array(z.int()),
        logged: count
          .nullable()
          .meta({ description: 'Messages that wait in the log of the filter; null: it has none.' }),
      }),
    )
    .meta({ description: 'The first thousand.' }),
});

type Shown<T extends ClientRecord> = Omit<T, 'connectedAt'> & { connectedAt: string; node: string; worker: number };

function shown<T extends ClientRecord>({ node, worker, value }: Part<T>): Shown<T> {
  return { ...value, connectedAt: new Date(value.connectedAt).toISOString(), node, worker };
}

/**
 * Clients that each worker is asked for: its share of a page and some more, since shares differ. So a page costs about
 * what it shows, whatever the number of workers.
 */
function shareOf(limit: number, workers: number): number {
  return workers < 2 ? limit : Math.min(limit, Math.ceil((limit / workers) * 1.25) + 8);
}

/**
 * A page of all nodes, made of the pages of their workers, which are in order. It ends where the first of those that have
 * more ends: behind that, a client of this worker may come before those of others.
 */
function merged({ parts, incomplete: missing }: Gathered<ClientPage>, limit: number) {
  let end: string | null = null;
  for (const { value } of parts) {
    const last = value.hasMore ? value.clients[value.clients.length - 1].clientId : null;
    if (last !== null && (end === null || last < end)) end = last;
  }
  const all = parts.flatMap(({ node, worker, value }) =>
    value.clients.flatMap((each) =>
      end === null || each.clientId <= end ? [shown({ node, worker, value: each })] : [],
    ),
  );
  all.sort((one, other) => (one.clientId < other.clientId ? -1 : 1));
  const clients = all.slice(0, limit);
  const hasMore = end !== null || all.length > limit;
  return { clients, next: hasMore ? (clients.at(-1)?.clientId ?? null) : null, incomplete: missing };
}

/** The client that answers are about, as its newest connection: during a takeover two may be known. */
function newest(parts: readonly Part<ClientAnswer>[]): Shown<ClientDetail> | null {
  const found = parts.flatMap(({ node, worker, value }) =>
    value.client === null ? [] : [{ node, worker, value: value.client }],
  );
  found.sort((one, other) => other.value.connectedAt - one.value.connectedAt);
  return found.length === 0 ? null : shown(found[0]);
}

/** The last disconnect that a worker remembers. */
function lastOf(parts: readonly Part<ClientAnswer>[]) {
  const found = parts.flatMap(({ node, value }) =>
    value.lastDisconnect === null ? [] : [{ node, ...value.lastDisconnect }],
  );
  found.sort((one, other) => other.at - one.at);
  return found.length === 0 ? null : shownDisconnect(found[0]);
}

function shownDisconnect({ at, ...rest }: DisconnectRecord & { node: string }) {
  return { at: new Date(at).toISOString(), ...rest };
}

export function notConnected(clientId: string, { incomplete: missing }: Gathered<unknown>, more = ''): ApiError {
  const away = missing.map(({ node, reason }) => `${node}: ${reason}`).join('; ');
  return new ApiError(
    missing.length === 0 ? 404 : 503,
    `id: given "${clientId.slice(0, 100)}", which is not connected${away === '' ? '' : ` to a node that answers (${away})`}${more}`,
  );
}

export const clientEndpoints = [
  endpoint({
    method: 'GET',
    path: '/api/v1/clients',
    scope: 'read',
    summary: 'Connected clients of all nodes, in the order of their identifiers. A page may hold fewer than `limit`.',
    query: z.strictObject({
      filter: text('Client identifier, `*` stands for any characters: `gauge-*`.').optional(),
      user: text('User name.').optional(),
      address: text('Beginning of the address: `203.0.113.`.').optional(),
      node: text('Clients of this node alone.').optional(),
      limit,
      cursor,
    }),
    answer: z.object({ clients: z.array(client), next: z.string().nullable(), incomplete }),
    handle: async ({ parts: { gathering } }, { query }) => {
      const { filter = '', user = '', address = '', node = '' } = query;
      const after = query.cursor ?? null;
      const gathered = await gathering.all<ClientPage>(
        {
          kind: 'clients',
          after,
          limit: shareOf(query.limit, node === '' ? gathering.workers : 1),
          clientId: filter,
          userName: user,
          address,
        },
        node,
      );
      return merged(gathered, query.limit);
    },
  }),
  endpoint({
    method: 'GET',
    path: '/api/v1/clients/{id}',
    scope: 'read',
    summary: 'A connected client, with its subscriptions and what waits for it.',
    answer: detail,
    handle: async ({ parts: { gathering } }, { path }) => {
      const gathered = await gathering.all<ClientAnswer>({ kind: 'client', clientId: path.id });
      const found = newest(gathered.parts);
      const lastDisconnect = lastOf(gathered.parts);
      if (found !== null) return { ...found, lastDisconnect };
      const last =
        lastDisconnect === null
          ? ''
          : `; its last connection, to node ${lastDisconnect.node}, ended at ${lastDisconnect.at}: ${lastDisconnect.reason}`;
      throw notConnected(path.id, gathered, last);
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/clients/{id}/kick',
    scope: 'write',
    summary:
      'Ends the connection of a client (MQTT 5: DISCONNECT 0x98). Its session goes on, and it may connect again: a ban keeps it out.',
    body: z.strictObject({
      reason: z.string().max(1000).default('').meta({ description: 'Told to a client with MQTT 5.' }),
    }),
    answer: z.object({ kicked: z.literal(true), node: z.string() }),
    change: 'client kicked',
    handle: async ({ parts: { gathering } }, { path, body }) => {
      const gathered = await gathering.all<boolean>({ kind: 'kick', clientId: path.id, reason: body.reason });
      const done = gathered.parts.find(({ value }) => value);
      if (done === undefined) throw notConnected(path.id, gathered);
      return { kicked: true, node: done.node };
    },
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/sessions/{id}',
    scope: 'write',
    summary:
      'Ends a session with its subscriptions and messages, and the connection of its client if there is one. A scheduled will is published.',
    answer: z.object({
      ended: z.literal(true),
      wasConnected: z
        .boolean()
        .meta({ description: 'False: what was stored under this identifier, if anything, is gone.' }),
    }),
    change: 'session ended',
    handle: async ({ parts: { gathering } }, { path }) => {
      const gathered = await gathering.all<boolean>({ kind: 'end-session', clientId: path.id });
      const wasConnected = gathered.parts.some(({ value }) => value);
      // A node that did not answer may serve the client: its session is not taken away under it.
      if (!wasConnected && gathered.incomplete.length > 0) throw notConnected(path.id, gathered);
      if (!wasConnected) await gathering.one({ kind: 'forget-session', clientId: path.id });
      return { ended: true, wasConnected };
    },
  }),
];
