import { readFileSync } from 'node:fs';
import type { TokenRecords } from '@dunlin/auth';
import { Command, InvalidArgumentError } from 'commander';
import { CommandError } from '../exit-code.ts';
import { addConfigurationOptions, type ConfigurationValues, loadAndWarn } from './configuration-options.ts';

/** Longest wait for Redis. */
const connectMilliseconds = 5000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

interface AddValues extends ConfigurationValues {
  secret?: string;
  expires?: number;
  rules?: string;
}

interface RulesValues extends ConfigurationValues {
  none?: boolean;
}

const add = addConfigurationOptions(
  new Command('add')
    .description('make a token for a device, or give it a new secret; prints the UUID and the secret, once')
    .argument('[uuid]', 'of the device; a new one unless given')
    .option('--secret <text>', 'a secret that exists already; other users of this machine can see it here')
    .option('--expires <seconds>', 'the token ends by itself after this', readSeconds)
    .option('--rules <file>', 'JSON with what the device may do, before the rules of the nodes'),
).action((uuid: string | undefined, values: AddValues) =>
  withTokens(values, async (records) => {
    const { readUuid, secretLengthMin } = await import('@dunlin/auth');
    const known = uuid === undefined ? undefined : readUuid(uuid);
    if (known === null) throw new CommandError('usage', notUuid(uuid ?? ''));
    if (values.secret !== undefined && values.secret.length < secretLengthMin)
      throw new CommandError(
        'usage',
        `--secret: given ${values.secret.length} characters, allowed: at least ${secretLengthMin}`,
      );
    const rules = values.rules === undefined ? undefined : readText(values.rules);
    const token = { uuid: known, secret: values.secret, lifetimeSeconds: values.expires, rules };
    const added = await withRules(values.rules, () => records.add(token, Date.now()));
    process.stdout.write(`${added.join(' ')}\n`);
  }),
);

const rules = addConfigurationOptions(
  new Command('rules')
    .description('give a token other rules, or none; its connections end within a second, and come back with them')
    .argument('<uuid>', 'of the device')
    .argument('[file]', 'JSON with what the device may do, before the rules of the nodes')
    .option('--none', 'no rules of its own'),
).action((text: string, file: string | undefined, values: RulesValues) =>
  withTokens(values, async (records) => {
    const { readUuid } = await import('@dunlin/auth');
    const uuid = readUuid(text);
    if (uuid === null) throw new CommandError('usage', notUuid(text));
    if ((file === undefined) === (values.none !== true))
      throw new CommandError('usage', 'given neither a file nor --none, or both; allowed: one of them');
    const json = file === undefined ? null : readText(file);
    if (!(await withRules(file, () => records.setRules(uuid, json))))
      throw new CommandError('failed', `no token is stored for ${uuid}`);
  }),
);

const revoke = addConfigurationOptions(
  new Command('revoke')
    .description('revoke tokens; their connections end within a second, on every node')
    .argument('<uuid...>', 'of the devices'),
).action((uuids: string[], values: ConfigurationValues) =>
  withTokens(values, async (records) => {
    const { readUuid } = await import('@dunlin/auth');
    const unknown: string[] = [];
    for (const text of uuids) {
      const uuid = readUuid(text);
      if (uuid === null) throw new CommandError('usage', notUuid(text));
      if (!(await records.revoke(uuid))) unknown.push(uuid);
    }
    if (unknown.length > 0) throw new CommandError('failed', `no token is stored for ${unknown.join(', ')}`);
  }),
);

const list = addConfigurationOptions(
  new Command('list').description('print the UUIDs that have a token, and when each was added'),
).action((values: ConfigurationValues) =>
  withTokens(values, async (records) => {
    for await (const { uuid, createdAt } of records.list())
      process.stdout.write(`${uuid} ${new Date(createdAt).toISOString()}\n`);
  }),
);

export const tokenCommand: Command = new Command('token')
  .description('work with the tokens of devices, which are in Redis')
  .addCommand(add)
  .addCommand(rules)
  .addCommand(revoke)
  .addCommand(list);

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError('usage', `${file} cannot be read: ${(error as Error).message}`);
  }
}

/** Names the file of rules that cannot be used. */
async function withRules<Result>(file: string | undefined, work: () => Promise<Result>): Promise<Result> {
  const { AccessFileError } = await import('@dunlin/auth');
  try {
    return await work();
  } catch (error) {
    if (error instanceof AccessFileError) throw new CommandError('usage', `${file}: ${error.message}`);
    throw error;
  }
}

function notUuid(text: string): string {
  return `uuid: given "${text}", allowed: 32 hexadecimal digits, with or without hyphens`;
}

function readSeconds(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text))
    throw new InvalidArgumentError('Allowed: a whole number of seconds from 1 to 9999999999.');
  return Number(text);
}

/** Finds Redis as a node does. */
async function withTokens(values: ConfigurationValues, work: (records: TokenRecords) => Promise<void>): Promise<void> {
  const { configuration } = loadAndWarn(values);
  if (configuration.deviceTokens.redisUrl === '' && configuration.store.kind !== 'redis')
    throw new CommandError(
      'usage',
      'no Redis is configured: give --store redis://HOST:PORT, or set deviceTokens.redisUrl',
    );
  const { openDeviceTokens } = await import('@dunlin/edge');
  const opened = openDeviceTokens(configuration, silent);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(
        new CommandError(
          'refused',
          `Redis has not answered within ${connectMilliseconds / 1000} s: check store.url or deviceTokens.redisUrl`,
        ),
      ),
    connectMilliseconds,
  );
  const { records, close } = await Promise.race([opened, late]).finally(() => clearTimeout(timer));
  try {
    await work(records);
  } finally {
    close();
  }
}
