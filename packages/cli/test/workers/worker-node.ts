import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration } from '@dunlin/config';
import { type EdgeNode, startNode, type WorkerStatus } from '@dunlin/edge';
import { Conversation, type Introduction } from '@dunlin/testkit';

export const workerCount = 4;
/** The kernel spreads connections by chance: so many tries miss one of four workers once in a billion times. */
const triesMax = 72;

/**
 * A node with four workers in this process, reached through TCP alone. Its supervisor knows how many connections each worker has: that is how
 * a test knows where a connection has come to.
 */
export class WorkerNode implements AsyncDisposable {
  readonly #node: EdgeNode;
  readonly #directory: string;
  readonly #wires: Conversation[] = [];
  readonly #url: string;

  private constructor(node: EdgeNode, directory: string) {
    this.#node = node;
    this.#directory = directory;
    const tcp = node.addresses.find((address) => address.kind === 'tcp');
    if (tcp === undefined) throw new TypeError('the node has no TCP listener');
    this.#url = `mqtt://127.0.0.1:${tcp.port}`;
  }

  static async start(store: 'memory' | 'lmdb' = 'memory'): Promise<WorkerNode> {
    const directory = await mkdtemp(join(tmpdir(), 'dunlin-workers-'));
    const settings = {
      nodeId: 'test',
      'store.kind': store,
      'store.path': join(directory, 'data'),
      listeners: 'tcp://127.0.0.1:0',
      'log.level': 'error',
      workers: String(workerCount),
    };
    const flags = Object.entries(settings).map(([path, value]) => ({ flag: '--set', path, value }));
    const node = await startNode(loadConfiguration({ flags }).configuration, { version: '0' });
    return new WorkerNode(node, directory);
  }

  /**
   * A connection, opened again and again until it comes to this worker, that has not said anything yet. One call at a time: the connection is
   * found by counting.
   */
  async openAt(worker: number): Promise<Conversation> {
    for (let tries = 0; tries < triesMax; tries++) {
      const before = await this.#node.status();
      const wire = await Conversation.open(this.#url, 5);
      const after = await this.#until((status) => total(status) > total(before));
      if (countAt(after, worker) > countAt(before, worker)) {
        this.#wires.push(wire);
        return wire;
      }
      await wire.drop();
      await this.#until((status) => total(status) === total(before));
    }
    throw new TypeError(`none of ${triesMax} connections came to worker ${worker}`);
  }

  /** A connected client at this worker. */
  async connectAt(worker: number, greeting: Introduction): Promise<Conversation> {
    const wire = await this.openAt(worker);
    await wire.connect(greeting);
    return wire;
  }

  /** A connected client at each worker, in the order of the workers. */
  async connectEverywhere(greetingOf: (worker: number) => Introduction): Promise<Conversation[]> {
    const wires: Conversation[] = [];
    for (let worker = 0; worker < workerCount; worker++) wires.push(await this.connectAt(worker, greetingOf(worker)));
    return wires;
  }

  /** Opens a connection to any worker. */
  async openAnywhere(): Promise<Conversation> {
    const wire = await Conversation.open(this.#url, 5);
    this.#wires.push(wire);
    return wire;
  }

  /** Resolves when there are exactly this many connections. */
  async untilConnections(count: number): Promise<void> {
    await this.#until((status) => total(status) === count);
  }

  /** Ends a worker at once, with all its connections, and waits until another has taken its seat. */
  async crash(worker: number): Promise<void> {
    const before = await this.#node.status();
    const endpoint = before.find(({ index }) => index === worker)?.endpoint;
    await this.#node.pool.threads[worker].terminate();
    await this.#until((status) => {
      const now = status.find(({ index }) => index === worker);
      return now !== undefined && now.endpoint !== endpoint;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire.drop()));
    await this.#node.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Asks every worker again until the answer is as wanted; each question waits for answers, so the workers get on. */
  async #until(isEnough: (status: WorkerStatus[]) => boolean): Promise<WorkerStatus[]> {
    for (;;) {
      const status = await this.#node.status();
      if (isEnough(status)) return status;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function total(status: readonly WorkerStatus[]): number {
  return status.reduce((sum, worker) => sum + worker.connections, 0);
}

function countAt(status: readonly WorkerStatus[], worker: number): number {
  return status.find(({ index }) => index === worker)?.connections ?? 0;
}
