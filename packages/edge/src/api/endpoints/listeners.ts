import { formatListenerUrl } from '@dunlin/config';
import { z } from 'zod';
import { endpoint } from '../endpoint.ts';

const dayMilliseconds = 86_400_000;

const listener = z.object({
  name: z.string(),
  url: z.string().meta({ description: 'Address with the port that was taken.' }),
  certificateEndsAt: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'End of the certificate that ends first; null: no TLS.' }),
  certificateDaysLeft: z.number().nullable().meta({ description: 'Whole days until then; negative: it has ended.' }),
});

export const listenerEndpoints = [
  endpoint({
    method: 'GET',
    path: '/api/v1/listeners',
    scope: 'read',
    summary: 'Listeners of this node, with the days that their certificates have left.',
    answer: z.object({ node: z.string(), listeners: z.array(listener) }),
    handle: async ({ parts }) => {
      const ends = new Map(parts.certificateEnds().map(({ listener, endsAt }) => [listener, endsAt]));
      const { listeners, nodeId } = parts.configuration;
      const addresses = parts.addresses();
      return {
        node: nodeId,
        listeners: listeners.map(({ name, address }, at) => {
          const end = ends.get(name);
          return {
            name,
            url: formatListenerUrl(addresses[at] ?? address),
            certificateEndsAt: end === undefined ? null : new Date(end).toISOString(),
            certificateDaysLeft: end === undefined ? null : Math.floor((end - Date.now()) / dayMilliseconds),
          };
        }),
      };
    },
  }),
];
