/** Measures every broker on every row, round by round, brokers taking turns. */
import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { freePort } from '@dunlin/testkit';
import { BrokerProcess, StartFailure } from './broker-process.ts';
import type { Broker, StartContext } from './brokers.ts';
import { CHECKOUT } from './checkout.ts';
import { RowFailure, runGenerator } from './generator.ts';
import { describeMachine } from './machine.ts';
import type { FailureLine, Header, Measured, Results, SampleLine } from './results.ts';
import { type Row, startGroups } from './rows.ts';

export interface CompareOptions {
  readonly rows: readonly Row[];
  readonly brokers: readonly Broker[];
  readonly rounds: number;
  readonly seconds: number;
  /** Told each figure as it comes. */
  readonly onProgress: (line: string) => void;
}

interface Found {
  readonly broker: Broker;
  readonly program: string;
}

/** The reason of a start that failed; anything else is a fault of the benchmark itself. */
function startFailure(error: unknown): string {
  if (error instanceof StartFailure) return error.message;
  throw error;
}

/** Text that a reader can type: no path of this machine in it. */
function withoutPaths(text: string, context: StartContext): string {
  return text
    .replaceAll(context.directory, '{directory}')
    .replaceAll(`${CHECKOUT}/`, '')
    .replaceAll(process.execPath, 'node')
    .replaceAll(homedir(), '~')
    .replaceAll(String(context.port), '{port}')
    .replaceAll(String(context.port5), '{port5}');
}

function describe({ broker, program }: Found, rows: readonly Row[]): Measured {
  const durable = rows.every((row) => row.needs.includes('durable'));
  const context = { port: 10_001, port5: 10_002, directory: '{directory}', durable };
  const [first, ...rest] = broker.command(program, context);
  const command = [basename(first), ...rest].join(' ');
  return {
    name: broker.name,
    version: broker.version(program),
    command: withoutPaths(command, context),
    configuration: withoutPaths(broker.configuration?.(context) ?? '', context),
  };
}

async function start({ broker, program }: Found, durable: boolean): Promise<[BrokerProcess, StartContext]> {
  const directory = BrokerProcess.makeDirectory();
  const port = await freePort();
  const port5 = broker.separatePort5 ? await freePort() : port;
  const context: StartContext = { port, port5, directory, durable };
  if (broker.configuration && broker.configurationFile) {
    writeFileSync(join(directory, broker.configurationFile), broker.configuration(context));
  }
  const ports = broker.separatePort5 ? [port, port5] : [port];
  return [await BrokerProcess.start(broker.command(program, context), ports, directory), context];
}

function lacking(broker: Broker, row: Row): string | undefined {
  const need = row.needs.find((candidate) => candidate in broker.lacks);
  return need === undefined ? undefined : broker.lacks[need];
}

class Comparison {
  readonly samples: SampleLine[] = [];
  readonly failures: FailureLine[] = [];
  private readonly options: CompareOptions;

  constructor(options: CompareOptions) {
    this.options = options;
  }

  /** Rows that share one start of a broker. */
  async measure(round: number, found: Found, rows: readonly Row[]): Promise<void> {
    const able = rows.filter((row) => this.isAble(round, found.broker, row));
    if (able.length === 0) return;
    const durable = able[0].needs.includes('durable');
    let running: [BrokerProcess, StartContext];
    try {
      running = await start(found, durable);
    } catch (error) {
      for (const row of able) this.fail(round, row, found.broker, startFailure(error));
      return;
    }
    const [broker, context] = running;
    try {
      for (const row of able) await this.measureRow(round, row, found.broker, broker, context);
    } finally {
      await broker.stop();
    }
  }

  private isAble(round: number, broker: Broker, row: Row): boolean {
    const reason = lacking(broker, row);
    if (reason !== undefined && round === 1) this.fail(round, row, broker, reason);
    return reason === undefined;
  }

  private async measureRow(
    round: number,
    row: Row,
    broker: Broker,
    running: BrokerProcess,
    context: StartContext,
  ): Promise<void> {
    const publisherPort = row.versions === 'v4' ? context.port : context.port5;
    const subscriberPort = row.versions === 'v5' ? context.port5 : context.port;
    const load = { row, publisherPort, subscriberPort, pids: running.pids(), seconds: this.options.seconds };
    try {
      const sample = await runGenerator(load);
      this.samples.push({ kind: 'sample', round, row: row.name, broker: broker.name, sample });
      this.options.onProgress(`${round} ${broker.name} ${row.name}: ${sample[row.figure.field]} ${row.figure.title}`);
    } catch (error) {
      if (!(error instanceof RowFailure)) throw error;
      this.fail(round, row, broker, error.message);
    }
  }

  private fail(round: number, row: Row, broker: Broker, reason: string): void {
    this.failures.push({ kind: 'failure', round, row: row.name, broker: broker.name, reason });
    this.options.onProgress(`${round} ${broker.name} ${row.name}: – (${reason})`);
  }
}

/** Resolves with every sample. A row that a broker cannot do or fails at is listed with the reason. */
export async function compare(options: CompareOptions): Promise<Results> {
  const candidates = options.brokers.map((broker) => ({ broker, program: broker.find() }));
  const found = candidates.filter((candidate): candidate is Found => candidate.program !== undefined);
  const absent = candidates.filter(({ program }) => program === undefined).map(({ broker }) => broker);
  const header: Header = {
    kind: 'header',
    date: new Date().toISOString(),
    machine: describeMachine(),
    rounds: options.rounds,
    seconds: options.seconds,
    rows: options.rows.map((row) => row.name),
    brokers: found.map((candidate) => describe(candidate, options.rows)),
    absent: absent.map(({ name, howToGet }) => ({ name, howToGet })),
  };
  const comparison = new Comparison(options);
  for (let round = 1; round <= options.rounds; round++) {
    for (const candidate of found) {
      for (const group of startGroups(options.rows)) await comparison.measure(round, candidate, group);
    }
  }
  return { header, samples: comparison.samples, failures: comparison.failures };
}
