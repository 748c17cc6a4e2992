/** The command line of the cluster: `npm run cluster -- [options]`. */
import { parseArgs } from 'node:util';
import { tellFailure, wholeNumber } from '@dunlin/testkit';
import { Cluster, type ClusterEvent } from './cluster.ts';
import { nodesMax } from './cluster-node.ts';
import { describeCluster, describeEvent, eventLine, nameColumn, readyLine } from './describe.ts';
import { PortOccupiedError, portsNeeded } from './ports.ts';
import { type Program, ProgramStartError } from './program.ts';

const usage = `npm run cluster -- [options]

  --nodes N       how many nodes, a, b, c … (3)
  --workers N     worker threads of each node (1)
  --base-port P   the first port: HAProxy for MQTT; then NATS, Redis, MQTT and admin of each node, WebSocket of each (20000)
  --no-restart    a program that dies stays dead; otherwise it is started again after a second
  --json          for programs: one object a line; the first says where everything is, once all of it is ready
  --logs DIR      where the programs write (a temporary folder)

Runs NATS, Redis with an append-only file, nodes and HAProxy on loopback until SIGINT or SIGTERM.
`;

const options = {
  nodes: { type: 'string', default: '3' },
  workers: { type: 'string', default: '1' },
  'base-port': { type: 'string', default: '20000' },
  'no-restart': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  logs: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function readOptions() {
  const { values } = parseArgs({ options });
  const nodes = wholeNumber('nodes', values.nodes, nodesMax);
  return {
    help: values.help,
    json: values.json,
    nodes,
    workers: wholeNumber('workers', values.workers, 128),
    basePort: wholeNumber('base-port', values['base-port'], 65_536 - portsNeeded(nodes)),
    restarts: !values['no-restart'],
    logs: values.logs,
  };
}

/** Runs a cluster until it is asked to stop. Resolves with the exit code. */
async function run(): Promise<number> {
  const { help, json, ...settings } = readOptions();
  if (help) {
    process.stdout.write(usage);
    return 0;
  }
  const asked = askedToStop();
  const print = (line: string) => process.stdout.write(`${line}\n`);
  // What happens before the first line is told by the first line.
  let cluster: Cluster | null = null;
  const onEvent = (event: ClusterEvent) => {
    if (cluster === null) return;
    if (!json) print(describeEvent(event));
    // What will be back in a second is told once, when it is back.
    else if (event.kind === 'restarted' || !settings.restarts) print(eventLine(cluster, event));
  };
  const onLine = (program: Program, line: string) => {
    if (cluster !== null && !json) print(`${nameColumn(program.name)} ${line}`);
  };
  try {
    cluster = await Cluster.start({ ...settings, onEvent, onLine, signal: asked.signal });
  } catch (error) {
    if (asked.signal.aborted) return 0;
    throw error;
  }
  print(json ? readyLine(cluster) : describeCluster(cluster));
  await asked.promise;
  await cluster.stop();
  return 0;
}

/** Ctrl-C under npm comes twice, from the terminal and from npm 11.19: within this time it is one. */
const oneSignalMilliseconds = 1000;

/** The first SIGINT or SIGTERM asks; one that comes later than `oneSignalMilliseconds` after it ends the process, and with it every program, at once. */
function askedToStop(): { promise: Promise<void>; signal: AbortSignal } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const controller = new AbortController();
  let askedAt = 0;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) {
        if (performance.now() - askedAt > oneSignalMilliseconds) process.exit(1);
        return;
      }
      askedAt = performance.now();
      controller.abort();
      resolve();
    });
  }
  // Nobody reads any more, so nobody is left to stop it.
  process.stdout.on('error', () => {
    controller.abort();
    resolve();
  });
  return { promise, signal: controller.signal };
}

run().then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(tellFailure(error, usage, [PortOccupiedError, ProgramStartError])),
);
