import { withDeadline } from '@dunlin/testkit';
import { type CrashVerdict, judge } from '../crash/crash-verdict.ts';
import type { Address, Crew } from '../crash/durable-client.ts';
import { DurablePublisher } from '../crash/durable-publisher.ts';
import { DurableSubscriber } from '../crash/durable-subscriber.ts';
import { reconnectPause } from './cluster-node.ts';

/**
 * Silence after which a client goes to another node, as a client with a keep alive does: under load packets come all
 * the time.
 */
const silenceMilliseconds = 4000;
/** Everything is delivered within this after the trouble is over. */
const restMilliseconds = 25_000;

/** Address that clients connect to: a node, or a load balancer before all of them. */
export interface Entrance {
  readonly url: string;
}

/** A way into the cluster for one client: the entrances in turn, beginning with its own. Any of them may go at any time. */
class ClusterAddress implements Address {
  readonly isOpen = false;
  readonly #nodes: readonly Entrance[];
  #next: number;

  constructor(nodes: readonly Entrance[], first: number) {
    this.#nodes = nodes;
    this.#next = first;
  }

  async url(): Promise<string> {
    const node = this.#nodes[this.#next++ % this.#nodes.length];
    await reconnectPause();
    return node.url;
  }
}

/**
 * Publishers and subscribers of QoS 1 and 2 with sessions that outlive their connections, spread over the nodes. Subscribers are subscribed to
 * everything, so every publish is a message between nodes. Whoever loses its connection goes to the next node.
 */
export class ClusterLoad {
  readonly #publishers: DurablePublisher[] = [];
  readonly #subscribers: DurableSubscriber[] = [];
  #heard = 0;
  #wake = Promise.withResolvers<void>();

  constructor(nodes: readonly Entrance[]) {
    let clients = 0;
    const crew = (): Crew => ({
      address: new ClusterAddress(nodes, clients++),
      version: 5,
      heard: () => this.#hear(),
      silenceMilliseconds,
    });
    for (const [index] of nodes.entries()) {
      for (const qos of [1, 2] as const) {
        const topics = ['even', 'odd'].map((parity) => `load/${qos}/${index}/${parity}`);
        this.#publishers.push(new DurablePublisher(crew(), `publisher-${qos}-${index}`, qos, topics));
      }
    }
    clients = 0;
    for (const [index] of nodes.entries()) {
      const qos = index % 2 === 0 ? 2 : 1;
      this.#subscribers.push(new DurableSubscriber(crew(), `subscriber-${index}`, qos, ['load/#']));
    }
  }

  #hear(): void {
    this.#heard++;
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  async start(): Promise<void> {
    for (const subscriber of this.#subscribers) subscriber.start();
    await this.#within(Promise.all(this.#subscribers.map(({ subscribed }) => subscribed)), 'not subscribed');
    for (const publisher of this.#publishers) publisher.start();
  }

  /** Resolves when this many more packets have come from the nodes. */
  async packets(count: number): Promise<void> {
    const enough = this.#heard + count;
    const come = async (): Promise<void> => {
      while (this.#heard < enough) await this.#wake.promise;
    };
    await this.#within(come(), `waited for ${count} packets`);
  }

  /** No more new messages: waits until all are acknowledged and delivered, and says what became of them. */
  async finish(): Promise<CrashVerdict & { faults: string[] }> {
    await this.#within(Promise.all(this.#publishers.map((publisher) => publisher.finish())), 'not all acknowledged');
    await this.#within(Promise.all(this.#publishers.map((publisher) => publisher.publishLast())), 'not the last');
    const coming = this.#subscribers.flatMap((subscriber) =>
      this.#publishers.flatMap(({ clientId, lastSequences }) =>
        [...lastSequences].map(([topic, sequence]) => subscriber.has(clientId, topic, sequence)),
      ),
    );
    await this.#within(Promise.all(coming), 'not all has come').catch(() => undefined); // The verdict tells better what is missing.
    return { ...judge(this.#publishers, this.#subscribers), faults: this.#clients.flatMap(({ faults }) => faults) };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop()));
  }

  get #clients(): (DurablePublisher | DurableSubscriber)[] {
    return [...this.#publishers, ...this.#subscribers];
  }

  #within<T>(promise: Promise<T>, what: string): Promise<T> {
    const describe = (): string =>
      [
        what,
        ...this.#publishers.map((publisher) => publisher.describe()),
        ...this.#clients.flatMap((c) => c.faults),
      ].join('\n');
    return withDeadline(promise, describe, restMilliseconds);
  }
}

/** Verdict that every run must have, whatever was done to the nodes. */
export const nothingWrong = { lost: 0, duplicates: 0, disordered: 0, faults: [], examples: [] };
