import { auditEvents } from '@dunlin/broker/ports';
import { z } from 'zod';
import { ControlError } from '../../admin/control-socket.ts';
import { events } from '../../log-events.ts';
import { endpoint } from '../endpoint.ts';
import { ApiError } from '../problem.ts';

const names = {
  clientId: z.string().nullish().meta({ description: 'Client identifier; null: any.' }),
  userName: z.string().nullish().meta({ description: 'User name; null: any.' }),
  address: z
    .string()
    .nullish()
    .meta({ description: 'Address or range: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/64`; null: any.' }),
  by: z
    .string()
    .optional()
    .meta({ description: 'Who does it, for the list and the logs; the name of the key unless given.' }),
};

const ban = z.object({
  clientId: z.string().nullable(),
  userName: z.string().nullable(),
  address: z.string().nullable(),
  reason: z.string(),
  by: z.string(),
  createdAt: z.iso.datetime(),
  endsAt: z.iso.datetime().nullable().meta({ description: 'Null: never.' }),
});

/** Takes what a book of bans refuses for a fault of the request. */
async function refusing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ControlError) throw new ApiError(400, `body: ${error.message}`);
    throw error;
  }
}

export const banEndpoints = [
  endpoint({
    method: 'GET',
    path: '/api/v1/bans',
    scope: 'read',
    summary: 'Bans that hold, in the order in which they were added.',
    answer: z.object({ bans: z.array(ban) }),
    handle: async (node) => ({ bans: await node.bans.list() }),
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/bans',
    scope: 'write',
    summary: 'Bans the clients that have all names given; connected ones end within a second.',
    body: z.strictObject({
      ...names,
      reason: z.string().optional().meta({ description: 'Told to clients with MQTT 5, and in the log.' }),
      endsAt: z.string().nullish().meta({ description: 'Time at which it ends by itself (ISO 8601); null: never.' }),
    }),
    answer: ban,
    handle: async (node, { body, sender }) => {
      const added = await refusing(node.bans.add({ ...body, by: body.by ?? sender.name }));
      const { clientId, userName, address, reason, by, endsAt } = added;
      const fields = { client: clientId, user: userName, address, reason, by, endsAt };
      node.parts.logger.info(events['ban.added'], fields);
      node.parts.audit()?.record(auditEvents['ban.added'], fields);
      return added;
    },
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/bans',
    scope: 'write',
    summary: 'Removes the ban with exactly these names; `removed` is false where there is none.',
    body: z.strictObject(names),
    answer: z.object({ removed: z.boolean() }),
    handle: async (node, { body, sender }) => {
      if (!(await refusing(node.bans.remove(body)))) return { removed: false };
      const { clientId = null, userName = null, address = null, by = sender.name } = body;
      const fields = { client: clientId, user: userName, address, by };
      node.parts.logger.info(events['ban.removed'], fields);
      node.parts.audit()?.record(auditEvents['ban.removed'], fields);
      return { removed: true };
    },
  }),
];
