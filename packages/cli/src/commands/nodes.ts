import { Command, InvalidArgumentError } from 'commander';
import {
  addNodeOptions,
  NodeDoor,
  type NodeValues,
  terminalColumns,
  warnOfMissing,
} from '../administration/node-door.ts';
import { since, table } from '../administration/table.ts';

interface Nodes {
  nodes: {
    node: string;
    version: string;
    ready: boolean;
    notReady: string[];
    startedAt: string;
    workers: number;
    connections: number;
    subscriptions: number;
  }[];
  incomplete: { node: string; reason: string }[];
}

export const nodesCommand: Command = addNodeOptions(
  new Command('nodes').description('print the nodes of the cluster: state, clients, release'),
).action(async (values: NodeValues) => {
  const { nodes, incomplete } = await new NodeDoor(values).get<Nodes>('nodes');
  if (values.json === true) process.stdout.write(nodes.map((node) => `${JSON.stringify(node)}\n`).join(''));
  else {
    const now = Date.now();
    const rows = nodes.map((node) => [
      ...[node.node, node.ready ? 'ready' : node.notReady.join(', '), String(node.workers)],
      ...[String(node.connections), String(node.subscriptions), since(node.startedAt, now), node.version],
    ]);
    const head = ['NODE', 'STATE', 'WORKERS', 'CLIENTS', 'SUBSCRIPTIONS', 'UP', 'VERSION'];
    process.stdout.write(table(head, rows, terminalColumns()));
  }
  warnOfMissing(incomplete);
});

export const cordonCommand: Command = addNodeOptions(
  new Command('cordon')
    .description('a node takes no new connections, and is not ready; those that it has stay')
    .argument('<node>', 'its name')
    .option('--undo', 'the node takes connections again, and a drain ends'),
).action(async (node: string, values: NodeValues & { undo?: boolean }) => {
  const door = new NodeDoor(values);
  const path = `nodes/${encodeURIComponent(node)}/cordon`;
  const answer = await (values.undo === true ? door.delete(path) : door.post(path));
  const words = values.undo === true ? `node ${node} takes connections again` : `node ${node} is cordoned`;
  process.stdout.write(values.json === true ? `${JSON.stringify(answer)}\n` : `${words}\n`);
});

export const drainCommand: Command = addNodeOptions(
  new Command('drain')
    .description('cordon a node and send its clients away; `dunlin cordon NODE --undo` ends it')
    .argument('<node>', 'its name')
    .option('--rate <clients>', 'clients that are sent away each second, 500 unless given', readRate),
).action(async (node: string, values: NodeValues & { rate?: number }) => {
  const body = values.rate === undefined ? {} : { ratePerSecond: values.rate };
  const path = `nodes/${encodeURIComponent(node)}/drain`;
  const answer = await new NodeDoor(values).post<{ leaving: number; seconds: number }>(path, body);
  const words = `node ${node} is cordoned; ${answer.leaving} clients leave within ${answer.seconds} s`;
  process.stdout.write(values.json === true ? `${JSON.stringify(answer)}\n` : `${words}\n`);
});

export function readRate(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('Allowed: clients each second, 1 to 99999.');
  return Number(text);
}
