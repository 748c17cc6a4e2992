import { extname } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { CodedError } from '@dunlin/broker/ports';

/** Another thread that uses the store. */
export interface StoreThreadMessage {
  port: MessagePort;
}

/** Heap in use, and buffers outside of it: what the thread tells of its memory. */
const memoryNumbers = 2;

/** The thread of the memory store has ended, and all that it held is lost. */
export class StoreThreadError extends CodedError<'store-thread-ended'> {
  constructor(message: string, options?: ErrorOptions) {
    super('store-thread-ended', message, options);
  }
}

/** The thread that holds the memory store when several workers share it. It has nothing on disk: when it ends, so must the node. */
export class StoreThread {
  readonly #thread: Worker;
  readonly #memory = new SharedArrayBuffer(memoryNumbers * Float64Array.BYTES_PER_ELEMENT);
  #stopping = false;

  /** @param failed called once if the thread ends though nobody asked it to */
  constructor(failed: (error: Error) => void) {
    const entry = new URL(`./store-entry${extname(import.meta.filename)}`, import.meta.url);
    this.#thread = new Worker(entry, { name: 'store', workerData: this.#memory });
    let cause: Error | undefined;
    this.#thread.on('error', (error: Error) => {
      cause = error;
    });
    this.#thread.on('exit', (code) => {
      if (!this.#stopping) failed(new StoreThreadError(`the store thread ended with code ${code}`, { cause }));
    });
  }

  /** A port for one more RemoteStore. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#thread.postMessage({ port: port2 } satisfies StoreThreadMessage, [port2]);
    return port1;
  }

  /** Bytes of its heap and of its buffers outside of it, as they were in the last second. */
  get memoryBytes(): Float64Array {
    return new Float64Array(this.#memory);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#thread.terminate();
  }
}
