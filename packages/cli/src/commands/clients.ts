import { Command } from 'commander';
import {
  addNodeOptions,
  NodeDoor,
  type NodeValues,
  terminalColumns,
  warnOfMissing,
} from '../administration/node-door.ts';
import { list, since, table } from '../administration/table.ts';

interface Client {
  clientId: string;
  userName: string | null;
  address: string;
  node: string;
  worker: number;
  listener: string;
  version: string;
  connectedAt: string;
  keepAliveSeconds: number;
  sessionExpirySeconds: number;
  subscriptions: number;
  inFlight: number;
  waiting: number;
  outputBytes: number;
}

interface Detail extends Client {
  lastDisconnect: { at: string; reason: string; node: string } | null;
  hasWill: boolean;
  inFlightInbound: number;
  subscriptionList: { filter: string; qos: number; logged: number | null }[];
}

interface Page {
  clients: Client[];
  next: string | null;
  incomplete: { node: string; reason: string }[];
}

interface ClientsValues extends NodeValues {
  user?: string;
  address?: string;
  node?: string;
}

/** Clients of one request. */
const pageClients = '1000';
const head = ['CLIENT', 'USER', 'ADDRESS', 'NODE', 'MQTT', 'SINCE', 'SUBSCRIPTIONS', 'IN FLIGHT', 'WAITING'];

function row(client: Client, now: number): string[] {
  const { clientId, userName, address, node, version, connectedAt, subscriptions, inFlight, waiting } = client;
  return [
    ...[clientId, userName ?? '-', address, node, version, since(connectedAt, now)],
    ...[subscriptions, inFlight, waiting].map(String),
  ];
}

export const clientsCommand: Command = addNodeOptions(
  new Command('clients')
    .description('print the connected clients of all nodes, in the order of their identifiers')
    .argument('[filter]', 'client identifier; * stands for any characters: "gauge-*"')
    .option('--user <name>', 'with this user name')
    .option('--address <start>', 'whose address begins so: 203.0.113.')
    .option('--node <name>', 'of this node'),
).action(async (filter: string | undefined, values: ClientsValues) => {
  const door = new NodeDoor(values);
  const { user, address, node } = values;
  const rows: string[][] = [];
  let cursor: string | undefined;
  let incomplete: Page['incomplete'] = [];
  do {
    const page = await door.get<Page>('clients', { filter, user, address, node, cursor, limit: pageClients });
    if (values.json === true)
      process.stdout.write(page.clients.map((client) => `${JSON.stringify(client)}\n`).join(''));
    else for (const client of page.clients) rows.push(row(client, Date.now()));
    cursor = page.next ?? undefined;
    if (page.incomplete.length > 0) incomplete = page.incomplete;
  } while (cursor !== undefined);
  if (values.json !== true) process.stdout.write(table(head, rows, terminalColumns()));
  warnOfMissing(incomplete);
});

export const clientCommand: Command = addNodeOptions(
  new Command('client')
    .description('print a connected client, with its subscriptions and what waits for it')
    .argument('<id>', 'client identifier'),
).action(async (id: string, values: NodeValues) => {
  const client = await new NodeDoor(values).get<Detail>(`clients/${encodeURIComponent(id)}`);
  if (values.json === true) {
    process.stdout.write(`${JSON.stringify(client)}\n`);
    return;
  }
  const seconds = client.sessionExpirySeconds;
  const expiry =
    seconds === 0
      ? 'ends with the connection'
      : seconds === 0xffffffff
        ? 'never ends'
        : `ends ${seconds} s after the connection`;
  process.stdout.write(
    list([
      ['client', client.clientId],
      ['user', client.userName ?? '(anonymous)'],
      ['address', `${client.address} at listener ${client.listener}`],
      ['node', `${client.node}, worker ${client.worker}`],
      ['since', `${client.connectedAt} (${since(client.connectedAt, Date.now())})`],
      ['version', `MQTT ${client.version}, keep alive ${client.keepAliveSeconds} s`],
      ['session', `${expiry}${client.hasWill ? ', with a will' : ''}`],
      [
        'to it',
        `${client.inFlight} in flight, ${client.waiting} waiting, ${client.outputBytes} bytes that its socket has not taken`,
      ],
      ...last(client.lastDisconnect),
      ['from it', `${client.inFlightInbound} of QoS 2 that wait for PUBREL`],
    ]),
  );
  const rows = client.subscriptionList.map(({ filter, qos, logged }) => [
    filter,
    String(qos),
    logged === null ? '-' : String(logged),
  ]);
  process.stdout.write(`\n${table(['FILTER', 'QOS', 'IN LOG'], rows, terminalColumns())}`);
});

/** Line about the end of an earlier connection. */
function last(disconnect: Detail['lastDisconnect']): [string, string][] {
  if (disconnect === null) return [];
  return [['before', `disconnected from node ${disconnect.node} at ${disconnect.at}: ${disconnect.reason}`]];
}

export const kickCommand: Command = addNodeOptions(
  new Command('kick')
    .description(
      'end the connection of a client; its session goes on, and it may connect again (`dunlin ban` keeps it out)',
    )
    .argument('<id>', 'client identifier')
    .option('--reason <text>', 'told to a client with MQTT 5', ''),
).action(async (id: string, values: NodeValues & { reason: string }) => {
  const done = await new NodeDoor(values).post<{ node: string }>(`clients/${encodeURIComponent(id)}/kick`, {
    reason: values.reason,
  });
  process.stdout.write(values.json === true ? `${JSON.stringify(done)}\n` : `sent away from node ${done.node}\n`);
});

const end = addNodeOptions(
  new Command('end')
    .description('end a session with its subscriptions and messages, and the connection of its client')
    .argument('<id>', 'client identifier'),
).action(async (id: string, values: NodeValues) => {
  const done = await new NodeDoor(values).delete<{ wasConnected: boolean }>(`sessions/${encodeURIComponent(id)}`);
  const words = done.wasConnected ? 'ended; its client was connected' : 'what was stored under this identifier is gone';
  process.stdout.write(values.json === true ? `${JSON.stringify(done)}\n` : `${words}\n`);
});

export const sessionsCommand: Command = new Command('sessions').description('work with sessions').addCommand(end);
