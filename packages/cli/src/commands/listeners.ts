import { Command } from 'commander';
import { addNodeOptions, NodeDoor, type NodeValues, terminalColumns } from '../administration/node-door.ts';
import { table } from '../administration/table.ts';

interface Listeners {
  listeners: { name: string; url: string; certificateDaysLeft: number | null }[];
}

export const listenersCommand: Command = addNodeOptions(
  new Command('listeners').description('print the listeners of a node, and the days that their certificates have left'),
).action(async (values: NodeValues) => {
  const { listeners } = await new NodeDoor(values).get<Listeners>('listeners');
  if (values.json === true) {
    process.stdout.write(listeners.map((listener) => `${JSON.stringify(listener)}\n`).join(''));
    return;
  }
  const rows = listeners.map(({ name, url, certificateDaysLeft: days }) => [
    name,
    url,
    days === null ? '-' : `${days} days`,
  ]);
  process.stdout.write(table(['LISTENER', 'ADDRESS', 'CERTIFICATE'], rows, terminalColumns()));
});
