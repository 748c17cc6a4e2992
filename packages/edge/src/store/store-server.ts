import type { MessagePort } from 'node:worker_threads';
import {
  methodOf,
  type StoreCall,
  StoreError,
  type StoreMethod,
  type StoreParts,
  storeMethods,
} from '@dunlin/broker/ports';
import { ownBytes, type StoreCalls, type StoreReplies } from './store-message.ts';

/** Answers the calls of one RemoteStore at the other end of a port. Each is started in the order it came; answers leave once per turn. */
export class StoreServer {
  readonly #calls: Map<StoreMethod, StoreCall>;
  readonly #port: MessagePort;
  #replies: StoreReplies['replies'] = [];

  constructor(store: StoreParts, port: MessagePort) {
    this.#calls = new Map(storeMethods.map((method) => [method, methodOf(store, method)]));
    this.#port = port;
    port.on('message', (message: StoreCalls) => {
      for (const call of message.calls) void this.#run(call);
    });
  }

  async #run({ id, method, parameters }: StoreCalls['calls'][number]): Promise<void> {
    try {
      const call = this.#calls.get(method) as StoreCall;
      this.#reply({ id, value: ownBytes(await call(...parameters)) });
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
