// The reference of the log: docs/log.md. Nothing that runs in a node imports this file: nodes know names, levels and messages of events, and not what they mean.
import * as auth from '@dunlin/auth/log-meanings';
import * as backplaneNats from '@dunlin/backplane-nats/log-meanings';
import type { LogEvent, LogMeaning } from '@dunlin/broker';
import * as broker from '@dunlin/broker/log-meanings';
import * as storeRedis from '@dunlin/store-redis/log-meanings';
import * as telemetry from '@dunlin/telemetry/log-meanings';
import { logFields } from './log-fields.ts';
import * as edge from './log-meanings.ts';

export interface EventTable {
  /** The folder in packages/ whose lines they are. */
  readonly package: string;
  readonly title: string;
  readonly events: Readonly<Record<string, LogEvent>>;
  readonly meanings: Readonly<Record<string, LogMeaning>>;
}

export const eventTables: readonly EventTable[] = [
  { package: 'broker', title: 'Clients, sessions and messages', ...broker },
  { package: 'edge', title: 'Node and workers', ...edge },
  { package: 'backplane-nats', title: 'NATS and other endpoints', ...backplaneNats },
  { package: 'store-redis', title: 'Redis', ...storeRedis },
  { package: 'auth', title: 'Authentication', ...auth },
  { package: 'telemetry', title: 'Logs and traces', ...telemetry },
];

function entry({ events, meanings }: EventTable, name: string): string {
  const { level, message, fields } = events[name];
  const { meaning, action } = meanings[name];
  const names = fields.map((field) =>
    field.endsWith('?') ? `\`${field.slice(0, -1)}\` (not always)` : `\`${field}\``,
  );
  return [
    `### ${name}`,
    `**${level}**: ${message}`,
    meaning,
    ...(action === '' ? [] : [`**What to do:** ${action}`]),
    ...(names.length === 0 ? [] : [`Fields: ${names.join(', ')}`]),
  ].join('\n\n');
}

export function logReference(): string {
  const tables = eventTables.map((table) => ({ ...table, names: Object.keys(table.events).sort() }));
  const rows = tables
    .flatMap(({ events, names }) => names.map((name) => [name, events[name]] as const))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { level, message }]) => `| [${name}](#${name.replaceAll('.', '')}) | ${level} | ${message} |`);
  const sections = tables.map(
    (table) => `## ${table.title}\n\n${table.names.map((name) => entry(table, name)).join('\n\n')}`,
  );
  const used = new Set(tables.flatMap(({ events }) => Object.values(events).flatMap(({ fields }) => fields.map(bare))));
  const fieldRows = Object.entries(logFields)
    .filter(([name]) => used.has(name))
    .map(([name, what]) => `| \`${name}\` | ${what} |`);
  return `# Log lines

Generated from the tables of log events (\`packages/*/src/log-events.ts\`, \`log-meanings.ts\`) by \`npm run docs\`; do not edit.

A line is one JSON object, or, with \`log.format: pretty\` and on a terminal, one line of text:

\`\`\`
{"level":"warn","time":"2026-01-01T12:30:05.123Z","node":"a","worker":1,"event":"jwks.fetch-failed","url":"https://…","error":"fetch failed","cause":"…","msg":"the keys for tokens …"}
12:30:05.123 WARN  [a/1] the keys for tokens … url=https://… error="fetch failed" event=jwks.fetch-failed
\`\`\`

\`event\` is the name of what has happened. It stays what it is from release to release: alerts and searches go by it. The text in \`msg\` is for people, and may become clearer. Every line has
\`level\`, \`time\`, \`node\`, \`event\` and \`msg\`; lines of a worker have its number in \`worker\`. What several workers notice at once is written once, by one of them. Lines at level debug are
written with \`log.level: debug\` alone. Terms such as endpoint, durable filter, cursor and frame are explained in the [glossary](../ARCHITECTURE.md#1-glossary).

| event | level | message |
| --- | --- | --- |
${rows.join('\n')}

${sections.join('\n\n')}

## Fields

| field | what it is |
| --- | --- |
${fieldRows.join('\n')}
`;
}

/** The name of a field, whether or not it may be absent. */
export function bare(field: string): string {
  return field.endsWith('?') ? field.slice(0, -1) : field;
}
