import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from '@dunlin/cluster';
import type { ChaosClient, World } from './chaos-client.ts';
import { ChaosPublisher } from './chaos-publisher.ts';
import { ChaosSubscriber } from './chaos-subscriber.ts';
import { Chronicle } from './chronicle.ts';
import type { Fault, FaultKind } from './fault.ts';
import { FaultRunner } from './fault-runner.ts';
import { Ledger } from './ledger.ts';
import type { Roster } from './roster.ts';

export interface ChaosOptions {
  readonly nodes: number;
  readonly workers: number;
  readonly seed: number;
  readonly minutes: number;
  readonly plan: readonly Fault[];
  readonly roster: Roster;
  /** Messages a second, of all publishers together. */
  readonly messagesPerSecond: number;
  /** Directory of the programs' logs. */
  readonly logs: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Result of a run. */
export interface ChaosResult {
  readonly ledger: Ledger;
  readonly chronicle: Chronicle;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Clients that were not connected at the end, or without their subscriptions. */
  readonly away: readonly string[];
  readonly clients: number;
  /** Messages that were sent and never acknowledged to the end, though the cluster was whole for as long as is waited. */
  readonly unfinished: number;
}

/** Every client is connected and subscribed before the first fault, or something is wrong that has nothing to do with faults. */
const startMilliseconds = 60_000;
/**
 * Time from the last fault to the end: everything that was acknowledged has come and everyone is back by then, or
 * never.
 */
const settleMilliseconds = 45_000;
/** Time for the clients to come back a last time, all at once. */
const lastReturnMilliseconds = 12_000;
/** Time after that in which no message may come that is too much. */
const quietMilliseconds = 1500;
const lookMilliseconds = 100;
/** Interval of lines about what it waits for. */
const sayMilliseconds = 5000;

/** The cluster does not serve its clients even before the first fault. */
export class ChaosStartError extends Error {}

/** A cluster, its clients, and the faults of a plan; then peace, and the count. */
export class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #chronicle = new Chronicle();
  readonly #ledger: Ledger;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#ledger = new Ledger(options.roster);
  }

  async run(): Promise<ChaosResult> {
    const { nodes, workers, logs, signal } = this.#options;
    const cluster = await Cluster.start({
      nodes,
      workers,
      logs,
      signal,
      proxies: true,
      onEvent: ({ kind, program }) => this.#chronicle.note(program.name, kind),
    });
    try {
      return await this.#runAt(cluster);
    } finally {
      await cluster.stop();
    }
  }

  async #runAt(cluster: Cluster): Promise<ChaosResult> {
    const { minutes, plan, say, signal } = this.#options;
    const { publishers, subscribers } = this.#makeClients(cluster);
    const clients: ChaosClient[] = [...publishers, ...subscribers];
    const faults = new FaultRunner(cluster, clients, { chronicle: this.#chronicle, ledger: this.#ledger }, say);
    try {
      await this.#gather(publishers, subscribers);
      say(`${this.#time} ${clients.length} clients are connected`);
      await faults.run(plan, minutes * 60_000, signal);
      say(`${this.#time} no more faults`);
      await this.#settle(faults, publishers, clients);
      return {
        ledger: this.#ledger,
        chronicle: this.#chronicle,
        faults: faults.counts,
        away: clients.filter(({ isBack }) => !isBack).map(({ clientId }) => clientId),
        clients: clients.length,
        unfinished: publishers.reduce((sum, { unfinished }) => sum + unfinished, 0),
      };
    } finally {
      for (const client of clients) client.stop();
    }
  }

  get #time(): string {
    return this.#chronicle.time(this.#chronicle.now());
  }

  #makeClients(cluster: Cluster): { publishers: ChaosPublisher[]; subscribers: ChaosSubscriber[] } {
    const { roster, messagesPerSecond, seed } = this.#options;
    const addresses = [
      { name: 'haproxy', port: cluster.ports.haproxy },
      ...cluster.nodes.map(({ id, mqtt }) => ({ name: id, port: mqtt })),
    ];
    const world: World = { addresses, ledger: this.#ledger, chronicle: this.#chronicle, seed };
    const everyMilliseconds = (1000 * roster.publishers.length) / messagesPerSecond;
    return {
      publishers: roster.publishers.map(
        (identity, index) => new ChaosPublisher(world, identity, index, everyMilliseconds),
      ),
      subscribers: roster.subscribers.map(
        (identity, index) =>
          new ChaosSubscriber(world, identity, roster.publishers.length + index, this.#ledger.audienceOf(identity)),
      ),
    };
  }

  /** Subscribers first: what is published from then on is owed to them. */
  async #gather(publishers: readonly ChaosPublisher[], subscribers: readonly ChaosSubscriber[]): Promise<void> {
    for (const clients of [subscribers, publishers]) {
      for (const client of clients) client.start();
      if (await this.#until(() => clients.every(({ isBack }) => isBack), startMilliseconds)) continue;
      const away = clients.filter(({ isBack }) => !isBack).map(({ clientId }) => clientId);
      const doings = this.#chronicle.entries
        .filter(({ who }) => who === away[0])
        .map(({ what }) => `${away[0]} ${what}`);
      throw new ChaosStartError(
        `not connected, without any fault: ${away.join(', ')}\n${doings.slice(-10).join('\n')}`,
      );
    }
    for (const publisher of publishers) publisher.startPublishing();
  }

  /** Peace: everything comes that was acknowledged. Then all clients leave once more and come back, and nothing comes that is too much. */
  async #settle(
    faults: FaultRunner,
    publishers: readonly ChaosPublisher[],
    clients: readonly ChaosClient[],
  ): Promise<void> {
    let isHealed = false;
    const healing = faults.heal().then(() => {
      isHealed = true;
    });
    for (const publisher of publishers) publisher.stopPublishing();
    const restless = () => [
      ...(isHealed ? [] : ['programs that do not run yet']),
      ...clients.filter(({ isBack }) => !isBack).map(({ clientId }) => `${clientId} to come back`),
      ...publishers
        .filter(({ unfinished }) => unfinished > 0)
        .map((one) => `${one.unfinished} answers to ${one.clientId}`),
      ...[...this.#ledger.outstandingByAudience].map(([name, count]) => `${count} messages to ${name}`),
    ];
    const isAtRest = () => restless().length === 0;
    const wait = setInterval(
      () => this.#options.say(`${this.#time} waiting for ${restless().join(', ')}`),
      sayMilliseconds,
    );
    const isPeace = await this.#until(isAtRest, settleMilliseconds).finally(() => clearInterval(wait));
    if (isPeace) {
      await healing;
      this.#options.say(`${this.#time} everything has come; every client leaves and comes back`);
      for (const client of clients) client.move('drop', client.identity.address);
      await this.#until(isAtRest, lastReturnMilliseconds);
    }
    await delay(quietMilliseconds, undefined, { signal: this.#options.signal });
  }

  /** True as soon as it is so; false when it is not so in time. */
  async #until(isSo: () => boolean, milliseconds: number): Promise<boolean> {
    const end = performance.now() + milliseconds;
    while (!isSo()) {
      if (performance.now() > end) return false;
      await delay(lookMilliseconds, undefined, { signal: this.#options.signal });
    }
    return true;
  }
}
