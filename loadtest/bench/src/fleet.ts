/**
 * `bench fleet`: the work of a fleet, where each message comes alone. Publishers send at a rate, whatever the broker does
 * with it, and latency counts from the time when a message was due. Beside it the scenarios of the Open MQTT Benchmark
 * Suite (https://github.com/emqx/mqttbs) by their names, those that
 * one core and one generator can show: conn-tcp-10K-100, fanout-1-1K-1-1K, fanout-5-1000-5-250K, p2p-1K-1K-1K-1K,
 * sharedsub-1K-5-1K-1K. Those with 50,000 clients are not there: a process of this machine may open 20,000 files.
 */
import { UsageError } from '@dunlin/testkit';
import type { BrokerName } from './brokers.ts';
import { markdownTable } from './report.ts';
import { median, type Results, type SampleLine } from './results.ts';
import { FIGURES, type Figure, type Need, type Row } from './rows.ts';

/** The generator's figures of a row, in the order of the table. */
const MESSAGE_FIGURES: readonly Figure[] = [
  { field: 'broker_cpu_us_per_delivery', title: 'CPU µs per delivery', digits: 1 },
  { field: 'p50_us', title: 'p50 µs', digits: 0 },
  { field: 'p99_us', title: 'p99 µs', digits: 0 },
  { field: 'p999_us', title: 'p99.9 µs', digits: 0 },
];
const CONNECT_FIGURES: readonly Figure[] = [
  { field: 'broker_cpu_us_per_connect', title: 'CPU µs per connect', digits: 1 },
  { field: 'bytes_per_connection', title: 'bytes per connection', digits: 0 },
];

/** Seconds before a row is measured: the compiler of a runtime has seen the work then. */
const WARM_UP_SECONDS = 5;
/** Rate meanwhile with 20,000 topics: each was published to once, as in a fleet that is connected for a minute. */
const FANIN = '-m fanin -P 2000 --topics 10 -S 1 -q 1 --warm-up-rate 5000';

function messages(name: string, title: string, options: string, ...needs: Need[]): Row {
  const parameters = `${options} --warm-up-seconds ${WARM_UP_SECONDS}`.split(' ');
  return { name, title, base: name, versions: 'v4', arguments: parameters, figure: FIGURES.cpuPerDelivery, needs };
}

// biome-ignore format: a table
export const FLEET_ROWS: readonly Row[] = [
  messages('fleet-500', '2,000 devices on 10 topics each to one wildcard, 128 B, 500 a second', `${FANIN} -s 128 --rate 500`, 'qos1'),
  messages('fleet-5000', 'the same, 5,000 a second', `${FANIN} -s 128 --rate 5000`, 'qos1'),
  messages('fleet-20000', 'the same, 20,000 a second', `${FANIN} -s 128 --rate 20000`, 'qos1'),
  messages('pairs-5000', '1,000 pairs, 128 B, 5,000 a second', '-m pair -P 1000 -S 1000 -q 1 -s 128 --rate 5000', 'qos1'),
  messages('fleet-16B', '2,000 devices, 16 B, 5,000 a second', `${FANIN} -s 16 --rate 5000`, 'qos1'),
  messages('fleet-4KiB', '2,000 devices, 4 KiB, 2,000 a second', `${FANIN} -s 4096 --rate 2000`, 'qos1'),
  messages('fleet-64KiB', '2,000 devices, 64 KiB, 500 a second', `${FANIN} -s 65536 --rate 500`, 'qos1'),
  messages('fleet-retained', '2,000 devices, retained, 5,000 a second', `${FANIN} -s 128 -r --rate 5000`, 'qos1'),
  messages('fanout-1-1K-1-1K', '1 publisher, 1,000 subscribers, 16 B, 1 a second in, 1,000 out', '-m fanout -P 1 -S 1000 -q 1 -s 16 --rate 1', 'qos1'),
  messages('fanout-5-1000-5-250K', '5 publishers, 1,000 subscribers, 16 B, 250 a second in, 250,000 out', '-m fanout -P 5 -S 1000 -q 1 -s 16 --rate 250', 'qos1'),
  messages('p2p-1K-1K-1K-1K', '1,000 pairs, 16 B, 1,000 a second', '-m pair -P 1000 -S 1000 -q 1 -s 16 --rate 1000', 'qos1'),
  messages('sharedsub-1K-5-1K-1K', '1,000 publishers, a group of 5, 16 B, 1,000 a second', '-m shared -P 1000 -S 5 -q 1 -s 16 --rate 1000', 'qos1', 'shared'),
  {
    ...{ name: 'conn-tcp-10K-100', title: '10,000 connections, 100 a second', base: 'idle', versions: 'v4', needs: [] },
    arguments: '-m idle -n 10000 --rate 100'.split(' '),
    figure: FIGURES.bytesPerConnection,
  },
];

export const FLEET_BROKERS = 'dunlin,mosquitto';

/** @throws UsageError for a name that is none of these rows. */
export function selectFleetRows(list: string): Row[] {
  const wanted = list.split(/[\s,]+/).filter((name) => name !== '');
  for (const name of wanted) {
    if (name === 'all' || FLEET_ROWS.some((row) => row.name === name)) continue;
    throw new UsageError(`no row '${name}'; there are: all, ${FLEET_ROWS.map((row) => row.name).join(', ')}`);
  }
  return FLEET_ROWS.filter((row) => wanted.includes('all') || wanted.includes(row.name));
}

export interface FleetFigure {
  readonly row: string;
  readonly figure: string;
  /** Medians; a broker that has none did not do the row. */
  readonly values: Partial<Record<BrokerName, number>>;
}

function figuresOf(row: Row): readonly Figure[] {
  return row.figure === FIGURES.bytesPerConnection ? CONNECT_FIGURES : MESSAGE_FIGURES;
}

function medianOf(samples: readonly SampleLine[], figure: Figure): number | null {
  if (samples.length === 0) return null;
  return Number(median(samples.map(({ sample }) => Number(sample[figure.field]))).toFixed(figure.digits));
}

export function fleetFigures(results: Results): FleetFigure[] {
  const rows = FLEET_ROWS.filter((row) => results.header.rows.includes(row.name));
  return rows.flatMap((row) =>
    figuresOf(row).map((figure) => {
      const values: FleetFigure['values'] = {};
      for (const { name } of results.header.brokers) {
        const samples = results.samples.filter((line) => line.row === row.name && line.broker === name);
        const value = medianOf(samples, figure);
        if (value !== null) values[name] = value;
      }
      return { row: row.name, figure: figure.title, values };
    }),
  );
}

/** A row of the table is a figure; the last column is Dunlin's divided by Mosquitto's. */
export function renderFleet(results: Results): string {
  const names = results.header.brokers.map(({ name }) => name);
  const rows = fleetFigures(results).map(({ row, figure, values }) => {
    const { dunlin, mosquitto } = values;
    const ratio = dunlin === undefined || !mosquitto ? '–' : (dunlin / mosquitto).toFixed(2);
    return [`\`${row}\``, figure, ...names.map((name) => values[name] ?? '–'), ratio];
  });
  const failures = results.failures.map(({ broker, row, reason }) => `- ${broker}, \`${row}\`: ${reason}`);
  return [
    markdownTable(['row', 'figure', ...names, 'to Mosquitto'], rows),
    ...(failures.length === 0 ? [] : [[...new Set(failures)].join('\n')]),
  ].join('\n\n');
}

/** The page docs/benchmarks/fleet.md. */
export function fleetPage(results: Results): string {
  const { machine, rounds, seconds, date, brokers } = results.header;
  const work = FLEET_ROWS.filter(({ name }) => results.header.rows.includes(name)).map(({ name, title }) => [
    `\`${name}\``,
    title,
  ]);
  const versions = brokers.map(({ name, version }) => `${name} ${version}`).join(', ');
  return `# A message at a time

The work of a fleet: each message comes alone, at a rate, and its latency counts from the time when it was due. Written by \`npm run bench -- fleet\` on ${date.slice(0, 10)}: ${machine.cpu}, the broker
on one core and the generator on the other, medians of ${rounds} rounds of ${seconds} seconds after ${WARM_UP_SECONDS} of warming up, in which each topic was published to once, brokers in turn, QoS 1, one worker, store in memory. CPU is what the
scheduler gave all threads of the broker. ${versions}.

${markdownTable(['row', 'work'], work)}

${renderFleet(results)}

The rows from \`fanout-1-1K-1-1K\` on are scenarios of the Open MQTT Benchmark Suite, with their names. Its scenarios with 50,000 clients are not here: one process may open 20,000 files on this machine.
`;
}
