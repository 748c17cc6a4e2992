/** The benchmark's command line: `npm run bench -- COMMAND [options]`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { tellFailure, UsageError } from '@dunlin/testkit';
import { AGAINST_ROUNDS, AGAINST_ROWS, checkoutBefore, measureAgainst, renderAgainst } from './against.ts';
import { BROKERS, selectBrokers } from './brokers.ts';
import { CHECKOUT } from './checkout.ts';
import { compare } from './compare.ts';
import { FLEET_BROKERS, FLEET_ROWS, fleetFigures, fleetPage, renderFleet, selectFleetRows } from './fleet.ts';
import { measureTable, parseCommands, renderTable } from './generic-table.ts';
import { renderReport } from './report.ts';
import { fromLines, medians, type Results, toLines } from './results.ts';
import { selectRows } from './rows.ts';
import { judge } from './targets.ts';

const USAGE = `npm run bench -- COMMAND

  compare [--rows all] [--brokers LIST] [--rounds 3] [--seconds 3] [--output docs]
      Measures Dunlin beside other brokers and writes OUTPUT/benchmarks.md and OUTPUT/benchmarks/raw.jsonl.
      --rows     row names, or the groups all, v4, v5, v5-to-v4
      --brokers  ${BROKERS.map(({ name }) => name).join(',')}
  compare --against DIR [--rows LIST] [--rounds ${AGAINST_ROUNDS}] [--seconds 3] [--json]
      Measures this checkout beside another one of Dunlin that is built, from before a change, and writes no file.
       --rows     ${AGAINST_ROWS}
  report [--output docs]
      Writes benchmarks.md again from raw.jsonl.
  fleet [--rows all] [--brokers ${FLEET_BROKERS}] [--rounds 3] [--seconds 5] [--output docs]
      Messages that come alone, at a rate, with latency from their due time, beside Mosquitto; writes OUTPUT/benchmarks/fleet.md
      when all rows were measured.
  table [--rows v4] [--rounds 1] [--seconds 3] [--json] NAME=COMMAND ...
      The same rows for any command; {port} and {tmp} are filled in.
  cluster [--rows all] [--rounds 3] [--seconds 3] [--json]
      What messages cost between the nodes of a cluster on NATS and Redis, and how fast nodes join and are missed.
       --rows     idle,20pairs-w100,qos1-20pairs,durable-qos1,join,offline
  rules [--rounds 5] [--seconds 3] [--json]
       What a hundred rules cost per delivery.
  telemetry [--rounds 5] [--seconds 3] [--json]
       What it costs that metrics are read each second, and that one publish in a hundred is traced.
  listeners [--rounds 3] [--seconds 3] [--json]
      What TLS and WebSocket cost beside plain TCP; TLS handshakes and idle TLS connections beside Mosquitto's.
  newcomer [--json]
      How long a newcomer waits: a clone, an empty cache of npm, README's first command, the first message. Port 1883 must be free.
  sign-in [--parts LIST] [--rounds 2] [--seconds 60] [--json]
      10,000 sign-ins a minute by password, sign-in over HTTP, and 100,000 rules, on one worker and one core.
       --parts    passwords,http,rules,messages
  subscriptions [--json]
      Match time and memory of the subscription tree at its limits.
`;

const OPTIONS = {
  rows: { type: 'string' },
  brokers: { type: 'string' },
  against: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  parts: { type: 'string' },
  output: { type: 'string', default: join(CHECKOUT, 'docs') },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values'];

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name} must be a whole number above 0, not '${text}'`);
  return value;
}

function writeReport(results: Results, output: string): string {
  const page = join(output, 'benchmarks.md');
  writeFileSync(page, renderReport(results, 'benchmarks/raw.jsonl'));
  return relative(process.cwd(), page);
}

async function runAgainst(values: Values, directory: string): Promise<void> {
  const figures = await measureAgainst(checkoutBefore(resolve(directory)), {
    rows: selectRows(values.rows ?? AGAINST_ROWS),
    rounds: positive('rounds', values.rounds ?? String(AGAINST_ROUNDS)),
    seconds: positive('seconds', values.seconds ?? '3'),
    onProgress: (line) => console.error(line),
  });
  console.log(values.json ? JSON.stringify(figures) : renderAgainst(figures));
}

async function runCompare(values: Values): Promise<void> {
  const results = await compare({
    rows: selectRows(values.rows ?? 'all'),
    brokers: selectBrokers(values.brokers ?? BROKERS.map(({ name }) => name).join(',')),
    rounds: positive('rounds', values.rounds ?? '3'),
    seconds: positive('seconds', values.seconds ?? '3'),
    onProgress: (line) => console.error(line),
  });
  mkdirSync(join(values.output, 'benchmarks'), { recursive: true });
  writeFileSync(join(values.output, 'benchmarks', 'raw.jsonl'), toLines(results));
  console.log(`wrote ${writeReport(results, values.output)}`);
  for (const { target, text, measured, outcome } of judge(medians(results.samples))) {
    if (results.header.rows.includes(target.row)) console.log(`${outcome}: ${target.row} ${text} (${measured})`);
  }
}

async function runFleet(values: Values): Promise<void> {
  const rows = selectFleetRows(values.rows ?? 'all');
  const results = await compare({
    rows,
    brokers: selectBrokers(values.brokers ?? FLEET_BROKERS),
    rounds: positive('rounds', values.rounds ?? '3'),
    seconds: positive('seconds', values.seconds ?? '5'),
    onProgress: (line) => console.error(line),
  });
  console.log(values.json ? JSON.stringify(fleetFigures(results)) : renderFleet(results));
  if (rows.length === FLEET_ROWS.length)
    writeFileSync(join(values.output, 'benchmarks', 'fleet.md'), fleetPage(results));
}

function runReport(values: Values): void {
  const results = fromLines(readFileSync(join(values.output, 'benchmarks', 'raw.jsonl'), 'utf8'));
  console.log(`wrote ${writeReport(results, values.output)}`);
}

async function runTable(values: Values, commands: string[]): Promise<void> {
  if (commands.length === 0) throw new UsageError('table needs at least one NAME=COMMAND');
  const options = {
    commands: parseCommands(commands),
    rows: selectRows(values.rows ?? 'v4'),
    rounds: positive('rounds', values.rounds ?? '1'),
    seconds: positive('seconds', values.seconds ?? '3'),
  };
  const result = await measureTable(options);
  console.log(renderTable(result, options));
  if (values.json) console.log(JSON.stringify(result.figures));
}

async function runSubscriptions(values: Values): Promise<void> {
  const { measureSubscriptions, renderSubscriptions } = await import('./subscriptions.ts');
  const measurements = measureSubscriptions();
  console.log(values.json ? JSON.stringify(measurements) : renderSubscriptions(measurements));
}

async function runCluster(values: Values): Promise<void> {
  const { measureCluster, selectClusterRows } = await import('./cluster.ts');
  const figures = await measureCluster({
    rows: selectClusterRows(values.rows ?? 'all'),
    rounds: positive('rounds', values.rounds ?? '3'),
    seconds: positive('seconds', values.seconds ?? '3'),
    onProgress: (line) => console.log(line),
  });
  if (values.json) console.log(JSON.stringify(figures));
}

async function runRules(values: Values): Promise<void> {
  const { measureRules } = await import('./rules.ts');
  const figures = await measureRules({
    rounds: positive('rounds', values.rounds ?? '5'),
    seconds: positive('seconds', values.seconds ?? '3'),
    onProgress: (line) => console.log(line),
  });
  if (values.json) console.log(JSON.stringify(figures));
}

async function runTelemetry(values: Values): Promise<void> {
  const { measureTelemetry } = await import('./telemetry.ts');
  const figures = await measureTelemetry({
    rounds: positive('rounds', values.rounds ?? '5'),
    seconds: positive('seconds', values.seconds ?? '3'),
    onProgress: (line) => console.error(line),
  });
  if (values.json) console.log(JSON.stringify(figures));
  else
    for (const { name, measured, bound, outcome } of figures)
      console.log(`${outcome}: ${name}: ${measured} (${bound})`);
}

async function runSignIn(values: Values): Promise<void> {
  const { measureSignIn, SIGN_IN_PARTS } = await import('./sign-in.ts');
  const figures = await measureSignIn(values.parts ?? SIGN_IN_PARTS, {
    rounds: positive('rounds', values.rounds ?? '2'),
    seconds: positive('seconds', values.seconds ?? '60'),
    onProgress: (line) => console.error(line),
  });
  if (values.json) console.log(JSON.stringify(figures));
}

async function runListeners(values: Values): Promise<void> {
  const { measureListeners, renderListeners } = await import('./listeners.ts');
  const figures = await measureListeners({
    rounds: positive('rounds', values.rounds ?? '3'),
    seconds: positive('seconds', values.seconds ?? '3'),
    onProgress: (line) => console.error(line),
  });
  console.log(values.json ? JSON.stringify(figures) : renderListeners(figures));
}

async function runNewcomer(values: Values): Promise<void> {
  const { NEWCOMER_SECONDS_MAX, walkAsNewcomer } = await import('./newcomer.ts');
  const steps = await walkAsNewcomer();
  if (values.json) {
    console.log(JSON.stringify(steps));
    return;
  }
  for (const { command, seconds } of steps) console.log(`${seconds.toFixed(1)} s  ${command}`);
  const whole = steps.reduce((sum, { seconds }) => sum + seconds, 0);
  const outcome = whole <= NEWCOMER_SECONDS_MAX ? 'met' : 'missed';
  console.log(`${outcome}: a newcomer's path: ${whole.toFixed(1)} s (at most ${NEWCOMER_SECONDS_MAX} s)`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) console.log(USAGE);
  else if (command === 'compare' && values.against !== undefined) await runAgainst(values, values.against);
  else if (command === 'compare') await runCompare(values);
  else if (command === 'fleet') await runFleet(values);
  else if (command === 'report') runReport(values);
  else if (command === 'table') await runTable(values, rest);
  else if (command === 'cluster') await runCluster(values);
  else if (command === 'rules') await runRules(values);
  else if (command === 'telemetry') await runTelemetry(values);
  else if (command === 'listeners') await runListeners(values);
  else if (command === 'sign-in') await runSignIn(values);
  else if (command === 'newcomer') await runNewcomer(values);
  else if (command === 'subscriptions') await runSubscriptions(values);
  else if (command === 'doors') throw new UsageError("the command 'doors' is now called 'listeners'");
  else throw new UsageError(`no command '${command}'`);
}

main().catch((error: unknown) => {
  process.exitCode = tellFailure(error, USAGE);
});
