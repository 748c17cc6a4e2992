/**
 * `bench telemetry`: what it costs to be watched. One broker is loaded alone and while its metrics are read each second, another that traces one publish in a hundred takes
 * turns with it, second by second, so that all three meet the same machine: it is a tenth faster or slower from one half minute to the next. A round's figure is the median of its
 * seconds.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '@dunlin/testkit';
import { BrokerProcess } from './broker-process.ts';
import { DUNLIN } from './checkout.ts';
import { runGenerator } from './generator.ts';
import { median } from './results.ts';
import { selectRows } from './rows.ts';

export interface TelemetryOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
}

/** Line of the result. */
export interface TelemetryFigure {
  readonly name: string;
  readonly measured: string;
  readonly bound: string;
  readonly outcome: 'met' | 'missed';
}

const ROW = '20pairs-w100';
const SCRAPED_AT_MOST = 1.03;
const TRACED_AT_MOST = 1.1;
const SCRAPE_MS = 1000;
const TRACED_PER_MILLION = 10_000;

interface Running {
  broker: BrokerProcess;
  port: number;
  admin: number;
}

async function start(more: readonly string[]): Promise<Running> {
  const [port, admin] = [await freePort(), await freePort()];
  const words = ['start', '--workers', '1', '--store', 'memory', '--listener', `tcp://127.0.0.1:${port}`];
  words.push('--admin', `127.0.0.1:${admin}`, ...more);
  const directory = BrokerProcess.makeDirectory();
  return {
    broker: await BrokerProcess.start([process.execPath, DUNLIN, ...words], [port, admin], directory),
    port,
    admin,
  };
}

/** Broker CPU in microseconds a delivery. */
async function cost({ broker, port }: Running, seconds: number): Promise<number> {
  const [row] = selectRows(ROW);
  const sample = await runGenerator({ row, publisherPort: port, subscriberPort: port, pids: broker.pids(), seconds });
  return Number(sample[row.figure.field]);
}

/** Reads the metrics each second, as Prometheus would, while `work` is done. Returns how often that was. */
async function scraped<T>({ admin }: Running, work: () => Promise<T>): Promise<{ result: T; scrapes: number }> {
  let scrapes = 0;
  const scrape = async (): Promise<void> => {
    await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
    scrapes++;
  };
  const timer = setInterval(() => void scrape(), SCRAPE_MS);
  try {
    return { result: await work(), scrapes };
  } finally {
    clearInterval(timer);
  }
}

/** Number of spans that were made, of how many publishes: above `tracing.spansPerSecondMax` there are none. */
async function spansOf({ admin }: Running): Promise<string> {
  const text = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  const value = (series: string): number => {
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
    return Number(line?.slice(series.length + 1));
  };
  const publishes = value('dunlin_messages_received_total{qos="0"}');
  const [started, skipped] = ['started', 'skipped'].map((result) => value(`dunlin_spans_total{result="${result}"}`));
  return `${started} spans for ${publishes} publishes, ${skipped} picked and left out by tracing.spansPerSecondMax`;
}

/** Takes spans, and throws them away. */
async function collector(): Promise<{ url: string; close: () => void }> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close().closeAllConnections() };
}

function figure(name: string, alone: number, watched: number, most: number, more: string): TelemetryFigure {
  const ratio = watched / alone;
  return {
    name,
    measured: `${watched.toFixed(3)} µs a delivery, alone ${alone.toFixed(3)} µs; ratio ${ratio.toFixed(3)}; ${more}`,
    bound: `at most ${most} times`,
    outcome: ratio <= most ? 'met' : 'missed',
  };
}

export async function measureTelemetry(options: TelemetryOptions): Promise<TelemetryFigure[]> {
  const spans = await collector();
  try {
    return await measureWith(spans.url, options);
  } finally {
    spans.close();
  }
}

async function measureWith(spansUrl: string, options: TelemetryOptions): Promise<TelemetryFigure[]> {
  const sampling = ['--set', `tracing.sampledPerMillion=${TRACED_PER_MILLION}`];
  const costs = { alone: [] as number[], scraped: [] as number[], traced: [] as number[] };
  let scrapes = 0;
  let traced = '';
  for (let round = 1; round <= options.rounds; round++) {
    // New ones in each round: one process and the next differ by a tenth, whatever they do.
    const plain = await start([]);
    const tracing = await start(['--set', `tracing.endpoint=${spansUrl}`, ...sampling]);
    try {
      // What a broker does for the first time is not what it costs: code that met no trace is compiled again when it does.
      for (const running of [plain, tracing]) await cost(running, options.seconds);
      const slices = { alone: [] as number[], scraped: [] as number[], traced: [] as number[] };
      for (let second = 0; second < options.seconds; second++) {
        // The two brokers take turns, so that each has rested as long: V8 gives memory back meanwhile, and has to grow again.
        slices.alone.push(await cost(plain, 1));
        slices.traced.push(await cost(tracing, 1));
        const watched = await scraped(plain, () => cost(plain, 1));
        slices.scraped.push(watched.result);
        scrapes += watched.scrapes;
        slices.traced.push(await cost(tracing, 1));
      }
      for (const kind of ['alone', 'scraped', 'traced'] as const) costs[kind].push(median(slices[kind]));
      const shown = Object.entries(costs).map(([name, values]) => `${name} ${values.at(-1)?.toFixed(3)}`);
      options.onProgress(`round ${round}: ${shown.join(', ')} µs`);
      traced = `in the last round ${await spansOf(tracing)}`;
    } finally {
      await Promise.all([plain.broker.stop(), tracing.broker.stop()]);
    }
  }
  const alone = median(costs.alone);
  return [
    figure(`${ROW}, metrics read each second`, alone, median(costs.scraped), SCRAPED_AT_MOST, `${scrapes} scrapes`),
    figure(`${ROW}, 1 % traced`, alone, median(costs.traced), TRACED_AT_MOST, traced),
  ];
}
