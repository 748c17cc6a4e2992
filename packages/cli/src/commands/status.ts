import { Command } from 'commander';
import {
  addNodeOptions,
  NodeDoor,
  type NodeValues,
  terminalColumns,
  warnOfMissing,
} from '../administration/node-door.ts';
import { list, since, table } from '../administration/table.ts';
import { CommandError } from '../exit-code.ts';

interface Rates {
  messagesReceived: number;
  messagesSent: number;
  dropped: number;
}

interface Overview {
  nodes: number;
  ready: number;
  connections: number;
  subscriptions: number;
  sessionsStored: number;
  messagesRetained: number;
  rates: Rates;
  wrong: { node: string; reason: string }[];
}

interface Nodes {
  nodes: {
    node: string;
    version: string;
    ready: boolean;
    notReady: string[];
    startedAt: string;
    connections: number;
    rates: Rates;
    memoryBytes: number;
  }[];
  incomplete: { node: string; reason: string }[];
}

export const statusCommand: Command = addNodeOptions(
  new Command('status').description('is it well? the cluster in a few figures, its nodes, and what is wrong now'),
).action(async (values: NodeValues) => {
  const door = new NodeDoor(values);
  const [overview, { nodes, incomplete }] = await Promise.all([
    door.get<Overview>('overview'),
    door.get<Nodes>('nodes'),
  ]);
  if (values.json === true) process.stdout.write(`${JSON.stringify({ ...overview, nodes })}\n`);
  else {
    const { rates } = overview;
    process.stdout.write(
      list([
        ['nodes', `${overview.ready} of ${overview.nodes} ready`],
        ['clients', String(overview.connections)],
        ['subscriptions', String(overview.subscriptions)],
        ['stored', `${overview.sessionsStored} sessions, ${overview.messagesRetained} retained messages`],
        ['messages', `${rates.messagesReceived}/s in, ${rates.messagesSent}/s out, ${rates.dropped}/s dropped`],
      ]),
    );
    const now = Date.now();
    const rows = nodes.map((node) => [
      ...[node.node, node.ready ? 'ready' : node.notReady.join(', '), String(node.connections)],
      ...[
        `${node.rates.messagesReceived}/s`,
        `${node.rates.messagesSent}/s`,
        `${Math.round(node.memoryBytes / 2 ** 20)} MiB`,
      ],
      ...[since(node.startedAt, now), node.version],
    ]);
    process.stdout.write(
      `\n${table(['NODE', 'STATE', 'CLIENTS', 'IN', 'OUT', 'MEMORY', 'UP', 'VERSION'], rows, terminalColumns())}`,
    );
    for (const { node, reason } of overview.wrong) process.stdout.write(`\nwrong: node ${node}: ${reason}`);
    if (overview.wrong.length > 0) process.stdout.write('\n');
  }
  warnOfMissing(incomplete);
  // For scripts: something is wrong.
  if (overview.wrong.length > 0)
    throw new CommandError('failed', `${overview.wrong.length} of the things above are wrong`);
});
