import { stringify } from 'yaml';
import { z } from 'zod';
import type { Configuration } from './configuration.ts';
import { configFileVariable, type Key, keys } from './keys.ts';
import { listenerInput } from './listener.ts';
import { listenerOptionNames, listenerOptions, schemes } from './listener-keys.ts';
import { renamedKeys } from './renamed-keys.ts';
import { schema } from './schema.ts';
import { withoutSecrets } from './secret.ts';

/** The JSON schema of the configuration file (draft 2020-12), for editors and other checkers. */
export function configurationJsonSchema(): Record<string, unknown> {
  const json = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input', override: forgetMachine }) as Record<
    string,
    unknown
  >;
  for (const [old, today] of renamedKeys) addDeprecated(json, old, today);
  return { ...json, title: 'Dunlin configuration' };
}

interface JsonObject {
  properties?: Record<string, JsonObject>;
  [word: string]: unknown;
}

/** Adds the old name of a key, so that a file which has it is valid and an editor marks it. */
function addDeprecated(json: JsonObject, old: string, today: string): void {
  const steps = old.split('.');
  const find = (at: JsonObject, step: string): JsonObject => at.properties?.[step] ?? {};
  const section = steps.slice(0, -1).reduce(find, json);
  const described = {
    ...today.split('.').reduce(find, json),
    deprecated: true,
    description: `Now called \`${today}\`.`,
  };
  section.properties = { ...section.properties, [steps.at(-1) as string]: described };
}

/** A default that depends on the machine is not part of the schema. */
function forgetMachine(context: { jsonSchema: Record<string, unknown> }): void {
  const json = context.jsonSchema;
  if (json.defaultText !== undefined) delete json.default;
  for (const word of ['defaultText', 'allowed', 'reloads', 'isSecret', 'isFile', 'schemes']) delete json[word];
}

function row(key: Key): string {
  const effect = key.reloads ? 'SIGHUP' : 'start';
  const cells = [`\`${key.path}\``, key.description, key.allowed, showDefault(key), effect, `\`${key.variable}\``];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function showDefault(key: Key): string {
  return key.type.meta()?.defaultText === undefined ? `\`${key.defaultText}\`` : key.defaultText;
}

function optionRow(name: (typeof listenerOptionNames)[number]): string {
  const { description, allowed, defaultText, schemes: kinds = schemes } = listenerOptions[name].meta() ?? {};
  const cells = [`\`${name}\``, description, allowed, defaultText, kinds.join(', ')];
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The reference of the configuration: docs/configuration.md. */
export function configurationReference(): string {
  return `# Configuration

Generated from the schema by \`npm run docs\`; do not edit.

One YAML file, named by \`--config FILE\` or by the variable \`${configFileVariable}\`. Every key is also an environment variable and can
be given on the command line as \`--set KEY=VALUE\`. Flags come before the environment, the environment before the file, the file
before the defaults. A list in a variable or a flag is written with commas, or as YAML: \`[a, b]\`.

Unknown keys, invalid values, a missing file, and variables that begin with \`DUNLIN_\` and belong to no key are errors: the broker does not start.
All errors are reported at once, each with its place, what is allowed, and a suggestion. \`dunlin config check\` only validates,
\`dunlin config init\` writes a template, \`dunlin config print\` shows the effective configuration and where each value comes from. The JSON schema
of the file is \`docs/dunlin.schema.json\`. An old name of a key works as well, with a warning that says the new one (docs/compatibility.md).

Without configuration the broker listens on the loopback address only. A listener that other machines can reach is an error unless its clients
must authenticate, or it has \`allowAnonymous: true\` (docs/security.md).

| key | what it is | allowed | default | takes effect at | variable |
| --- | --- | --- | --- | --- | --- |
${keys.map(row).join('\n')}

## Options of a listener

In the file each listener is a map with \`url\` and any of these; in a URL they are written as \`?cert=a.pem&key=a.key\`, and lists
(\`trustedProxies\`, \`origins\`) repeat the name for each entry. The default port is 1883 for tcp, 8883 for tls, 8083 for ws and 8084 for wss; without a
path, WebSocket is served at \`/mqtt\` and at \`/\`; with a path, only there.

\`\`\`yaml
listeners:
  - tcp://127.0.0.1:1883
  - url: tls://0.0.0.0:8883
    certificates:
      - { cert: /etc/dunlin/example.com.pem, key: /etc/dunlin/example.com.key }
      - { cert: /etc/dunlin/example.org.pem, key: /etc/dunlin/example.org.key }
    clientCa: /etc/dunlin/devices-ca.pem
    clientCertificates: require
    allowAnonymous: true
  - url: ws://10.1.2.3:8083/mqtt
    proxy: required
    trustedProxies: [10.1.0.0/16]
    origins: [https://dashboard.example.com]
    allowAnonymous: true
\`\`\`

Certificates, keys, authorities and lists of withdrawn certificates are reloaded at SIGHUP and when the files change, and used for new connections; connections whose client certificate is withdrawn are ended. An invalid file
is logged and changes nothing. All other options of listeners take effect at a start.

A WebSocket message, in one frame or several, may have twice \`limits.maximumPacketSizeBytes\`, at least 64 KiB. A request for a WebSocket that is not
answered with 101 gets 404 for another path, 403 for an origin that may not connect, 400 without one of the subprotocols \`mqtt\` and \`mqttv3.1\`.

| option | what it is | allowed | default | for |
| --- | --- | --- | --- | --- |
${listenerOptionNames.map(optionRow).join('\n')}
`;
}

/**
 * A configuration file with every key, commented out. Lines with `##` are explanations; lines with a single `#` can be
 * uncommented, alone or together, and hold the default on this machine.
 */
export function configurationTemplate(): string {
  const lines = [
    '## Dunlin configuration. Every key is optional; the values shown are the defaults.',
    '## To set one, take its "# " away. Allowed values and variables: docs/configuration.md.',
    '',
  ];
  let section = '';
  for (const key of keys) {
    const steps = key.path.split('.');
    if (steps.length > 1 && steps[0] !== section) {
      section = steps[0];
      lines.push(`${section}:`);
    }
    const words = [key.description, `Allowed: ${key.allowed}`];
    if (key.type.meta()?.defaultText !== undefined) words.push(`Default: ${key.defaultText}`);
    const name = steps.at(-1) as string;
    const value: unknown = key.type.parse(undefined);
    const indent = '  '.repeat(steps.length - 1);
    lines.push(...words.map((line) => `${indent}## ${line}`));
    // An empty list that is written means nothing at all, and its default is something.
    if (isEmptyList(value) && key.defaultText !== 'none') lines.push(`${indent}## ${name}: … (${key.allowed})`, '');
    else lines.push(...yamlLines(name, value).map((line) => `${indent}# ${line}`), '');
  }
  return lines.join('\n');
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function yamlLines(name: string, value: unknown): string[] {
  return stringify({ [name]: value }, { lineWidth: 0 })
    .trimEnd()
    .split('\n');
}

/** Values of all keys, as they are written in a file. Passwords in URLs are left out. */
export function shownConfiguration(configuration: Configuration): Map<string, unknown> {
  return new Map(
    keys.map(({ path, isSecret }) => {
      let value: unknown = configuration;
      for (const step of path.split('.')) value = (value as Record<string, unknown>)[step];
      if (path === 'listeners') return [path, configuration.listeners.map(listenerInput)];
      return [path, isSecret ? withoutSecrets(value as string) : value];
    }),
  );
}

/**
 * The effective configuration as YAML that can be loaded again; a comment on each key says where it was set. Passwords
 * in URLs are left out.
 */
export function printConfiguration(configuration: Configuration, origins: ReadonlyMap<string, string>): string {
  const values = shownConfiguration(configuration);
  const lines: string[] = [];
  let section = '';
  for (const key of keys) {
    const steps = key.path.split('.');
    if (steps.length > 1 && steps[0] !== section) {
      section = steps[0];
      lines.push(`${section}:`);
    }
    const text = yamlLines(steps.at(-1) as string, values.get(key.path));
    text[0] += ` # ${origins.get(key.path) ?? 'default'}`;
    lines.push(...text.map((line) => '  '.repeat(steps.length - 1) + line));
  }
  return `${lines.join('\n')}\n`;
}
