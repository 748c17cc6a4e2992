import type { MessagePort } from 'node:worker_threads';
import { partsOf, type Store, StoreError, type StoreMethod, type StoreParts } from '@dunlin/broker/ports';
import { ownBytes, type StoreCalls, type StoreReplies } from './store-message.ts';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: StoreError): void;
}

/**
 * A store that lives in another thread. Calls of one turn of the event loop travel as one message and arrive in the order they were made.
 * When the other thread ends, everything that waits is rejected with `unavailable`.
 */
export class RemoteStore implements Store {
  readonly name: string;
  readonly sessions: StoreParts['sessions'];
  readonly logs: StoreParts['logs'];
  readonly groups: StoreParts['groups'];
  readonly retained: StoreParts['retained'];
  readonly wills: StoreParts['wills'];
  readonly delayed: StoreParts['delayed'];
  readonly bans: StoreParts['bans'];
  readonly adminKeys: StoreParts['adminKeys'];
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  #batch: StoreCalls['calls'] = [];
  #lastId = 0;
  #closed = false;
  #lost = false;
  #whenIdle: (() => void) | null = null;

  constructor(name: string, port: MessagePort) {
    this.name = name;
    this.#port = port;
    const parts = partsOf(
      (method) =>
        (...parameters) =>
          this.#call(method, parameters),
    );
    this.sessions = parts.sessions;
    this.logs = parts.logs;
    this.groups = parts.groups;
    this.retained = parts.retained;
    this.wills = parts.wills;
    this.delayed = parts.delayed;
    this.bans = parts.bans;
    this.adminKeys = parts.adminKeys;
    port.on('message', (message: StoreReplies) => this.#settle(message));
    port.on('close', () => this.#portClosed());
  }

  /** The store was opened by the thread it lives in; this asks it for a sign of life. */
  async open(): Promise<void> {
    this.#closed = false;
    this.#port.ref();
    await this.sessions.owners();
  }

  /** Waits for what was begun. The port stays, for another `open`; it no longer keeps this thread alive. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#waiting.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    this.#port.unref();
  }

  #call(method: StoreMethod, parameters: unknown[]): Promise<unknown> {
    if (this.#closed) return Promise.reject(new StoreError('closed', 'the store is closed'));
    if (this.#lost) return Promise.reject(new StoreError('unavailable', 'the store thread has ended'));
    const id = ++this.#lastId;
    if (this.#batch.push({ id, method, parameters: ownBytes(parameters) as unknown[] }) === 1)
      setImmediate(() => this.#send());
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #send(): void {
    const calls = this.#batch;
    this.#batch = [];
    if (!this.#lost) this.#port.postMessage({ calls } satisfies StoreCalls);
  }

  #settle({ replies }: StoreReplies): void {
    for (const reply of replies) {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('code' in reply) waiting?.reject(new StoreError(reply.code, reply.message));
      else waiting?.resolve(reply.value);
    }
    if (this.#waiting.size === 0) this.#whenIdle?.();
  }

  #portClosed(): void {
    this.#lost = true;
    for (const waiting of this.#waiting.values())
      waiting.reject(new StoreError('unavailable', 'the store thread has ended'));
    this.#waiting.clear();
    this.#whenIdle?.();
  }
}
