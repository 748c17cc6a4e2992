import { ConfigurationError, keys, shownConfiguration } from '@dunlin/config';
import { z } from 'zod';
import { endpoint } from '../endpoint.ts';
import { ApiError } from '../problem.ts';

const row = z.object({
  key: z.string(),
  value: z.unknown(),
  origin: z.string().meta({ description: 'Where it was set: a file with its line, a variable, a flag; `default`.' }),
  reloads: z.boolean().meta({ description: 'True: a change takes effect when the configuration is read again.' }),
});

export const configurationEndpoints = [
  endpoint({
    method: 'GET',
    path: '/api/v1/config',
    scope: 'read',
    summary: 'The configuration in force at this node, without passwords, and where each key was set.',
    answer: z.object({ node: z.string(), keys: z.array(row) }),
    handle: async ({ parts }) => {
      const values = shownConfiguration(parts.configuration);
      return {
        node: parts.configuration.nodeId,
        keys: keys.map(({ path, reloads }) => ({
          key: path,
          value: values.get(path),
          origin: parts.origins.get(path) ?? 'default',
          reloads: reloads === true,
        })),
      };
    },
  }),
  endpoint({
    method: 'POST',
    path: '/api/v1/config/reload',
    scope: 'admin',
    summary: 'Reads the configuration of this node again, with certificates, users and rules, as SIGHUP does.',
    answer: z.object({
      needStart: z.array(z.string()).meta({ description: 'Keys whose new values hold from the next start on.' }),
    }),
    change: 'configuration read again',
    handle: async ({ parts }) => {
      if (parts.reload === null)
        throw new ApiError(409, 'this node was started with a configuration that cannot be read again');
      try {
        return { needStart: parts.reload() };
      } catch (error) {
        if (error instanceof ConfigurationError) throw new ApiError(409, error.message);
        throw error;
      }
    },
  }),
];
