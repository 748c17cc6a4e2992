import {
  type ConfigurationSources,
  type Flag,
  formatProblem,
  type LoadedConfiguration,
  loadConfiguration,
  parseAssignment,
} from '@dunlin/config';
import type { Command } from 'commander';
import { collect } from '../client/connection-options.ts';
import { CommandError } from '../exit-code.ts';

/** Options that set configuration keys, as commander gives them. */
export interface ConfigurationValues {
  config?: string;
  set?: string[];
  listener?: string[];
  store?: string;
  backplane?: string;
  admin?: string;
  data?: string;
  workers?: string;
  logLevel?: string;
  logFormat?: string;
  passwordFile?: string;
  rulesFile?: string;
  nodeId?: string;
}

/** Flags that are short for a key. */
const shortcuts: { option: keyof ConfigurationValues; flags: string; path: string; description: string }[] = [
  {
    option: 'data',
    flags: '--data <directory>',
    path: 'store.path',
    description: 'where the embedded store keeps its files',
  },
  { option: 'workers', flags: '--workers <number>', path: 'workers', description: 'threads that serve connections' },
  {
    option: 'backplane',
    flags: '--backplane <url>',
    path: 'backplane.url',
    description: 'the NATS servers of a cluster: nats://HOST:PORT',
  },
  {
    option: 'admin',
    flags: '--admin <host:port>',
    path: 'admin.address',
    description: 'where /healthz, /readyz, /metrics and the administration API are answered',
  },
  {
    option: 'passwordFile',
    flags: '--password-file <file>',
    path: 'authentication.passwordFile',
    description: 'users who may connect; `dunlin passwd` writes it',
  },
  {
    option: 'rulesFile',
    flags: '--rules-file <file>',
    path: 'authorization.rulesFile',
    description: 'who may publish and subscribe to what',
  },
  { option: 'nodeId', flags: '--node-id <name>', path: 'nodeId', description: 'the name of this node' },
  { option: 'logLevel', flags: '--log-level <level>', path: 'log.level', description: 'debug, info, warn or error' },
  { option: 'logFormat', flags: '--log-format <format>', path: 'log.format', description: 'json or pretty' },
];

/** `without`: short flags that mean something else for this command. */
export function addConfigurationOptions(
  command: Command,
  without: readonly (keyof ConfigurationValues)[] = [],
): Command {
  command
    .option('--config <file>', 'configuration file (YAML)')
    .option(
      '--listener <url>',
      'where to listen: tcp://HOST:PORT, tls://HOST:PORT?cert=FILE&key=FILE, ws://HOST:PORT/mqtt, wss://HOST:PORT/mqtt?cert=FILE&key=FILE or unix:PATH; may be given several times',
      collect,
    )
    .option('--store <kind or url>', 'memory, lmdb, or where Redis is: redis://HOST:PORT')
    .option('--set <key=value>', 'set any key of the configuration; may be given several times', collect);
  for (const { option, flags, description } of shortcuts)
    if (!without.includes(option)) command.option(flags, description);
  return command;
}

/** @throws CommandError `usage` */
export function readSources(values: ConfigurationValues): ConfigurationSources {
  const flags: Flag[] = [];
  if (values.listener !== undefined) flags.push({ flag: '--listener', path: 'listeners', value: values.listener });
  if (values.store !== undefined) flags.push(...storeFlags(values.store));
  for (const { option, flags: name, path } of shortcuts) {
    const value = values[option] as string | undefined;
    if (value !== undefined) flags.push({ flag: name.split(' ')[0], path, value });
  }
  for (const text of values.set ?? []) {
    const assignment = parseAssignment(text);
    if (assignment === null) throw new CommandError('usage', `--set: given "${text}", allowed: KEY=VALUE`);
    flags.push(assignment);
  }
  return { file: values.config, environment: process.env, flags };
}

/** The configuration. Warnings are written to standard error. */
export function loadAndWarn(values: ConfigurationValues): LoadedConfiguration {
  const loaded = loadConfiguration(readSources(values));
  for (const warning of loaded.warnings) process.stderr.write(`warning: ${formatProblem(warning)}\n`);
  return loaded;
}

/** A URL sets both the kind of the store and its address. */
function storeFlags(value: string): Flag[] {
  const flag = '--store';
  if (!value.includes('://')) return [{ flag, path: 'store.kind', value }];
  return [
    { flag, path: 'store.kind', value: 'redis' },
    { flag, path: 'store.url', value },
  ];
}
