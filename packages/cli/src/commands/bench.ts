/** `dunlin bench`: measures any broker with a closed loop of messages, using nothing but Node. */
import type { ProtocolVersion } from '@dunlin/protocol';
import { Command, InvalidArgumentError, Option } from 'commander';
import { BenchFailure } from '../bench/bench-failure.ts';
import { type BenchRow, type Scenario, scenarios, standardRows } from '../bench/bench-row.ts';
import { benchTableHeader, benchTableLine } from '../bench/bench-table.ts';
import { parseTarget } from '../bench/bench-target.ts';
import { payloadBytesMin } from '../bench/message-publisher.ts';
import { type BenchResult, runBenchRow } from '../bench/run-bench.ts';

const payloadBytesMax = 1024 * 1024;
/** Unacknowledged packet identifiers of one publisher must differ. */
const windowMax = 60_000;
const clientsMax = 10_000;
const connectionsMax = 1_000_000;
const secondsMax = 86_400;

const versionNames: Record<string, ProtocolVersion> = { '3.1': 3, '3.1.1': 4, '5': 5 };

interface BenchCommandOptions {
  rows?: string[];
  scenario?: Scenario;
  publishers?: number;
  subscribers?: number;
  qos?: number;
  mqtt?: string;
  window?: number;
  connections?: number;
  seconds: number;
  payloadBytes: number;
  pid?: number[];
  ca?: string;
  json?: boolean;
}

function numberBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

const processId = numberBetween(1, 2 ** 22);

function processIds(text: string): number[] {
  return text.split(',').map(processId);
}

/** Publishers and subscribers of a scenario when the options do not say. */
const scenarioClients: Record<Scenario, { publishers: number; subscribers: number; window: number }> = {
  pair: { publishers: 1, subscribers: 1, window: 100 },
  'fan-out': { publishers: 1, subscribers: 100, window: 100 },
  'fan-in': { publishers: 100, subscribers: 1, window: 10 },
  shared: { publishers: 20, subscribers: 20, window: 100 },
  ping: { publishers: 1, subscribers: 1, window: 1 },
  connect: { publishers: 0, subscribers: 0, window: 50 },
};

function customRow(scenario: Scenario, options: BenchCommandOptions): BenchRow {
  const usual = scenarioClients[scenario];
  const isPaired = scenario === 'pair' || scenario === 'ping';
  const publishers = options.publishers ?? (isPaired ? options.subscribers : undefined) ?? usual.publishers;
  return {
    name: scenario,
    scenario,
    version: versionNames[options.mqtt ?? '3.1.1'],
    qos: (options.qos ?? 0) as 0 | 1 | 2,
    publishers: scenario === 'connect' ? 0 : publishers,
    subscribers: scenario === 'connect' ? 0 : isPaired ? publishers : (options.subscribers ?? usual.subscribers),
    window: scenario === 'ping' ? 1 : (options.window ?? usual.window),
    connections: scenario === 'connect' ? (options.connections ?? 1000) : 0,
  };
}

/** The rows that the options ask for: one made from them, some by name, or all. */
function chooseRows(options: BenchCommandOptions): BenchRow[] {
  if (options.scenario !== undefined) return [customRow(options.scenario, options)];
  if (options.rows === undefined) return [...standardRows];
  return options.rows
    .flatMap((name) => name.split(','))
    .map((name) => {
      const row = standardRows.find((candidate) => candidate.name === name);
      if (row === undefined) {
        throw new BenchFailure(
          'BENCH_OPTION',
          `--rows: given '${name}', allowed: ${standardRows.map((each) => each.name).join(', ')}`,
        );
      }
      return row;
    });
}

async function bench(address: string, options: BenchCommandOptions): Promise<void> {
  const rows = chooseRows(options);
  const target = parseTarget(address, options.ca ?? null);
  const { seconds, payloadBytes, pid: pids = [] } = options;
  const results: BenchResult[] = [];
  if (!options.json) console.log(benchTableHeader());
  for (const row of rows) {
    const result = await runBenchRow(row, { target, seconds, payloadBytes, pids });
    results.push(result);
    if (!options.json) console.log(benchTableLine(result));
  }
  if (options.json) console.log(JSON.stringify(results, null, 2));
  if (results.some(({ failure }) => failure !== null)) process.exitCode = 1;
}

export const benchCommand = new Command('bench')
  .description('measure a broker: messages a second and latency, with a bounded number of messages in flight')
  .argument('[address]', 'mqtt://[user:password@]host:port, or mqtts://', 'mqtt://127.0.0.1:1883')
  .option(
    '--rows <names...>',
    `standard rows to run instead of all: ${standardRows.map(({ name }) => name).join(', ')}`,
  )
  .addOption(new Option('--scenario <name>', 'run one row of your own').choices(scenarios).conflicts('rows'))
  .option('--publishers <n>', 'with --scenario', numberBetween(1, clientsMax))
  .option('--subscribers <n>', 'with --scenario', numberBetween(1, clientsMax))
  .option('--qos <0|1|2>', 'with --scenario', numberBetween(0, 2))
  .addOption(new Option('--mqtt <version>', 'with --scenario').choices(Object.keys(versionNames)))
  .option(
    '--window <n>',
    'with --scenario: messages in flight per publisher, or connects in flight',
    numberBetween(1, windowMax),
  )
  .option('--connections <n>', 'with --scenario connect', numberBetween(1, connectionsMax))
  .option('--seconds <n>', 'measured time of a row', numberBetween(1, secondsMax), 3)
  .option('--payload-bytes <n>', 'size of a message', numberBetween(payloadBytesMin, payloadBytesMax), 64)
  .option('--pid <pid,...>', "the broker's processes: prints its CPU time per delivery", processIds)
  .option('--ca <file>', 'certificates to trust, PEM, with mqtts://')
  .option('--json', 'one JSON array instead of the table')
  .addHelpText('after', '\nExit code: 0 when every row was measured, 1 when one could not be, 2 for a wrong option.')
  .action(async (address: string, options: BenchCommandOptions) => {
    try {
      await bench(address, options);
    } catch (error) {
      if (!(error instanceof BenchFailure)) throw error;
      benchCommand.error(`error: ${error.message}`, { exitCode: 2, code: error.code });
    }
  });
