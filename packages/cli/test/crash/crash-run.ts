import type { ProtocolVersion } from '@dunlin/protocol';
import { type BrokerProcess, DeadlineError, SeededRandom, startDunlin, withDeadline } from '@dunlin/testkit';
import { BrokerAddress } from './broker-address.ts';
import { type CrashVerdict, judge } from './crash-verdict.ts';
import type { DurableClient } from './durable-client.ts';
import { DurablePublisher } from './durable-publisher.ts';
import { DurableSubscriber } from './durable-subscriber.ts';

export interface CrashOptions {
  readonly workers: number;
  readonly version: ProtocolVersion;
  readonly dataDirectory: string;
  readonly seed: number;
  /** Number of kills, unless `seconds` says how long. */
  readonly kills: number;
  readonly seconds: number | null;
}

export interface CrashResult extends CrashVerdict {
  kills: number;
  /**
   * Faults of the broker apart from the messages: sessions lost, connections lost while it ran, packets out of place.
   */
  faults: string[];
}

const publishersOfEachQos = 4;
/** A kill comes after as many packets from the broker as chance says, at most this many; 0 is as soon as it is ready. */
const packetsBetweenKillsMax = 3000;
/** Packets within which one kill in four comes: then clients are connecting and sending again what was in flight. */
const packetsSoon = 200;
/** A broker that runs serves that many packets within this, and comes to rest within this. */
const progressMilliseconds = 30_000;

/** Kills the broker again and again under load, lets everything come to rest, and compares what was sent with what arrived. */
export class CrashRun {
  readonly #options: CrashOptions;
  readonly #random: SeededRandom;
  readonly #address = new BrokerAddress();
  readonly #publishers: DurablePublisher[] = [];
  readonly #subscribers: DurableSubscriber[] = [];
  #broker: BrokerProcess | null = null;
  #port: number | undefined;
  #packetsUntilKill = Number.POSITIVE_INFINITY;
  #killMoment = Promise.withResolvers<void>();

  constructor(options: CrashOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    const crew = { address: this.#address, version: options.version, heard: () => this.#heard() };
    for (let index = 0; index < publishersOfEachQos; index++) {
      for (const qos of [1, 2] as const) {
        const topics = ['even', 'odd'].map((parity) => `crash/${qos}/${index}/${parity}`);
        this.#publishers.push(new DurablePublisher(crew, `publisher-${qos}-${index}`, qos, topics));
      }
    }
    this.#subscribers.push(
      new DurableSubscriber(crew, 'exactly-once', 2, ['crash/#']),
      new DurableSubscriber(crew, 'at-least-once', 1, ['crash/#']),
      // Several logs behind one session, with packet identifiers of one number range.
      new DurableSubscriber(crew, 'several-filters', 2, ['crash/1/+/+', 'crash/2/+/even', 'crash/2/+/odd']),
    );
  }

  get #clients(): DurableClient[] {
    return [...this.#subscribers, ...this.#publishers];
  }

  async run(): Promise<CrashResult> {
    try {
      await this.#start();
      for (const subscriber of this.#subscribers) subscriber.start();
      await this.#within(Promise.all(this.#subscribers.map((subscriber) => subscriber.subscribed)), 'not subscribed');
      for (const publisher of this.#publishers) publisher.start();
      const kills = await this.#killAgainAndAgain();
      await this.#comeToRest();
      const faults = this.#clients.flatMap((client) => client.faults);
      return { ...judge(this.#publishers, this.#subscribers), kills, faults };
    } finally {
      this.#address.shut();
      await Promise.all([this.#broker?.kill(), ...this.#clients.map((client) => client.stop())]);
    }
  }

  async #killAgainAndAgain(): Promise<number> {
    const { kills, seconds } = this.#options;
    const end = seconds === null ? null : performance.now() + seconds * 1000;
    let done = 0;
    while (end === null ? done < kills : performance.now() < end) {
      const comesSoon = this.#random.between(1, 4) === 1;
      await this.#moment(this.#random.between(0, comesSoon ? packetsSoon : packetsBetweenKillsMax));
      await this.#kill();
      await this.#start();
      done++;
    }
    return done;
  }

  /** Everything acknowledged, then a last crash, then one more message on each topic: whatever was left comes before it. */
  async #comeToRest(): Promise<void> {
    await this.#within(Promise.all(this.#publishers.map((publisher) => publisher.finish())), 'not all acknowledged');
    await this.#kill();
    await this.#start();
    await this.#within(
      Promise.all(this.#publishers.map((publisher) => publisher.publishLast())),
      'the last not acknowledged',
    );
    const coming = this.#subscribers.flatMap((subscriber) =>
      this.#publishers.flatMap(({ clientId, lastSequences }) =>
        [...lastSequences].map(([topic, sequence]) => subscriber.has(clientId, topic, sequence)),
      ),
    );
    try {
      await this.#within(Promise.all(coming), 'a last message has not come');
    } catch (error) {
      // What is missing, and whom, the verdict tells better.
      if (!(error instanceof DeadlineError)) throw error;
    }
  }

  async #start(): Promise<void> {
    const { workers, dataDirectory } = this.#options;
    this.#broker = await startDunlin({ store: 'lmdb', dataDirectory, workers, port: this.#port });
    this.#port = this.#broker.port;
    this.#address.open(this.#broker.url);
  }

  async #kill(): Promise<void> {
    this.#address.shut();
    await this.#broker?.kill();
  }

  /** Resolves after this many packets from the broker, whatever they are. */
  async #moment(packets: number): Promise<void> {
    if (packets === 0) return;
    this.#killMoment = Promise.withResolvers<void>();
    this.#packetsUntilKill = packets;
    await this.#within(this.#killMoment.promise, `waited for ${packets} packets`);
  }

  #heard(): void {
    if (--this.#packetsUntilKill !== 0) return;
    this.#killMoment.resolve();
    // Now, and not when the test gets around to it: what has come meanwhile is read after the crash.
    this.#address.shut();
  }

  #within<T>(promise: Promise<T>, what: string): Promise<T> {
    const describe = () => {
      const faults = this.#clients.flatMap((client) => client.faults);
      const open = this.#publishers.map((publisher) => publisher.describe());
      return [what, ...open, ...faults, this.#broker?.output() ?? ''].join('\n');
    };
    return withDeadline(promise, describe, progressMilliseconds);
  }
}
