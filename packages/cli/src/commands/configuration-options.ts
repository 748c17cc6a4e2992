import { type ConfigurationSources, type Flag, parseAssignment } from '@dunlin/config';
import type { Command } from 'commander';
import { collect } from '../client/connection-options.ts';
import { CommandError } from '../exit-code.ts';

/** Options that set configuration keys, as commander gives them. */
export interface ConfigurationValues {
  config?: string;
  set?: string[];
  listener?: string[];
  store?: string;
  data?: string;
  workers?: string;
  logLevel?: string;
  logFormat?: string;
  nodeId?: string;
}

/** Flags that are short for a key. */
const shortcuts: { option: keyof ConfigurationValues; flags: string; path: string; description: string }[] = [
  { option: 'store', flags: '--store <kind>', path: 'store.kind', description: 'memory or lmdb' },
  {
    option: 'data',
    flags: '--data <directory>',
    path: 'store.path',
    description: 'where the embedded store keeps its files',
  },
  { option: 'workers', flags: '--workers <number>', path: 'workers', description: 'threads that serve connections' },
  { option: 'nodeId', flags: '--node-id <name>', path: 'nodeId', description: 'the name of this node' },
  { option: 'logLevel', flags: '--log-level <level>', path: 'log.level', description: 'debug, info, warn or error' },
  { option: 'logFormat', flags: '--log-format <format>', path: 'log.format', description: 'json or pretty' },
];

export function addConfigurationOptions(command: Command): Command {
  command
    .option('--config <file>', 'configuration file (YAML)')
    .option('--listener <url>', 'where to listen: tcp://HOST:PORT or unix:PATH; may be given several times', collect)
    .option('--set <key=value>', 'set any key of the configuration; may be given several times', collect);
  for (const { flags, description } of shortcuts) command.option(flags, description);
  return command;
}

/** @throws CommandError `usage` */
export function readSources(values: ConfigurationValues): ConfigurationSources {
  const flags: Flag[] = [];
  if (values.listener !== undefined) flags.push({ flag: '--listener', path: 'listeners', value: values.listener });
  for (const { option, flags: name, path } of shortcuts) {
    const value = values[option] as string | undefined;
    if (value !== undefined) flags.push({ flag: name.split(' ')[0], path, value });
  }
  for (const text of values.set ?? []) {
    const assignment = parseAssignment(text);
    if (assignment === null) throw new CommandError('usage', `--set ${text}: write KEY=VALUE`);
    flags.push(assignment);
  }
  return { file: values.config, environment: process.env, flags };
}
