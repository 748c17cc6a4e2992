import { performance } from 'node:perf_hooks';
import { WireClient } from '@dunlin/testkit';
import { greet } from '../workers/conversation.ts';

/** An answer may take this long before the bystander is given up. */
const answerMilliseconds = 30_000;

/** A client that wants nothing but to be answered, again and again, and notes how long it waits. */
export class Bystander {
  readonly wire: WireClient;
  readonly waits: number[] = [];
  #running = true;
  readonly #finished: Promise<void>;

  private constructor(wire: WireClient) {
    this.wire = wire;
    this.#finished = this.#ask();
    this.#finished.catch(() => undefined); // told by `stop`
  }

  static async at(url: string, clientId: string): Promise<Bystander> {
    const wire = await WireClient.open(url);
    await greet(wire, { clientId });
    return new Bystander(wire);
  }

  async #ask(): Promise<void> {
    while (this.#running) {
      const asked = performance.now();
      this.wire.send({ type: 'pingreq' });
      await this.wire.expect('pingresp', answerMilliseconds);
      this.waits.push(performance.now() - asked);
    }
  }

  /** Rejects where its connection has ended. Returns its longest wait and the 99th percentile, in milliseconds. */
  async stop(): Promise<{ longest: number; p99: number }> {
    this.#running = false;
    await this.#finished;
    await this.wire.drop();
    const sorted = this.waits.sort((a, b) => a - b);
    return { longest: sorted.at(-1) ?? 0, p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0 };
  }
}
