/** A cluster that grows: clients are moved to the new node behind a plain load balancer, under traffic of durable sessions. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation, DeadlineError, type HaproxyProcess, startHaproxy } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../command.ts';
import { Cluster } from './cluster.ts';
import { ClusterLoad, type Entrance, nothingWrong } from './cluster-load.ts';
import { type ClusterNode, reconnectPause } from './cluster-node.ts';

const timeout = 120_000;
const devices = 120;

let directory: string;
let keyFile: string;
let cluster: Cluster;
let balancer: HaproxyProcess;
let entrance: Entrance;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-rebalance-'));
  keyFile = join(directory, 'key');
  writeFileSync(keyFile, 'one-key-for-the-nodes-of-a-test');
  cluster = await Cluster.prepare({ nodes: 3, workers: 2, arguments: ['--set', `admin.keyFile=${keyFile}`] });
  const [a, b] = cluster.nodes;
  await Promise.all([a.start(), b.start()]);
  const servers = cluster.nodes.map(({ name, port, adminPort }) => ({ name, port, readyPort: adminPort }));
  balancer = await startHaproxy({ servers, balance: 'roundrobin' });
  entrance = { url: `mqtt://127.0.0.1:${balancer.port}` };
}, timeout);
afterAll(async () => {
  await balancer?.stop();
  await cluster?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** Device that connects again whenever it is disconnected. */
class Device {
  readonly connected: Promise<void>;
  /** Reason codes of DISCONNECT packets from nodes; a closed connection without one is 0. */
  readonly reasons: number[] = [];
  #isStopped = false;
  #wire: Conversation | null = null;
  readonly #ran: Promise<void>;
  readonly #isConnected = Promise.withResolvers<void>();

  constructor(clientId: string, version: 4 | 5) {
    this.connected = this.#isConnected.promise;
    this.#ran = this.#run(clientId, version);
  }

  async #run(clientId: string, version: 4 | 5): Promise<void> {
    for (; !this.#isStopped; await reconnectPause()) {
      try {
        this.#wire = await Conversation.open(entrance.url, version);
        await this.#wire.connect({ clientId });
        this.#isConnected.resolve();
        await this.#wire.closed;
        this.reasons.push(version === 5 ? (await this.#wire.expect('disconnect')).reasonCode : 0);
      } catch (error) {
        if (!(error instanceof DeadlineError)) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#wire?.drop();
    await this.#ran;
  }
}

const at = (node: ClusterNode): string[] => ['--admin', `127.0.0.1:${node.adminPort}`, '--key-file', keyFile];

async function connections(): Promise<Record<string, number>> {
  const { output } = await run(['nodes', '--json', ...at(cluster.nodes[0])]);
  const nodes = output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return Object.fromEntries(nodes.map((node) => [node.node, node.connections]));
}

test('a third node gets its share of the clients, within 10 %, and nothing acknowledged is lost', {
  timeout,
}, async () => {
  const [a, , c] = cluster.nodes;
  const all = Array.from({ length: devices }, (_, number) => new Device(`device-${number}`, number % 3 === 0 ? 4 : 5));
  const load = new ClusterLoad([entrance, entrance, entrance]);
  try {
    await Promise.all(all.map(({ connected }) => connected));
    await load.start();
    await load.packets(300);
    await c.start();
    const before = await connections();
    expect(before.c).toBeLessThan(before.a / 2);
    const dry = await run(['rebalance', '--dry-run', '--json', ...at(a)]);
    expect(dry).toMatchObject({ code: 0, errors: '' });
    const total = before.a + before.b + before.c;
    expect(JSON.parse(dry.output)).toMatchObject({
      running: false,
      sent: 0,
      nodes: [{ node: 'a' }, { node: 'b' }, { node: 'c', above: 0 }],
    });
    expect(all.flatMap(({ reasons }) => reasons)).toEqual([]);
    const done = await run(['rebalance', '--rate', '100', '--watch', '--json', ...at(c)]);
    expect(done).toMatchObject({ code: 0, errors: '' });
    const last = JSON.parse(done.output.trimEnd().split('\n').at(-1) as string);
    expect(last).toMatchObject({ running: false, outcome: 'even' });
    for (const { connections: count } of last.nodes)
      expect(Math.abs(count - total / 3)).toBeLessThanOrEqual(total / 30);
    // Who speaks MQTT 5 is told to use another server; others are closed.
    expect(new Set(all.flatMap(({ reasons }) => reasons))).toEqual(new Set([0x9c, 0]));
    await load.packets(300);
    expect(await load.finish()).toMatchObject(nothingWrong);
  } finally {
    await load.stop();
    await Promise.all(all.map((device) => device.stop()));
  }
});
