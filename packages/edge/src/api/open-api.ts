import { adminScopes } from '@dunlin/broker/ports';
import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';

type Json = Record<string, unknown>;

/** JSON Schema of what is sent (`input`) or answered (`output`). */
export function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      delete (jsonSchema as Json).allowed;
      // Answers get further fields in later releases.
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  }) as Json;
  return rest;
}

/** Names in braces of a path. */
export function pathParts(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
}

function parametersOf({ path, query }: Endpoint): Json[] {
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return [
    ...pathParts(path).map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(properties).map(([name, { description, ...schema }]) => ({
      ...{ name, in: 'query', required: required.includes(name), schema },
      ...(description === undefined ? {} : { description }),
    })),
  ];
}

const problem = { $ref: '#/components/responses/Problem' };

function operation(endpoint: Endpoint): Json {
  const { method, path, summary, scope, body, answer } = endpoint;
  return {
    operationId: `${method.toLowerCase()}${path
      .replace('/api/v1', '')
      .replace(/[{}]/g, '')
      .replace(/\/(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    description: `Scope: ${scope}.`,
    security: [{ key: [scope] }],
    parameters: parametersOf(endpoint),
    ...(body === null
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: {
      200: { description: 'Done.', content: { 'application/json': { schema: schemaOf(answer, 'output') } } },
      default: problem,
    },
  };
}

/** OpenAPI document of the endpoints. */
export function openApi(endpoints: readonly Endpoint[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const endpoint of endpoints) {
    paths[endpoint.path] ??= {};
    paths[endpoint.path][endpoint.method.toLowerCase()] = operation(endpoint);
  }
  const text = { type: 'string' };
  return {
    openapi: '3.1.1',
    info: {
      title: 'Dunlin administration API',
      version,
      description: `Scopes of keys, each with what those before it have: ${adminScopes.join(', ')}.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'A key; `dunlin keys add` makes one.' } },
      responses: {
        Problem: {
          description:
            'The request was refused, or failed: `detail` says what was given and what is allowed (RFC 9457).',
          content: {
            'application/problem+json': {
              schema: {
                type: 'object',
                properties: { type: text, title: text, status: { type: 'integer' }, detail: text },
                required: ['type', 'title', 'status', 'detail'],
              },
            },
          },
        },
      },
    },
  };
}
