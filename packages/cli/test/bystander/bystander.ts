import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Times that a bystander waited for its answers, in milliseconds. */
export interface Waits {
  readonly longest: number;
  readonly p99: number;
  readonly count: number;
}

/** A client that wants nothing but to be answered, again and again, and notes how long it waits. On a thread of its own: what the test itself does is no part of it. */
export class Bystander {
  readonly #thread: Worker;
  readonly #failed: Promise<never>;

  private constructor(thread: Worker) {
    this.#thread = thread;
    this.#failed = new Promise((_resolve, reject) => thread.once('error', reject));
    this.#failed.catch(() => undefined); // told by whoever asks next
  }

  static async at(url: string, clientId: string): Promise<Bystander> {
    const { hostname, port } = new URL(url);
    const workerData = { host: hostname, port: Number(port), clientId };
    const bystander = new Bystander(new Worker(new URL('./bystander-thread.ts', import.meta.url), { workerData }));
    await bystander.#message();
    return bystander;
  }

  /** Waits since the last look. Rejects where its connection has ended, as `stop` does. */
  look(): Promise<Waits> {
    this.#thread.postMessage('look');
    return this.#message();
  }

  async stop(): Promise<Waits> {
    this.#thread.postMessage('stop');
    const waits = await this.#message();
    await this.#thread.terminate();
    return waits;
  }

  /** Next message of the thread. */
  async #message(): Promise<Waits> {
    const [waits] = await Promise.race([once(this.#thread, 'message'), this.#failed]);
    return waits as Waits;
  }
}
