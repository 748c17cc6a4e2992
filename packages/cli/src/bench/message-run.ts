/**
 * A closed loop of messages: a publisher sends more only when earlier ones are through, so that no broker is measured
 * while it drops or queues without bound. When the time is up the run waits for what is on its way, and then knows whether
 * every message came exactly once.
 */
import { BenchClient, type ClientSink } from './bench-client.ts';
import { BenchFailure } from './bench-failure.ts';
import type { BenchRow } from './bench-row.ts';
import type { BenchTarget } from './bench-target.ts';
import { Latencies } from './latencies.ts';
import { MessagePublisher, publisherAt, sequenceAt } from './message-publisher.ts';
import { cpuSeconds } from './process-cpu.ts';

/** Load before the measurement begins: compilers of both sides have seen the hot code by then. */
const warmUpMilliseconds = 500;
/** Time without any delivery after which a run ends: the broker dropped messages or stopped. */
const stallMilliseconds = 3000;
const stallCheckMilliseconds = 250;
/** Deliveries for each one that is timed. A power of two. */
const sampleEvery = 16;
/** Connecting one after another would take long with many clients; all at once would be a connect flood. */
const connectsInFlight = 50;

export interface MessageResult {
  publishedPerSecond: number;
  deliveredPerSecond: number;
  p50Microseconds: number;
  p99Microseconds: number;
  p999Microseconds: number;
  /** Messages published over the whole run, warming up and draining included. */
  published: number;
  expected: number;
  received: number;
  /** Messages that came again, or after a later one of the same publisher. Not counted for shared subscriptions. */
  duplicatedOrLate: number;
  /** Null when no process was named. */
  brokerCpuMicrosecondsPerDelivery: number | null;
}

export interface RunOptions {
  readonly target: BenchTarget;
  readonly seconds: number;
  readonly payloadBytes: number;
  readonly pids: readonly number[];
}

let runNumber = 0;

export class MessageRun implements ClientSink {
  private readonly row: BenchRow;
  private readonly options: RunOptions;
  private readonly subscribers: BenchClient[] = [];
  private readonly publishers: MessagePublisher[] = [];
  private readonly queue: MessagePublisher[] = [];
  /** Deliveries per publisher, over all subscribers. */
  private readonly deliveries: Float64Array;
  /** The sequence number each subscriber expects next of each publisher. */
  private readonly nextSequences: Uint32Array;
  private readonly latencies = new Latencies();
  private readonly failed = Promise.withResolvers<never>();
  /** Its own topics and client identifiers for each run: what an earlier one left in flight is not ours. */
  private readonly prefix = `bench/${process.pid}-${++runNumber}`;
  private isPumpScheduled = false;
  private isMeasuring = false;
  private isStopped = false;
  private published = 0;
  private received = 0;
  private duplicatedOrLate = 0;
  private onDrained: (() => void) | null = null;

  constructor(row: BenchRow, options: RunOptions) {
    this.row = row;
    this.options = options;
    this.deliveries = new Float64Array(row.publishers);
    this.nextSequences = new Uint32Array(row.publishers * row.subscribers);
    this.failed.promise.catch(() => {}); // The caller of `run` handles it.
  }

  /** Throws a BenchFailure when the broker refuses, closes or stalls. */
  async run(): Promise<MessageResult> {
    try {
      return await Promise.race([this.measure(), this.failed.promise]);
    } finally {
      this.isStopped = true;
      for (const client of this.subscribers) client.destroy();
      for (const { client } of this.publishers) client.destroy();
    }
  }

  onFailure(failure: BenchFailure): void {
    this.failed.reject(failure);
  }

  private async measure(): Promise<MessageResult> {
    await this.openSubscribers();
    await this.openPublishers();
    for (const publisher of this.publishers) this.enqueue(publisher);
    await this.sleep(warmUpMilliseconds);
    const [publishedBefore, receivedBefore] = [this.published, this.received];
    const cpuBefore = cpuSeconds(this.options.pids);
    const start = performance.now();
    this.isMeasuring = true;
    await this.sleep(this.options.seconds * 1000);
    this.isMeasuring = false;
    const seconds = (performance.now() - start) / 1000;
    const cpu = cpuSeconds(this.options.pids) - cpuBefore;
    const [published, received] = [this.published - publishedBefore, this.received - receivedBefore];
    await this.drain();
    return {
      publishedPerSecond: published / seconds,
      deliveredPerSecond: received / seconds,
      p50Microseconds: this.latencies.percentileMicroseconds(0.5),
      p99Microseconds: this.latencies.percentileMicroseconds(0.99),
      p999Microseconds: this.latencies.percentileMicroseconds(0.999),
      published: this.published,
      expected: this.expected,
      received: this.received,
      duplicatedOrLate: this.duplicatedOrLate,
      brokerCpuMicrosecondsPerDelivery:
        this.options.pids.length === 0 || received === 0 ? null : (cpu * 1e6) / received,
    };
  }

  /** Waits, and gives up when nothing moves. */
  private async sleep(milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    let [last, lastAt] = [this.received, performance.now()];
    for (let left = milliseconds; left > 0; left = end - performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(left, stallCheckMilliseconds)));
      if (this.isStopped) return;
      if (this.received !== last) [last, lastAt] = [this.received, performance.now()];
      else if (performance.now() - lastAt > stallMilliseconds) {
        throw new BenchFailure(
          'BENCH_STALLED',
          `nothing was delivered for ${stallMilliseconds / 1000} s after ${last} messages`,
        );
      }
    }
  }

  /** Every message to each of its subscribers; a shared one to a single member of the group. */
  private get expected(): number {
    const fan = this.row.scenario === 'fan-out' || this.row.scenario === 'fan-in' ? this.row.subscribers : 1;
    return this.published * fan;
  }

  /** Stops publishing and waits for what is on its way. What does not come is seen in the result. */
  private async drain(): Promise<void> {
    this.isStopped = true;
    let last = -1;
    while (this.received < this.expected && this.received !== last) {
      last = this.received;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, stallMilliseconds);
        this.onDrained = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  private topicOf(index: number): string {
    return this.row.scenario === 'fan-out' ? `${this.prefix}/all` : `${this.prefix}/${index}`;
  }

  private filterOf(index: number): string {
    if (this.row.scenario === 'fan-in') return `${this.prefix}/#`;
    if (this.row.scenario === 'shared') return `$share/bench/${this.prefix}/#`;
    return this.topicOf(index);
  }

  private clientId(role: string, index: number): string {
    return `${this.prefix.replaceAll('/', '-')}-${role}${index}`;
  }

  private async openSubscribers(): Promise<void> {
    await inBatches(this.row.subscribers, async (index) => {
      const client = new BenchClient(this.options.target, this.row.version, index, this);
      this.subscribers[index] = client;
      await client.connect(this.clientId('s', index));
      await client.subscribe(this.filterOf(index), this.row.qos);
    });
  }

  private async openPublishers(): Promise<void> {
    const { target, payloadBytes } = this.options;
    await inBatches(this.row.publishers, async (index) => {
      const client = new BenchClient(target, this.row.version, index, this);
      this.publishers[index] = new MessagePublisher(client, this.row, this.topicOf(index), payloadBytes);
      await client.connect(this.clientId('p', index));
    });
  }

  onRoom(client: BenchClient): void {
    const publisher = this.publishers[client.index];
    if (publisher !== undefined && publisher.client === client) this.enqueue(publisher);
  }

  onDelivery(client: BenchClient, bytes: Buffer, payloadStart: number, end: number): void {
    const publisherIndex =
      end - payloadStart >= this.options.payloadBytes ? bytes.readUInt32LE(payloadStart + publisherAt) : -1;
    const publisher = this.publishers[publisherIndex];
    if (publisher === undefined) {
      this.onFailure(new BenchFailure('BENCH_REFUSED', 'a message came that this run did not send'));
      return;
    }
    this.received++;
    if (this.row.scenario !== 'shared') {
      this.checkSequence(
        client.index * this.row.publishers + publisherIndex,
        bytes.readUInt32LE(payloadStart + sequenceAt),
      );
    }
    this.deliveries[publisherIndex]++;
    if (this.isMeasuring && (this.received & (sampleEvery - 1)) === 0) {
      this.latencies.add(performance.now() - bytes.readDoubleLE(payloadStart));
    }
    if (this.isStopped) {
      if (this.received === this.expected) this.onDrained?.();
    } else {
      this.enqueue(publisher);
    }
  }

  private checkSequence(slot: number, sequence: number): void {
    if (sequence < this.nextSequences[slot]) this.duplicatedOrLate++;
    else this.nextSequences[slot] = sequence + 1;
  }

  private enqueue(publisher: MessagePublisher): void {
    if (publisher.client.isQueued) return;
    publisher.client.isQueued = true;
    this.queue.push(publisher);
    if (this.isPumpScheduled) return;
    this.isPumpScheduled = true;
    setImmediate(() => this.pump());
  }

  private pump(): void {
    this.isPumpScheduled = false;
    for (let i = 0; i < this.queue.length; i++) {
      const publisher = this.queue[i];
      publisher.client.isQueued = false;
      if (this.isStopped) continue;
      publisher.through = this.throughOf(publisher.client.index);
      this.published += publisher.fillWindow();
    }
    this.queue.length = 0;
  }

  /**
   * Number of messages of a publisher that are through: one publisher to many waits for its slowest subscriber; many to
   * many count the mean, which needs no count per pair.
   */
  private throughOf(index: number): number {
    const { scenario, publishers, subscribers } = this.row;
    if (scenario !== 'fan-out' && scenario !== 'fan-in') return this.deliveries[index];
    if (publishers > 1) return Math.floor(this.deliveries[index] / subscribers);
    let slowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.subscribers.length; i++) slowest = Math.min(slowest, this.subscribers[i].received);
    return slowest;
  }
}

/** Calls `task` for 0 … count-1, a bounded number at a time. */
async function inBatches(count: number, task: (index: number) => Promise<void>): Promise<void> {
  for (let start = 0; start < count; start += connectsInFlight) {
    const batch: Promise<void>[] = [];
    for (let index = start; index < Math.min(count, start + connectsInFlight); index++) batch.push(task(index));
    await Promise.all(batch);
  }
}
