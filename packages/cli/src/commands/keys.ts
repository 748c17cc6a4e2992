import { Command } from 'commander';
import { addNodeOptions, NodeDoor, type NodeValues, terminalColumns } from '../administration/node-door.ts';
import { table } from '../administration/table.ts';

interface Key {
  name: string;
  scope: string;
  by: string;
  createdAt: string;
  usedAt: string | null;
}

const add = addNodeOptions(
  new Command('add')
    .description('make a key, which is printed this once')
    .argument('<name>', 'its name in lists and logs')
    .option('--scope <scope>', 'read, write or admin', 'read'),
).action(async (name: string, values: NodeValues & { scope: string }) => {
  const added = await new NodeDoor(values).post<Key & { key: string }>('keys', { name, scope: values.scope });
  process.stdout.write(values.json === true ? `${JSON.stringify(added)}\n` : `${added.key}\n`);
});

const list = addNodeOptions(new Command('list').description('print the keys: name, scope, last use')).action(
  async (values: NodeValues) => {
    const { keys } = await new NodeDoor(values).get<{ keys: Key[] }>('keys');
    if (values.json === true) {
      process.stdout.write(keys.map((key) => `${JSON.stringify(key)}\n`).join(''));
      return;
    }
    const rows = keys.map(({ name, scope, by, createdAt, usedAt }) => [name, scope, by, createdAt, usedAt ?? 'never']);
    process.stdout.write(table(['KEY', 'SCOPE', 'BY', 'CREATED', 'LAST USE'], rows, terminalColumns()));
  },
);

const revoke = addNodeOptions(
  new Command('revoke').description('revoke a key: no node takes it any more').argument('<name>', 'its name'),
).action(async (name: string, values: NodeValues) => {
  await new NodeDoor(values).delete(`keys/${encodeURIComponent(name)}`);
  process.stdout.write(values.json === true ? '{"revoked":true}\n' : 'revoked\n');
});

export const keysCommand: Command = new Command('keys')
  .description('keys of the administration API')
  .addCommand(add)
  .addCommand(list)
  .addCommand(revoke);
