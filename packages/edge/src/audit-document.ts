// The reference of the audit log: docs/audit.md. Nothing that runs in a node imports this file.
import { auditEvents } from '@dunlin/broker/ports';

/** Meanings of the fields that the records have. */
export const auditFields: Readonly<Record<string, string>> = {
  action: 'what was done',
  address: 'address and port of the client, as the PROXY header or `X-Forwarded-For` says where that is trusted',
  by: 'who or what caused the change',
  certificates: 'names of the certificates, and the ends of their validity',
  claimedUser: 'name that the client gave and has not proved; `(a token)` in the place of a token',
  client: 'client identifier',
  code: 'reason code of MQTT 5 that the client was answered with; MQTT 3 has its own for it',
  endsAt: 'end of the ban',
  files: 'keys of the configuration',
  fromAddress: 'address of the connection that was ended; absent where the other worker did not tell',
  fromEndpoint: 'worker that had the session, as `node/worker#incarnation`',
  keys: 'keys of the configuration whose new values hold',
  listener: 'name of the listener; those of the node at its start',
  listeners: 'addresses at which the node listens',
  method: 'way of signing in that decided',
  needStart: 'keys of the configuration whose new values hold from the next start on',
  pid: 'process of the node',
  reason: 'why',
  records: 'number of records that are missing',
  rulesSha256: 'SHA-256 of the file with the rules that hold now; absent: there are none',
  target: 'what it was done to',
  uid: 'user of the system whose process it is; -1 where the system has none',
  user: 'name that the client has proved to have; empty: none',
  version: 'version of MQTT, or of Dunlin',
};

const bare = (field: string): string => field.replace('?', '');

export function auditReference(): string {
  const names = Object.keys(auditEvents).sort() as (keyof typeof auditEvents)[];
  const sections = names.map((name) => {
    const { meaning, fields } = auditEvents[name];
    const listed = fields.map((field) => `\`${bare(field)}\`${field.endsWith('?') ? ' (not always)' : ''}`);
    return [`### ${name}`, meaning, ...(listed.length === 0 ? [] : [`Fields: ${listed.join(', ')}`])].join('\n\n');
  });
  const rows = Object.entries(auditFields).map(([name, what]) => `| \`${name}\` | ${what} |`);
  return `# Audit log

Generated from the table of audit events (\`packages/broker/src/ports/audit-events.ts\`) by \`npm run docs\`; do not edit.

With \`audit.file\` a node writes who signed in, was refused, banned or taken over, and what was changed, by whom and from where: one JSON object a line, to a file of its own, or to \`stdout\` or \`stderr\`.
The name of the key is that of the file, since most will want one; the two words are for containers, whose output is collected. Names of events and fields stay from release to release.

\`\`\`
{"time":"2026-11-30T12:00:00.000Z","kind":"audit","node":"a","worker":0,"event":"sign-in.refused","client":"gauge-7","user":"","address":"203.0.113.7:50112","listener":"tcp","code":"0x87","method":"password-file","reason":"wrong password","claimedUser":"ann"}
\`\`\`

Every record has \`time\` (of the node, UTC), \`kind\` (\`audit\`: lines of the log have \`level\` instead), \`node\`, \`event\`, and \`worker\` if a worker made it. Texts of clients are cut at 256 characters. No record holds a password, a token or a key.

- The file is created with mode 0600 and only added to. At SIGHUP it is opened anew: let logrotate rename it and send SIGHUP.
- The disk may be slow or full: clients do not wait for it. Up to 4 MiB of records wait (some 15,000); those beyond are dropped, counted (\`dunlin_audit_dropped_total\`, alert \`DunlinAuditDropped\`), and \`audit.dropped\` stands where they are missing. The records of the last moment before a crash may be missing.
- Refused sign-ins are recorded each, however many there are: give the file a disk, or a quota, of its own.
- Without \`audit.file\` nothing is made, and nothing is loaded.

## Events

${sections.join('\n\n')}

## Fields

| field | meaning |
| --- | --- |
${rows.join('\n')}
`;
}
