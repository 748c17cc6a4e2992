import type { SendAwayQuery } from '@dunlin/broker/ports';
import type { Gathering } from './gathering.ts';
import type { WorkerFiguresRecord } from './node-figures.ts';
import { nodesOf } from './nodes-of.ts';

/** Interval of the rounds: in each the nodes are looked at, and told how many of their clients to send to others. */
const roundMilliseconds = 1000;
/** Clients that a node may have above the mean when it is over: half of what is promised, as clients come and go meanwhile. */
const tolerance = 0.05;
/** Rounds in a row that must find the nodes even: clients that were disconnected are not back at once. */
const evenRounds = 3;
/** Rounds over which the largest number of clients counts: those that were disconnected are on their way back. */
const rememberedRounds = 10;
/** Rounds after which it gives up: the load balancer sends clients back to where they came from. */
const roundsMax = 1800;

export interface RebalanceOptions {
  ratePerSecond: number;
  /** Server Reference for clients with MQTT 5, by the name of the node that they are to go to. */
  references: Readonly<Record<string, string>>;
  /** Server Reference where there is none of a node; empty: clients are told none. */
  serverReference: string;
}

/** Node in a rebalance. */
export interface RebalanceShare {
  node: string;
  connections: number;
  /** Clients that it has above its share, to be sent to others. */
  above: number;
}

export interface RebalanceState {
  running: boolean;
  /** End of the last one; `none`: there was none. */
  outcome: 'none' | 'running' | 'even' | 'stopped' | 'given-up';
  rounds: number;
  /** Clients that were told to go so far. */
  sent: number;
  nodes: RebalanceShare[];
}

/** Parts of nodes that are ready: others take no clients, and are left alone. */
export function sharesOf(nodes: readonly { node: string; connections: number }[], total: number): RebalanceShare[] {
  const share = nodes.length === 0 ? 0 : Math.ceil(total / nodes.length);
  return nodes.map(({ node, connections }) => ({ node, connections, above: Math.max(0, connections - share) }));
}

/** True if no node differs from the mean by more than the tolerance, and one client. */
function isEven(shares: readonly RebalanceShare[], total: number): boolean {
  const mean = total / shares.length;
  return shares.every(({ connections }) => Math.abs(connections - mean) <= Math.max(1, mean * tolerance));
}

/**
 * Moves clients from nodes that have more than their share to the others, in rounds: a round sends away what the rate allows, and the next one sees where they have
 * come back. What the load balancer sends back to a loaded node goes again.
 */
export class Rebalance {
  readonly #gathering: Gathering;
  #state: RebalanceState = { running: false, outcome: 'none', rounds: 0, sent: 0, nodes: [] };
  #timer: NodeJS.Timeout | null = null;
  #totals: number[] = [];
  #even = 0;

  constructor(gathering: Gathering) {
    this.#gathering = gathering;
  }

  get state(): RebalanceState {
    return this.#state;
  }

  /** Shares as they are now. */
  async look(): Promise<RebalanceShare[]> {
    const nodes = nodesOf(await this.#gathering.all<WorkerFiguresRecord>({ kind: 'node' })).filter(
      ({ ready }) => ready,
    );
    return sharesOf(
      nodes,
      nodes.reduce((sum, { connections }) => sum + connections, 0),
    );
  }

  /** Begins; one that runs already goes on with the new options. */
  async start(options: RebalanceOptions): Promise<RebalanceState> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#totals = [];
    this.#even = 0;
    this.#state = { running: true, outcome: 'running', rounds: 0, sent: 0, nodes: [] };
    await this.#round(options, this.#state);
    return this.#state;
  }

  stop(): RebalanceState {
    if (this.#state.running) this.#end('stopped');
    return this.#state;
  }

  #end(outcome: RebalanceState['outcome']): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#state.running = false;
    this.#state.outcome = outcome;
  }

  async #round(options: RebalanceOptions, state: RebalanceState): Promise<void> {
    const now = await this.look();
    if (!state.running || state !== this.#state) return;
    const connected = now.reduce((sum, { connections }) => sum + connections, 0);
    this.#totals.push(connected);
    if (this.#totals.length > rememberedRounds) this.#totals.shift();
    const total = Math.max(...this.#totals);
    state.nodes = sharesOf(now, total);
    state.rounds++;
    this.#even = isEven(state.nodes, connected) && connected >= total * (1 - tolerance) ? this.#even + 1 : 0;
    if (this.#even >= evenRounds || state.nodes.length < 2) return this.#end('even');
    if (state.rounds >= roundsMax) return this.#end('given-up');
    await this.#sendAway(options, state, total / state.nodes.length);
    if (!state.running || state !== this.#state) return;
    this.#timer = setTimeout(
      () => void this.#round(options, state).catch(() => this.#end('stopped')),
      roundMilliseconds,
    );
    this.#timer.unref();
  }

  /** Tells nodes that are above their share by more than a client; all of them together keep to the rate. */
  async #sendAway(options: RebalanceOptions, state: RebalanceState, mean: number): Promise<void> {
    const loaded = state.nodes.filter(({ above }) => above > 0);
    const above = loaded.reduce((sum, each) => sum + each.above, 0);
    if (above === 0) return;
    const part = Math.min(1, (options.ratePerSecond * roundMilliseconds) / 1000 / above);
    const emptiest = state.nodes
      .filter(({ node, connections }) => connections < mean && options.references[node] !== undefined)
      .sort((one, other) => one.connections - other.connections)[0];
    const serverReference = emptiest === undefined ? options.serverReference : options.references[emptiest.node];
    await Promise.all(
      loaded.map(async ({ node, connections, above: many }) => {
        const query: SendAwayQuery = {
          kind: 'send-away',
          share: (many * part) / connections,
          spreadMilliseconds: roundMilliseconds,
          serverReference,
        };
        const { parts } = await this.#gathering.all<number>(query, node);
        for (const { value } of parts) state.sent += value;
      }),
    );
  }
}
