import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { addNodeOptions, NodeDoor, type NodeValues, terminalColumns } from '../administration/node-door.ts';
import { table } from '../administration/table.ts';
import { CommandError } from '../exit-code.ts';
import { readRate } from './nodes.ts';

/** Interval at which the node is asked how far it is. */
const watchMilliseconds = 1000;

interface State {
  running: boolean;
  outcome: string;
  rounds: number;
  sent: number;
  nodes: { node: string; connections: number; above: number }[];
}

interface Values extends NodeValues {
  rate?: number;
  reference?: Record<string, string>;
  dryRun?: boolean;
  watch?: boolean;
  stop?: boolean;
}

export const rebalanceCommand: Command = addNodeOptions(
  new Command('rebalance')
    .description('move clients from nodes that have more than their share to the others, until they are even')
    .option('--rate <clients>', 'clients that change their node each second, 50 unless given', readRate)
    .option(
      '--reference <node=host:port>',
      'where MQTT 5 clients are told to find a node; several times',
      readReference,
    )
    .option('--dry-run', 'only show what each node has above its share')
    .option('--watch', 'stay until it is over; exit code 1 unless the nodes are even then')
    .option('--stop', 'end the one that runs at this node'),
).action(async (values: Values) => {
  const door = new NodeDoor(values);
  const { rate, reference, dryRun = false, watch = false, stop = false } = values;
  if ([dryRun, watch, stop].filter(Boolean).length > 1)
    throw new CommandError('usage', 'given several of --dry-run, --watch and --stop, allowed: one of them');
  const body = {
    ...(rate === undefined ? {} : { ratePerSecond: rate }),
    ...(reference === undefined ? {} : { references: reference }),
    dryRun,
  };
  let state = await (stop ? door.delete<State>('rebalance') : door.post<State>('rebalance', body));
  show(state, values);
  while (watch && state.running) {
    await delay(watchMilliseconds);
    state = await door.get<State>('rebalance');
    show(state, values);
  }
  if (watch && state.outcome !== 'even') throw new CommandError('failed', `the rebalance is over: ${state.outcome}`);
});

function show(state: State, { json, dryRun }: Values): void {
  if (json === true) {
    process.stdout.write(`${JSON.stringify(state)}\n`);
    return;
  }
  const rows = state.nodes.map(({ node, connections, above }) => [node, String(connections), String(above)]);
  const words = dryRun === true ? 'none was moved' : `${state.outcome}: ${state.sent} clients moved`;
  process.stdout.write(`${table(['NODE', 'CLIENTS', 'ABOVE SHARE'], rows, terminalColumns())}${words}\n`);
}

function readReference(given: string, before: Record<string, string> = {}): Record<string, string> {
  const [, node, reference] = /^([^=]+)=(\S+)$/.exec(given) ?? [];
  if (node === undefined) throw new InvalidArgumentError('Allowed: NODE=HOST:PORT.');
  return { ...before, [node]: reference };
}
