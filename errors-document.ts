// The reference of errors, docs/errors.md: written by `npm run docs`. It lies here because it joins the tables of all packages; nothing that runs imports them.
import { writeFileSync } from 'node:fs';
import { errorTable as auth } from './packages/auth/src/error-table.ts';
import { errorTable as backplaneNats } from './packages/backplane-nats/src/error-table.ts';
import { errorTable as broker } from './packages/broker/src/error-table.ts';
import { errorTable as cli } from './packages/cli/src/error-table.ts';
import { exitCodes } from './packages/cli/src/exit-code.ts';
import { errorTable as config } from './packages/config/src/error-table.ts';
import { errorTable as edge } from './packages/edge/src/error-table.ts';
import type { ErrorText } from './packages/protocol/src/coded-error.ts';
import { errorTable as protocol } from './packages/protocol/src/error-table.ts';
import { errorTable as storeRedis } from './packages/store-redis/src/error-table.ts';

type Classes = Readonly<Record<string, Readonly<Record<string, ErrorText>>>>;

/** Tables of the packages, in the order of the document. Packages that throw errors of others alone have none. */
const packages: readonly { package: string; title: string; classes: Classes }[] = [
  { package: 'cli', title: 'Commands', classes: cli },
  { package: 'config', title: 'Configuration', classes: config },
  { package: 'auth', title: 'Authentication and authorization', classes: auth },
  { package: 'edge', title: 'The node and its threads', classes: edge },
  { package: 'protocol', title: 'MQTT', classes: protocol },
  { package: 'broker', title: 'Store and messages', classes: broker },
  { package: 'store-redis', title: 'Redis', classes: storeRedis },
  { package: 'backplane-nats', title: 'NATS', classes: backplaneNats },
];

export interface ErrorRow extends ErrorText {
  readonly code: string;
  readonly className: string;
  /** Folder in packages/. */
  readonly package: string;
  readonly title: string;
}

export const errorRows: readonly ErrorRow[] = packages.flatMap(({ package: name, title, classes }) =>
  Object.entries(classes).flatMap(([className, codes]) =>
    Object.entries(codes).map(([code, text]) => ({ code, className, package: name, title, ...text })),
  ),
);

function entry({ code, className, package: name, says, thrownWhen, remedy, surfaces }: ErrorRow): string {
  return [
    `### ${code}`,
    `\`${className}\` of \`packages/${name}\`. Thrown when ${thrownWhen}.`,
    `| | |\n| --- | --- |\n| Message | ${says} |\n| What to do | ${remedy} |\n| Where it shows | ${surfaces} |`,
  ].join('\n\n');
}

export function errorReference(): string {
  const rows = errorRows
    .toSorted((a, b) => (a.code < b.code ? -1 : 1))
    .map(
      ({ code, className, thrownWhen }) =>
        `| [\`${code}\`](#${code.toLowerCase()}) | \`${className}\` | ${thrownWhen} |`,
    );
  const exits = Object.values(exitCodes).map(({ code, meaning }) => `| ${code} | ${meaning} |`);
  const sections = packages.map(({ package: name, title }) => {
    const entries = errorRows.filter((row) => row.package === name).map(entry);
    return `## ${title}\n\n${entries.join('\n\n')}`;
  });
  return `# Errors

Generated from the tables of the packages (\`packages/*/src/error-table.ts\`) by \`npm run docs\`; do not edit.

Every failure that Dunlin foresees is an error with a code. A code is words in lower case, joined by hyphens, and means one thing in the whole program; codes stay what they are from release to
release, messages may become clearer. The codes of \`dunlin bench\` (\`BENCH_…\`)
have another form, since programs read them in its JSON. Terms such as endpoint, claim and log are explained in the [glossary](../ARCHITECTURE.md#1-glossary).

- Log lines have the error in the field \`error\`. Where that is an object, it has the code in \`error.code\`, the class in \`error.type\`, and what lies behind it in \`error.stack\`; where
  it is a text, the code is in the field \`errorCode\`. Codes in capitals, such as \`ECONNREFUSED\`, are those of the operating system.
- Commands write the message to standard error and end with an exit code:

  | exit code | meaning |
  | --- | --- |
${exits.map((line) => `  ${line}`).join('\n')}

- MQTT clients see reason codes, not these codes: the table of them is in \`packages/protocol/src/reason-codes.ts\`.
- An error of another class (\`TypeError\`, \`RangeError\`, \`Error\`) is a fault of the program, or of a library below it that the line names. Please report it.

| code | class | thrown when |
| --- | --- | --- |
${rows.join('\n')}

${sections.join('\n\n')}
`;
}

if (import.meta.main) writeFileSync(new URL('docs/errors.md', import.meta.url), errorReference());
