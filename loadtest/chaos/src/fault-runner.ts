import { cp, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, Program } from '@dunlin/cluster';
import type { ChaosClient } from './chaos-client.ts';
import type { Chronicle, DoneFault } from './chronicle.ts';
import { describeFault, type Fault, type FaultKind } from './fault.ts';
import type { Ledger } from './ledger.ts';

/** Runs the faults of a plan at their times, and writes down what was done. */
export class FaultRunner {
  /** Numbers of faults that were done, by kind. */
  readonly counts = new Map<FaultKind, number>();
  readonly #cluster: Cluster;
  readonly #clients: readonly ChaosClient[];
  readonly #chronicle: Chronicle;
  readonly #ledger: Ledger;
  readonly #say: (line: string) => void;
  /** Faults that end by themselves, with what ends them. */
  readonly #lasting = new Map<NodeJS.Timeout, () => void>();
  /** Restarts that have not been seen yet. */
  readonly #restarting = new Set<Promise<void>>();

  constructor(
    cluster: Cluster,
    clients: readonly ChaosClient[],
    { chronicle, ledger }: { readonly chronicle: Chronicle; readonly ledger: Ledger },
    say: (line: string) => void,
  ) {
    this.#cluster = cluster;
    this.#clients = clients;
    this.#chronicle = chronicle;
    this.#ledger = ledger;
    this.#say = say;
  }

  /** Resolves after the last fault has begun, and not before `milliseconds`. */
  async run(plan: readonly Fault[], milliseconds: number, signal: AbortSignal): Promise<void> {
    const start = performance.now();
    const until = (at: number) => delay(Math.max(0, start + at - performance.now()), undefined, { signal });
    for (const fault of plan) {
      await until(fault.atMilliseconds);
      this.#begin(fault);
    }
    await until(milliseconds);
  }

  /** Ends everything that lasts; resolves when every program runs again. */
  async heal(): Promise<void> {
    for (const [timer, end] of this.#lasting) {
      clearTimeout(timer);
      end();
    }
    this.#lasting.clear();
    await Promise.all(this.#restarting);
    await Promise.all(this.#cluster.programs.map((program) => program.untilRunning()));
  }

  #begin(fault: Fault): void {
    const done = this.#do(fault);
    const time = this.#chronicle.time(this.#chronicle.now());
    this.#say(`${time} ${describeFault(fault)}${done ? '' : ': not now, it does not run'}`);
    if (done) this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
  }

  /** False: what it is about does not run. */
  #do(fault: Fault): boolean {
    switch (fault.kind) {
      case 'kill-node':
        return this.#end(fault, this.#cluster.node(fault.node).program, 'SIGKILL');
      case 'restart-nats':
        return this.#end(fault, this.#cluster.nats, fault.signal);
      case 'restart-redis':
        return this.#end(fault, this.#cluster.redis, fault.signal);
      case 'older-redis':
        return this.#setBack(fault);
      case 'pause-node':
        return this.#pause(fault, this.#cluster.node(fault.node).program);
      case 'move-clients':
        this.#finish(this.#chronicle.begin(describeFault(fault)));
        for (const { client, how, address } of fault.moves) this.#clients[client].move(how, address);
        return true;
      default:
        return this.#breakLink(fault);
    }
  }

  #end(fault: Fault, program: Program, signal: NodeJS.Signals): boolean {
    if (program.state !== 'running' || !program.signal(signal)) return false;
    const done = this.#chronicle.begin(describeFault(fault));
    const back = program.untilRestarted().then(() => this.#finish(done));
    this.#restarting.add(back);
    void back.then(() => this.#restarting.delete(back));
    return true;
  }

  /** Redis goes on for a while, ends, and comes back with what its file was at the beginning. */
  #setBack(fault: Extract<Fault, { readonly kind: 'older-redis' }>): boolean {
    const { redis } = this.#cluster;
    if (redis.state !== 'running') return false;
    const done = this.#chronicle.begin(describeFault(fault));
    const back = this.#comeBackOlder(fault.forMilliseconds).then(() => this.#finish(done));
    this.#restarting.add(back);
    void back.then(() => this.#restarting.delete(back));
    return true;
  }

  async #comeBackOlder(milliseconds: number): Promise<void> {
    const { redis, redisDirectory } = this.#cluster;
    const copy = `${redisDirectory}-before`;
    const from = this.#chronicle.now();
    await cp(redisDirectory, copy, { recursive: true });
    await delay(milliseconds);
    const restarted = redis.untilRestarted();
    if (redis.state === 'running' && redis.signal('SIGKILL')) {
      // It is started again a second after its end.
      while (redis.state === 'running') await delay(1);
      await rm(redisDirectory, { recursive: true });
      await cp(copy, redisDirectory, { recursive: true });
      await restarted;
      this.#ledger.wentBack(from, this.#chronicle.now());
    }
    await rm(copy, { recursive: true });
  }

  #pause(fault: Fault & { readonly forMilliseconds: number }, program: Program): boolean {
    if (program.state !== 'running' || !program.signal('SIGSTOP')) return false;
    this.#last(fault, () => program.signal('SIGCONT'));
    return true;
  }

  #breakLink(fault: Extract<Fault, { readonly node: string; readonly forMilliseconds: number }>): boolean {
    const { links } = this.#cluster.node(fault.node);
    const [how, server] = fault.kind.split('-');
    const link = server === 'nats' ? links?.nats : links?.redis;
    if (link === undefined) throw new TypeError('the cluster was started without proxies');
    if (how === 'cut') {
      link.cut();
      this.#last(fault, () => link.heal());
    } else {
      link.freeze();
      this.#last(fault, () => link.thaw());
    }
    return true;
  }

  /** Makes a fault last as long as it says, or until all is healed. */
  #last(fault: Fault & { readonly forMilliseconds: number }, heal: () => void): void {
    const done = this.#chronicle.begin(describeFault(fault));
    const end = () => {
      this.#lasting.delete(timer);
      heal();
      this.#finish(done);
    };
    const timer = setTimeout(end, fault.forMilliseconds);
    this.#lasting.set(timer, end);
  }

  #finish(done: DoneFault): void {
    done.toMilliseconds = this.#chronicle.now();
  }
}
