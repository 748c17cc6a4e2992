import { adminScopes } from '@dunlin/broker/ports';
import { z } from 'zod';
import { endpoint } from '../endpoint.ts';
import { shown } from '../keys.ts';
import { ApiError } from '../problem.ts';

const nameForm = '1 to 64 letters, digits, ".", "_" and "-"';
const scope = z.enum(adminScopes).meta({
  description:
    '`read`: looks; `write`: also acts on clients, sessions and messages; `admin`: also keys and configuration.',
  allowed: adminScopes.join(', '),
});

const shownKey = z.object({
  name: z.string(),
  scope,
  by: z.string().meta({ description: 'Name of the key that it was added with.' }),
  createdAt: z.iso.datetime(),
  usedAt: z.iso.datetime().nullable().meta({ description: 'Last use, to about a minute; null: never.' }),
});

export const keyEndpoints = [
  endpoint({
    method: 'GET',
    path: '/api/v1/keys',
    scope: 'admin',
    summary: 'Keys by name. The keys themselves are stored nowhere.',
    answer: z.object({ keys: z.array(shownKey) }),
    handle: async (node) => ({ keys: (await node.keys.list()).map(shown) }),
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/keys',
    scope: 'admin',
    summary: 'Adds a key, which this answer alone shows. All nodes know it at once.',
    body: z.strictObject({
      name: z
        .string()
        .regex(/^[\w.-]{1,64}$/)
        .meta({ description: `Name, for lists and logs: ${nameForm}.`, allowed: nameForm }),
      scope,
    }),
    answer: shownKey.extend({ key: z.string() }),
    handle: async (node, { body, sender }) => {
      const { key, added } = await node.keys.add(body.name, body.scope, sender.name);
      node.changed('key added', sender.name, { name: body.name, scope: body.scope });
      return { ...shown(added), key };
    },
  }),
  endpoint({
    method: 'DELETE',
    path: '/api/v1/keys/{name}',
    scope: 'admin',
    summary: 'Revokes a key: no node takes it any more, within a second.',
    answer: z.object({ revoked: z.literal(true) }),
    change: 'key revoked',
    handle: async (node, { path }) => {
      if (await node.keys.revoke(path.name)) return { revoked: true };
      throw new ApiError(404, `name: given "${path.name}", which no key has; GET /api/v1/keys lists them`);
    },
  }),
];
