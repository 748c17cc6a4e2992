/** The command line of the chaos run: `npm run chaos -- [options]`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeId, nodesMax } from '@dunlin/cluster';
import { positiveNumber, tellFailure, wholeNumber } from '@dunlin/testkit';
import { type ChaosResult, ChaosRun, ChaosStartError } from './chaos-run.ts';
import { ephemeralGaps, evidence } from './evidence.ts';
import { describeFault, faultTable } from './fault.ts';
import { setbackLine, verdictLine } from './ledger.ts';
import { makePlan } from './plan.ts';
import { makeRoster } from './roster.ts';

const usage = `npm run chaos -- [options]

  --minutes M        how long faults are done (1; parts of a minute too)
  --seed S           what chance does; the same seed, the same plan of faults (a random one, which is printed)
  --nodes N          (3)
  --workers N        worker threads of each node (1)
  --publishers N     (20)
  --subscribers N    (20)
  --rate N           messages a second, of all publishers together (150)
  --every SECONDS    the mean time between two faults (2)
  --groups           with three durable members of a shared subscription to everything
  --freeze           with connections to NATS and Redis that stay open and pass nothing, beside those that are reset
  --older-store      with Redis coming back with an older file: what it had confirmed since is given up and counted, and everything after its
                     return has to arrive
  --plan             prints the plan of faults and ends
  --logs DIR         where programs write their logs (a temporary folder, which stays only when something is wrong)

Starts a cluster, breaks it while clients publish and subscribe, heals it, and counts what became of everything that was acknowledged.
The last line is the count. Exit code 1: something acknowledged was lost, QoS 2 came twice, order was broken, a session was lost, or a
client did not come back.
`;

const options = {
  minutes: { type: 'string', default: '1' },
  seed: { type: 'string' },
  nodes: { type: 'string', default: '3' },
  workers: { type: 'string', default: '1' },
  publishers: { type: 'string', default: '20' },
  subscribers: { type: 'string', default: '20' },
  rate: { type: 'string', default: '150' },
  every: { type: 'string', default: '2' },
  groups: { type: 'boolean', default: false },
  freeze: { type: 'boolean', default: false },
  'older-store': { type: 'boolean', default: false },
  plan: { type: 'boolean', default: false },
  logs: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Seeds are 32 bits. */
const seedMax = 0xffffffff;
/** Most clients: more would be another test: one of load. */
const clientsMax = 1000;
const minutesMax = 24 * 60;

function readOptions() {
  const { values } = parseArgs({ options });
  return {
    ...values,
    minutes: positiveNumber('minutes', values.minutes, minutesMax),
    seed:
      values.seed === undefined ? Math.floor(Math.random() * seedMax) : wholeNumber('seed', values.seed, seedMax, 0),
    nodes: wholeNumber('nodes', values.nodes, nodesMax),
    workers: wholeNumber('workers', values.workers, 128),
    publishers: wholeNumber('publishers', values.publishers, clientsMax),
    subscribers: wholeNumber('subscribers', values.subscribers, clientsMax),
    rate: positiveNumber('rate', values.rate, 100_000),
    everyMilliseconds: 1000 * positiveNumber('every', values.every, 3600),
  };
}

const print = (line: string) => process.stdout.write(`${line}\n`);

async function run(): Promise<number> {
  const settings = readOptions();
  if (settings.help) {
    process.stdout.write(usage);
    return 0;
  }
  const { seed, minutes, nodes, workers, everyMilliseconds, freeze } = settings;
  const roster = makeRoster(settings);
  const clients = roster.publishers.length + roster.subscribers.length;
  const nodeIds = Array.from({ length: nodes }, (_, index) => nodeId(index));
  const plan = makePlan({
    seed,
    minutes,
    nodes: nodeIds,
    clients,
    everyMilliseconds,
    freezes: freeze,
    olderStore: settings['older-store'],
  });
  if (settings.plan) {
    for (const fault of plan) print(`${(fault.atMilliseconds / 1000).toFixed(3)} s ${describeFault(fault)}`);
    return 0;
  }
  const logs = settings.logs ?? (await mkdtemp(join(tmpdir(), 'dunlin-chaos-')));
  const { signal } = stopOnSignals();
  print(
    `seed ${seed}, ${plan.length} faults in ${minutes} minutes, ${nodes} nodes, ${clients} clients, logs in ${logs}`,
  );
  const chaos = new ChaosRun({
    nodes,
    workers,
    seed,
    minutes,
    plan,
    roster,
    messagesPerSecond: settings.rate,
    logs,
    say: print,
    signal,
  });
  const result = await chaos.run();
  const isRight = await report(result, logs);
  if (isRight && settings.logs === undefined) await rm(logs, { recursive: true, force: true });
  return isRight ? 0 : 1;
}

/** SIGINT and SIGTERM end the run, with all that it has started. */
function stopOnSignals(): AbortController {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort());
  return controller;
}

/** Prints what came of it; the count last. True: all is as promised. */
async function report(
  { ledger, chronicle, faults, away, clients, unfinished }: ChaosResult,
  logs: string,
): Promise<boolean> {
  const { delivered, missed, outOfOrder } = ledger.ephemeral;
  const verdict = ledger.verdict;
  const isRight =
    verdict.lost === 0 &&
    verdict.duplicatesQos2 === 0 &&
    verdict.outOfOrder === 0 &&
    away.length === 0 &&
    chronicle.failures.length === 0 &&
    unfinished === 0;
  if (!isRight) {
    const lines = evidence(ledger, chronicle);
    for (const line of lines) print(line);
    const all = chronicle.entries.map(
      ({ atMilliseconds, who, what }) => `${chronicle.time(atMilliseconds)} ${who} ${what}`,
    );
    await writeFile(join(logs, 'evidence.txt'), `${[...lines, ...chronicle.failures].join('\n')}\n`);
    await writeFile(join(logs, 'clients.txt'), `${all.join('\n')}\n`);
    print(`logs, evidence.txt and clients.txt are in ${logs}`);
  }
  print(`faults: ${faultTable.map(({ kind }) => `${kind} ${faults.get(kind) ?? 0}`).join(', ')}`);
  print(
    `ephemeral subscribers, promised no more than their connections: delivered ${delivered}, missed ${missed}, out of order ${outOfOrder}`,
  );
  if (ledger.setbacks.length > 0) print(setbackLine(ledger));
  for (const gap of ephemeralGaps(ledger, chronicle)) print(`  ${gap}`);
  if (unfinished > 0) print(`not acknowledged to the end: ${unfinished} messages`);
  if (away.length > 0) print(`not back: ${away.join(', ')}`);
  for (const failure of chronicle.failures) print(`failure: ${failure}`);
  print(verdictLine(verdict, clients - away.length, clients));
  return isRight;
}

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    if ((error as Error).name === 'AbortError') process.exit(130);
    process.exit(tellFailure(error, usage, [ChaosStartError]));
  },
);
