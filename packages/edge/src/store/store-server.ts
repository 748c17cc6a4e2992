import type { MessagePort } from 'node:worker_threads';
import { type Store, StoreError } from '@dunlin/broker';
import { ownBytes, type StoreCalls, type StoreReplies } from './store-message.ts';

/** Answers the calls of one RemoteStore at the other end of a port. Each is started in the order it came; answers leave once per turn. */
export class StoreServer {
  readonly #store: Store;
  readonly #port: MessagePort;
  #replies: StoreReplies['replies'] = [];

  constructor(store: Store, port: MessagePort) {
    this.#store = store;
    this.#port = port;
    port.on('message', (message: StoreCalls) => {
      for (const call of message.calls) void this.#run(call);
    });
  }

  async #run({ id, method, parameters }: StoreCalls['calls'][number]): Promise<void> {
    try {
      const run = this.#store[method] as (...parameters: unknown[]) => Promise<unknown>;
      this.#reply({ id, value: ownBytes(await run.apply(this.#store, parameters)) });
    } catch (error) {
      const code = error instanceof StoreError ? error.code : 'unavailable';
      this.#reply({ id, code, message: error instanceof Error ? error.message : String(error) });
    }
  }

  #reply(reply: StoreReplies['replies'][number]): void {
    if (this.#replies.push(reply) > 1) return;
    setImmediate(() => {
      const replies = this.#replies;
      this.#replies = [];
      this.#port.postMessage({ replies } satisfies StoreReplies);
    });
  }
}
