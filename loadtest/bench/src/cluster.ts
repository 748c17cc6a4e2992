/**
 * `bench cluster`: what messages between nodes cost, beside the same work on one node, and how fast nodes join and are missed.
 *
 * CPU is that of the nodes' processes, per delivery; NATS and Redis are told apart. Everything runs on this machine at once, so only ratios within a
 * run mean anything.
 */
import { Cluster } from '@dunlin/cluster';
import { UsageError } from '@dunlin/testkit';
import { connected, cpuMicroseconds, joiningNode, offlineSessions, subscribe } from './cluster-load.ts';
import { runGenerator } from './generator.ts';
import { median } from './results.ts';
import { selectRows } from './rows.ts';

/** Rows that can be measured, by the names that `--rows` knows. */
export const CLUSTER_ROWS = ['idle', '20pairs-w100', 'qos1-20pairs', 'durable-qos1', 'join', 'offline'] as const;
export type ClusterRow = (typeof CLUSTER_ROWS)[number];

/** Throws UsageError for a name that is none. */
export function selectClusterRows(text: string): readonly ClusterRow[] {
  const names = text === 'all' ? CLUSTER_ROWS : text.split(',');
  return names.map((name) => {
    const row = CLUSTER_ROWS.find((known) => known === name);
    if (row === undefined) throw new UsageError(`no row '${name}'; known: ${CLUSTER_ROWS.join(', ')}`);
    return row;
  });
}

export interface ClusterOptions {
  readonly rows: readonly ClusterRow[];
  readonly rounds: number;
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
}

/** Line of the result. */
export interface ClusterFigure {
  readonly name: string;
  readonly measured: string;
  readonly bound: string;
  readonly outcome: 'met' | 'missed';
}

/** Microseconds per delivery, but `perSecond`: deliveries. */
interface Cost {
  readonly nodes: number;
  readonly nats: number;
  readonly redis: number;
  readonly perSecond: number;
}

const IDLE_SECONDS = 20;
/**
 * Pause after the start of a node: it compiles what is hot, and collects what the start has left, for half a minute.
 */
const SETTLE_SECONDS = 40;
const ROUTES = 100_000;
const FEW_OFFLINE = 10;
const MANY_OFFLINE = 10_000;

/** Runs one row with publishers at one node and subscribers at another, or at the same. */
async function cost(cluster: Cluster, rowName: string, from: number, to: number, seconds: number): Promise<Cost> {
  const [row] = selectRows(rowName);
  const pids = cluster.nodes.map(({ program }) => program.pid);
  const all = [...pids, cluster.nats.pid, cluster.redis.pid];
  const before = all.map(cpuMicroseconds);
  const sample = await runGenerator({
    row,
    publisherPort: cluster.nodes[from].mqtt,
    subscriberPort: cluster.nodes[to].mqtt,
    pids,
    seconds,
  });
  const spent = all.map(cpuMicroseconds).map((cpu, i) => cpu - before[i]);
  const nodes = spent.slice(0, pids.length).reduce((sum, cpu) => sum + cpu, 0);
  const perDelivery = Number(sample.broker_cpu_us_per_delivery);
  // The generator's figure leaves out connecting and warming up; the others are set in proportion to it.
  const share = (cpu: number) => (nodes === 0 ? 0 : (perDelivery * cpu) / nodes);
  return {
    nodes: perDelivery,
    nats: share(spent[pids.length]),
    redis: share(spent[pids.length + 1]),
    perSecond: Number(sample.delivered_per_second),
  };
}

function middle(costs: readonly Cost[]): Cost {
  const of = (key: keyof Cost) => median(costs.map((each) => each[key]));
  return { nodes: of('nodes'), nats: of('nats'), redis: of('redis'), perSecond: of('perSecond') };
}

function told({ nodes, nats, redis }: Cost): string {
  return `nodes ${nodes.toFixed(2)} µs, NATS ${nats.toFixed(2)} µs, Redis ${redis.toFixed(2)} µs`;
}

/** The same row across two nodes and on one, in turns. */
async function across(cluster: Cluster, rowName: string, factor: number, options: ClusterOptions) {
  const one: Cost[] = [];
  const two: Cost[] = [];
  for (let round = 0; round < options.rounds; round++) {
    one.push(await cost(cluster, rowName, 0, 0, options.seconds));
    two.push(await cost(cluster, rowName, 0, 1, options.seconds));
  }
  const [alone, apart] = [middle(one), middle(two)];
  const ratio = apart.nodes / alone.nodes;
  return figure(
    `${rowName} across two nodes`,
    `${told(apart)}; on one node ${alone.nodes.toFixed(2)} µs; ratio ${ratio.toFixed(2)}`,
    `at most ${factor} times one node`,
    ratio <= factor,
  );
}

function figure(name: string, measured: string, bound: string, isMet: boolean): ClusterFigure {
  return { name, measured, bound, outcome: isMet ? 'met' : 'missed' };
}

async function durable(cluster: Cluster, options: ClusterOptions): Promise<ClusterFigure> {
  const costs: Cost[] = [];
  for (let round = 0; round < options.rounds; round++)
    costs.push(await cost(cluster, 'durable-qos1', 0, 1, options.seconds));
  const { perSecond } = middle(costs);
  return figure(
    'durable QoS 1 through Redis, across two nodes',
    `${Math.round(perSecond)} messages a second; ${told(middle(costs))}`,
    'at least 20,000 messages a second',
    perSecond >= 20_000,
  );
}

/** A publish to a filter that many durable sessions follow who are not there: one append, whatever their number. */
async function offline(cluster: Cluster, options: ClusterOptions): Promise<ClusterFigure> {
  const measure = async (): Promise<number> => {
    const costs: number[] = [];
    for (let round = 0; round < options.rounds; round++) {
      const { nodes, redis } = await cost(cluster, 'qos1-20pairs', 0, 0, options.seconds);
      costs.push(nodes + redis);
    }
    return median(costs);
  };
  await offlineSessions(cluster.nodes[0].mqtt, 0, FEW_OFFLINE, 'load/#');
  const few = await measure();
  await offlineSessions(cluster.nodes[0].mqtt, FEW_OFFLINE, MANY_OFFLINE, 'load/#');
  const many = await measure();
  const ratio = many / few;
  return figure(
    `a publish to a filter with ${MANY_OFFLINE} offline durable sessions`,
    `nodes and Redis ${many.toFixed(2)} µs; with ${FEW_OFFLINE} sessions ${few.toFixed(2)} µs; ratio ${ratio.toFixed(2)}`,
    `at most 1.2 times one with ${FEW_OFFLINE}`,
    ratio <= 1.2,
  );
}

async function idle(cluster: Cluster): Promise<ClusterFigure> {
  // It asks every node for its readiness twice a second, with a connection for each question.
  await cluster.haproxy.stop();
  await new Promise((resolve) => setTimeout(resolve, SETTLE_SECONDS * 1000));
  const pids = cluster.nodes.map(({ program }) => program.pid);
  const before = pids.map(cpuMicroseconds);
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const percent = pids.map((pid, i) => (cpuMicroseconds(pid) - before[i]) / (IDLE_SECONDS * 10_000));
  const most = Math.max(...percent);
  const measured = `${percent.map((each) => each.toFixed(1)).join(', ')} % of a core`;
  return figure('an idle cluster, CPU of each node', measured, 'at most 1 %', most <= 1);
}

/** A node joins while there are many routes, and is missed when it is killed. */
async function joinAndDeath(cluster: Cluster): Promise<ClusterFigure[]> {
  const holder = await connected(cluster.nodes[0].mqtt, 'holder', true);
  await subscribe(
    holder,
    Array.from({ length: ROUTES }, (_, i) => `routes/${i}`),
    0,
  );
  const begun = performance.now();
  const { child, port } = await joiningNode(cluster, 'joining');
  const joined = performance.now() - begun;
  // An acknowledgement for a subscriber that is gone waits until its node is known to be dead.
  const subscriber = await connected(port, 'subscriber', true);
  await subscribe(subscriber, ['of/the/dead'], 1);
  const publisher = await connected(cluster.nodes[0].mqtt, 'publisher', true);
  const killed = performance.now();
  child.kill('SIGKILL');
  publisher.send({
    type: 'publish',
    dup: false,
    qos: 1,
    retain: false,
    topic: 'of/the/dead',
    packetId: 1,
    properties: {},
    payload: Buffer.from('x'),
  });
  await publisher.expect('puback', 30_000);
  const missed = performance.now() - killed;
  await Promise.all([holder.drop(), publisher.drop(), subscriber.drop()]);
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
  return [
    figure(`a node joins ${ROUTES} routes, from its start`, seconds(joined), 'under 2 s', joined < 2000),
    figure('a killed node is missed, its routes gone', seconds(missed), 'within 5 s', missed <= 5000),
  ];
}

/** Starts a cluster of three nodes with one worker each, NATS and Redis (`appendfsync always`), and measures. */
export async function measureCluster(options: ClusterOptions): Promise<ClusterFigure[]> {
  const figures: ClusterFigure[] = [];
  const add = (...more: ClusterFigure[]): void => {
    for (const each of more) options.onProgress(`${each.outcome}: ${each.name}: ${each.measured} (${each.bound})`);
    figures.push(...more);
  };
  const cluster = await Cluster.start({ nodes: 3, restarts: false });
  try {
    const measures: Record<ClusterRow, () => Promise<ClusterFigure[]>> = {
      idle: async () => [await idle(cluster)],
      '20pairs-w100': async () => [await across(cluster, '20pairs-w100', 2.5, options)],
      'qos1-20pairs': async () => [await across(cluster, 'qos1-20pairs', 3, options)],
      'durable-qos1': async () => [await durable(cluster, options)],
      join: () => joinAndDeath(cluster),
      offline: async () => [await offline(cluster, options)],
    };
    for (const row of CLUSTER_ROWS) if (options.rows.includes(row)) add(...(await measures[row]()));
  } finally {
    await cluster.stop();
  }
  return figures;
}
