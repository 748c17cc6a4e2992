import { z } from 'zod';
import { type Endpoint, endpoint } from './endpoint.ts';
import { endpoints as described } from './endpoints.ts';
import { openApi } from './open-api.ts';

/** All endpoints, and the document about them. */
export const endpoints: readonly Endpoint[] = [
  ...described,
  endpoint({
    method: 'GET',
    path: '/api/v1/openapi.json',
    scope: 'read',
    summary: 'This API as an OpenAPI document.',
    answer: z.record(z.string(), z.unknown()),
    handle: async (node) => openApi(endpoints, node.parts.version),
  }),
];
