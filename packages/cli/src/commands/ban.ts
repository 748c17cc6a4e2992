import { userInfo } from 'node:os';
import type { OpenBans } from '@dunlin/edge';
import { Command, InvalidArgumentError } from 'commander';
import { addNodeOptions, NodeDoor, type NodeValues } from '../administration/node-door.ts';
import { CommandError } from '../exit-code.ts';
import { loadAndWarn } from './configuration-options.ts';

/** Longest wait for Redis. */
const connectMilliseconds = 5000;
const silent = { debug() {}, info() {}, warn() {}, error() {} };

type Ban = Awaited<ReturnType<OpenBans['add']>>;
/** Bans at a node, or in Redis. */
type Bans = Omit<OpenBans, 'close'>;

interface NameValues extends NodeValues {
  clientId?: string;
  user?: string;
  address?: string;
  by?: string;
}

interface AddValues extends NameValues {
  reason?: string;
  for?: number;
  until?: Date;
}

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

const add = addNames('add', 'ban clients: those that have all names given; connected ones end within a second')
  .option('--reason <text>', 'told to the clients with MQTT 5, and in the log')
  .option('--for <duration>', 'the ban ends by itself after this: 90s, 15m, 12h, 7d', readDuration)
  .option('--until <time>', 'the ban ends by itself then: 2030-01-31T12:00:00Z', readTime)
  .action((values: AddValues) =>
    withBans(values, async (bans) => {
      if (values.for !== undefined && values.until !== undefined)
        throw new CommandError('usage', 'given --for and --until, allowed: one of them');
      const end = values.until ?? (values.for === undefined ? null : new Date(Date.now() + values.for * 1000));
      const ban = await bans.add({
        ...namesOf(values),
        reason: values.reason ?? '',
        endsAt: end?.toISOString() ?? null,
      });
      process.stdout.write(values.json === true ? `${JSON.stringify(ban)}\n` : table([ban]));
    }),
  );

const remove = addNames('remove', 'take a ban back, by the names that it was given').action((values: NameValues) =>
  withBans(values, async (bans) => {
    const removed = await bans.remove(namesOf(values));
    if (values.json === true) process.stdout.write(`${JSON.stringify({ removed })}\n`);
    if (!removed) throw new CommandError('failed', 'there is no such ban; `dunlin ban list` shows those that hold');
  }),
);

const list = addNodeOptions(new Command('list').description('print the bans that hold')).action((values: NameValues) =>
  withBans(values, async (bans) => {
    const found = await bans.list();
    const lines = found.map((ban) => `${JSON.stringify(ban)}\n`);
    process.stdout.write(values.json === true ? lines.join('') : table(found));
  }),
);

export const banCommand: Command = new Command('ban')
  .description('keep clients out: by client identifier, user name, address or range of addresses')
  .addCommand(add)
  .addCommand(remove)
  .addCommand(list);

function addNames(name: string, description: string): Command {
  return addNodeOptions(
    new Command(name)
      .description(description)
      .option('--client-id <identifier>', 'client identifier')
      .option('--user <name>', 'user name')
      .option('--address <range>', 'address or range: 203.0.113.7, 203.0.113.0/24, 2001:db8::/64')
      .option('--by <name>', 'who does it, for the list and the log; the user of this system unless given'),
  );
}

function namesOf(values: NameValues): Pick<Ban, 'clientId' | 'userName' | 'address' | 'by'> {
  const { clientId = null, user = null, address = null, by = userInfo().username } = values;
  if (clientId === null && user === null && address === null)
    throw new CommandError('usage', 'given no name, allowed: --client-id, --user, --address, or several of them');
  return { clientId, userName: user, address, by };
}

function readDuration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
  if (unit === undefined) throw new InvalidArgumentError('Allowed: a number and a unit, such as 90s, 15m, 12h or 7d.');
  return Number(count) * secondsOf[unit];
}

function readTime(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime()) || time.getTime() <= Date.now())
    throw new InvalidArgumentError('Allowed: a time in the future, such as 2030-01-31T12:00:00Z.');
  return time;
}

/** Columns as wide as their longest text. */
function table(bans: readonly Ban[]): string {
  const rows = bans.map(({ clientId, userName, address, endsAt, by, reason }) => [
    ...[clientId ?? '*', userName ?? '*', address ?? '*', endsAt ?? 'never', by, reason].map(printable),
  ]);
  const all = [['CLIENT', 'USER', 'ADDRESS', 'ENDS', 'BY', 'REASON'], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all
    .map(
      (row) =>
        `${row
          .map((text, column) => text.padEnd(widths[column]))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Clients choose their names: a terminal is given no control characters. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

/** Asks a node, which keeps who did it in its logs; writes to Redis itself where `--store` says so. */
async function withBans(values: NodeValues, work: (bans: Bans) => Promise<void>): Promise<void> {
  const isNodeGiven = values.admin !== undefined || values.keyFile !== undefined;
  if (values.store?.includes('://') === true && !isNodeGiven) return withStore(values, work);
  if (values.store === 'memory' && !isNodeGiven)
    throw new CommandError(
      'usage',
      'store.kind is memory: such a node keeps no ban beyond its end, and is asked with --admin http://HOST:PORT and --key-file FILE; otherwise give --store lmdb or --store redis://HOST:PORT',
    );
  const door = new NodeDoor(values);
  await work({
    add: (ban) => door.post<Ban>('bans', ban),
    remove: async (names) => (await door.delete<{ removed: boolean }>('bans', {}, names)).removed,
    list: async () => (await door.get<{ bans: Ban[] }>('bans')).bans,
  });
}

async function withStore(values: NodeValues, work: (bans: Bans) => Promise<void>): Promise<void> {
  const { configuration } = loadAndWarn(values);
  const { openBans } = await import('@dunlin/edge');
  const opened = openBans(configuration, silent);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(
        new CommandError('refused', `Redis has not answered within ${connectMilliseconds / 1000} s: check store.url`),
      ),
    connectMilliseconds,
  );
  const bans = await Promise.race([opened, late]).finally(() => clearTimeout(timer));
  try {
    await work(bans);
  } catch (error) {
    throw asCommandError(error as Error & { code?: string });
  } finally {
    await bans.close();
  }
}

function asCommandError(error: Error & { code?: string }): Error {
  if (error instanceof CommandError) return error;
  if (error.code === 'control-refused') return new CommandError('usage', error.message, error);
  return new CommandError(error.code === 'unavailable' ? 'refused' : 'failed', error.message, error);
}
