// The reference of the administration API: docs/api.md. Nothing that runs in a node imports this file.
import { endpoints } from './all-endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { pathParts, schemaOf } from './open-api.ts';

type Json = Record<string, unknown> & {
  properties?: Record<string, Json>;
  items?: Json;
  anyOf?: Json[];
  enum?: unknown[];
};

function typeOf(schema: Json): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(', ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (schema.format === 'date-time') return 'time (ISO 8601)';
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  return typeof schema.type === 'string' ? schema.type : 'any';
}

/** Rows of the fields of a schema, those within lists and objects behind their names. */
function rowsOf(schema: Json, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const inner = field.items ?? field;
    const mark = field.items === undefined ? '' : '[]';
    const words = (field.description as string | undefined) ?? '';
    return [
      `| \`${prefix}${name}${mark}\` | ${typeOf(field)} | ${words} |`,
      ...rowsOf(inner, `${prefix}${name}${mark}.`),
    ];
  });
}

function table(title: string, rows: readonly string[]): string[] {
  return rows.length === 0
    ? []
    : [`${title}:`, ['| name | type | meaning |', '| --- | --- | --- |', ...rows].join('\n')];
}

function section(endpoint: Endpoint): string {
  const { method, path, summary, scope, query, body, answer } = endpoint;
  const parts = pathParts(path).map((name) => `\`${name}\``);
  return [
    `### ${method} ${path}`,
    summary,
    `Scope: \`${scope}\`.${parts.length === 0 ? '' : ` Percent-encoded in the path: ${parts.join(', ')}.`}`,
    ...table('Query', rowsOf(schemaOf(query, 'input') as Json)),
    ...(body === null ? [] : table('Body', rowsOf(schemaOf(body, 'input') as Json))),
    ...table('Answer', rowsOf(schemaOf(answer, 'output') as Json)),
  ].join('\n\n');
}

export function apiReference(): string {
  return `# Administration API

Generated from the table of endpoints (\`packages/edge/src/api/endpoints\`) by \`npm run docs\`; do not edit. How to use it: [administration.md](administration.md). The same for programs, OpenAPI 3.1: \`GET /api/v1/openapi.json\`.

Requests go to \`admin.address\` with the header \`Authorization: Bearer KEY\`, or without one to the socket control.sock in the data directory. Bodies and answers are JSON. An answer that is not 200 is a problem (RFC 9457): \`{"type","title","status","detail"}\`, and \`detail\` says what was given and what is allowed.

| status | meaning |
| --- | --- |
| 400 | an input is wrong |
| 401 | there is no key, or one that is not known |
| 403 | the scope of the key is too low, or a page of another origin asks |
| 404 | there is no such path, client, session or key |
| 405, 413, 415 | another method, a body that is too long, a body that is not JSON |
| 409 | it cannot be done in the state that things are in |
| 421 | the Host header holds a name that is not known (\`admin.hosts\`) |
| 429 | too many wrong keys came from this address |
| 503 | the store, or the nodes that are asked, do not answer |

Lists come in pages: \`next\` of an answer is the \`cursor\` of the next request, and null at the end. Answers that are gathered from several nodes have \`incomplete\`: the nodes that did not answer in time, with the reason.

## Endpoints

${endpoints.map(section).join('\n\n')}
`;
}
