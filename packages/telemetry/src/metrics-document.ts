import { metricRows } from './metric-names.ts';

const merges = {
  sum: 'added up over the workers',
  least: 'the least of the workers',
  each: 'of each worker',
  node: 'of the process',
} as const;

/** The reference of the metrics: docs/metrics.md. */
export function metricsReference(): string {
  const rows = metricRows.map(({ name, type, labels, help, merge }) =>
    [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help, merges[merge]].join(' | '),
  );
  return `# Metrics

Generated from the table of metrics by \`npm run docs\`; do not edit.

A node answers \`GET /metrics\` at the address of \`admin.address\` (\`dunlin start --admin 127.0.0.1:9883\`) in the text format of Prometheus, never on a port
for clients. Each worker counts in its own memory, which the supervisor reads: numbers are exact when traffic has stopped, and a worker that hangs is reported with
what it had counted a second before. Counters continue when a worker is replaced. No label contains a client or a topic.

Units are seconds and bytes. Gauges of the store as a whole are reported by one worker of the cluster, so their sum over all nodes is correct.

| name | type | labels | what it is | of workers |
| --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row} |`).join('\n')}
`;
}
