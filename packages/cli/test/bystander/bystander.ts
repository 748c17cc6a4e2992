import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** How long a bystander waited for its answers, in milliseconds. */
export interface Waits {
  readonly longest: number;
  readonly p99: number;
  readonly count: number;
}

/** A client that wants nothing but to be answered, again and again, and notes how long it waits. On a thread of its own: what the test itself does is no part of it. */
export class Bystander {
  readonly #thread: Worker;
  readonly #finished: Promise<Waits>;

  private constructor(thread: Worker) {
    this.#thread = thread;
    this.#finished = new Promise((resolve, reject) => {
      thread.on('message', (message) => typeof message === 'object' && resolve(message));
      thread.on('error', reject);
    });
    this.#finished.catch(() => undefined); // told by `stop`
  }

  static async at(url: string, clientId: string): Promise<Bystander> {
    const { hostname, port } = new URL(url);
    const workerData = { host: hostname, port: Number(port), clientId };
    const thread = new Worker(new URL('./bystander-thread.ts', import.meta.url), { workerData });
    const bystander = new Bystander(thread);
    await Promise.race([once(thread, 'message'), bystander.#finished]);
    return bystander;
  }

  /** Rejects where its connection has ended. */
  async stop(): Promise<Waits> {
    this.#thread.postMessage('stop');
    const waits = await this.#finished;
    await this.#thread.terminate();
    return waits;
  }
}
