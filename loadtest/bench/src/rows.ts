/**
 * The rows of the comparison: what mqload is asked to do, and which of its figures the row is about.
 * Every row exists for MQTT 3.1.1 and for MQTT 5.0; some also with 5.0 publishers and 3.1.1 subscribers.
 */
import { UsageError } from '@dunlin/testkit';

/** Ability that a broker must have for a row; a broker that lacks one says why in `brokers.ts`. */
export type Need = 'qos1' | 'qos2' | 'shared' | 'durable' | 'v5' | 'mixed';

export type Versions = 'v4' | 'v5' | 'v5-to-v4';

export interface Figure {
  /** The field of mqload's JSON. */
  readonly field: string;
  readonly title: string;
  readonly digits: number;
}

export interface Row {
  readonly name: string;
  readonly title: string;
  /** The row this one is a variant of; its own name when it is none. */
  readonly base: string;
  readonly versions: Versions;
  readonly arguments: readonly string[];
  readonly figure: Figure;
  readonly needs: readonly Need[];
}

export const FIGURES = {
  cpuPerDelivery: { field: 'broker_cpu_us_per_delivery', title: 'broker CPU µs per delivery', digits: 2 },
  latency: { field: 'p50_us', title: 'median latency µs', digits: 0 },
  cpuPerConnect: { field: 'broker_cpu_us_per_connect', title: 'broker CPU µs per connect', digits: 1 },
  bytesPerConnection: { field: 'bytes_per_connection', title: 'bytes per connection', digits: 0 },
  messagesPerSecond: { field: 'delivered_per_second', title: 'messages a second', digits: 0 },
} as const satisfies Record<string, Figure>;

/** Open connections of the idle row: below the 20,000 open files that many machines allow one process. */
export const IDLE_CONNECTIONS = 18_000;
const CONNECTS = 5_000;

interface BaseRow {
  readonly name: string;
  readonly title: string;
  readonly options: string;
  readonly figure: Figure;
  readonly needs: readonly Need[];
  readonly mixed: boolean;
}

const { cpuPerDelivery, latency, cpuPerConnect, bytesPerConnection, messagesPerSecond } = FIGURES;

// biome-ignore format: a table
const BASE_ROWS: readonly BaseRow[] = [
  { name: 'pair-w1000', title: 'QoS 0, 1 pair, window 1000', options: '-m pair -P 1 -S 1 -w 1000', figure: cpuPerDelivery, needs: [], mixed: true },
  { name: '20pairs-w100', title: 'QoS 0, 20 pairs, window 100', options: '-m pair -P 20 -S 20 -w 100', figure: cpuPerDelivery, needs: [], mixed: true },
  { name: '1to100', title: 'QoS 0, 1 to 100', options: '-m fanout -P 1 -S 100 -w 100', figure: cpuPerDelivery, needs: [], mixed: true },
  { name: '100to1', title: 'QoS 0, 100 to 1', options: '-m fanin -P 100 -S 1 -w 10', figure: cpuPerDelivery, needs: [], mixed: true },
  { name: 'qos1-20pairs', title: 'QoS 1, 20 pairs, window 100', options: '-m pair -P 20 -S 20 -w 100 -q 1', figure: cpuPerDelivery, needs: ['qos1'], mixed: true },
  { name: 'qos2-20pairs', title: 'QoS 2, 20 pairs, window 100', options: '-m pair -P 20 -S 20 -w 100 -q 2', figure: cpuPerDelivery, needs: ['qos2'], mixed: false },
  { name: '500pairs-w1', title: 'QoS 0, 500 pairs, window 1', options: '-m pair -P 500 -S 500 -w 1', figure: cpuPerDelivery, needs: [], mixed: false },
  { name: 'ping', title: 'QoS 0, 1 pair, window 1, p50', options: '-m ping -P 1 -S 1', figure: latency, needs: [], mixed: false },
  { name: 'shared', title: 'QoS 0, 20 to a group of 20, window 100', options: '-m shared -P 20 -S 20 -w 100', figure: cpuPerDelivery, needs: ['shared'], mixed: false },
  { name: 'durable-qos1', title: 'QoS 1, 20 pairs, window 100, durable sessions', options: '-m pair -P 20 -S 20 -w 100 -q 1 -x', figure: messagesPerSecond, needs: ['qos1', 'durable'], mixed: false },
  { name: 'conn', title: `connect and leave, ${CONNECTS} times`, options: `-m conn -n ${CONNECTS} -w 50`, figure: cpuPerConnect, needs: [], mixed: false },
  { name: 'idle', title: `${IDLE_CONNECTIONS} idle connections`, options: `-m idle -n ${IDLE_CONNECTIONS}`, figure: bytesPerConnection, needs: [], mixed: false },
];

const VARIANTS: Record<Versions, { prefix: string; title: string; options: string[]; needs: Need[] }> = {
  v4: { prefix: '', title: '', options: [], needs: [] },
  v5: { prefix: 'v5-', title: 'MQTT 5: ', options: ['-5'], needs: ['v5'] },
  'v5-to-v4': {
    prefix: 'v5-to-v4-',
    title: 'MQTT 5 to 3.1.1: ',
    options: ['--publisher-version', '5', '--subscriber-version', '4'],
    needs: ['v5', 'mixed'],
  },
};

function variant(base: BaseRow, versions: Versions): Row {
  const { prefix, title, options, needs } = VARIANTS[versions];
  return {
    name: prefix + base.name,
    title: title + base.title,
    base: base.name,
    versions,
    arguments: [...base.options.split(' '), ...options],
    figure: base.figure,
    needs: [...base.needs, ...needs],
  };
}

export const ROWS: readonly Row[] = (['v4', 'v5', 'v5-to-v4'] as const).flatMap((versions) =>
  BASE_ROWS.filter((base) => versions !== 'v5-to-v4' || base.mixed).map((base) => variant(base, versions)),
);

/**
 * Rows by name or by group (`all`, `v4`, `v5`, `v5-to-v4`), separated by commas or spaces, in the order of the table.
 * @throws UsageError for a name that is neither.
 */
export function selectRows(list: string): Row[] {
  const wanted = list.split(/[\s,]+/).filter((name) => name !== '');
  for (const name of wanted) {
    if (name === 'all' || name in VARIANTS || ROWS.some((row) => row.name === name)) continue;
    throw new UsageError(
      `no row '${name}'; there are: all, v4, v5, v5-to-v4, ${ROWS.map((row) => row.name).join(', ')}`,
    );
  }
  return ROWS.filter((row) => wanted.includes('all') || wanted.includes(row.versions) || wanted.includes(row.name));
}

/**
 * Rows that may share one start of a broker. Each idle row has its own, because memory freed after earlier rows stays with
 * the process and would be counted as if connections cost nothing; durable rows need another configuration.
 */
export function startGroups(rows: readonly Row[]): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = row.base === 'idle' ? row.name : row.needs.includes('durable') ? 'durable' : 'messages';
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}
