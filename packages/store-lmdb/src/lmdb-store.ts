import type { Store, StoreError } from '@dunlin/broker';
import { AdminKeys } from './admin-keys.ts';
import { BanTransactions } from './ban-transactions.ts';
import { DelayedTransactions } from './delayed-transactions.ts';
import { type Durability, openClaims, openMain, writeMarker } from './environment.ts';
import { GroupTransactions } from './group-transactions.ts';
import { LogTransactions } from './log-transactions.ts';
import { Opened } from './opened.ts';
import { RetainedTransactions } from './retained-transactions.ts';
import { SessionTransactions } from './session-transactions.ts';
import { StoreHandle } from './store-handle.ts';
import { WillTransactions } from './will-transactions.ts';

export interface LmdbStoreOptions {
  /**
   * A directory, created if missing. Several worker threads of one process may open it, each with its own LmdbStore.
   */
  path: string;
  /**
   * Events that a resolved promise survives. `fsync`: power loss. `memory`: `kill -9` of the process; after a power
   * loss the file may be damaged and is refused.
   */
  durability: Durability;
  /**
   * True if no other thread claims client identifiers on this path while this store is open: then claims need not be
   * shared, and a connect is cheaper. Default false.
   */
  exclusive?: boolean;
  /** Address space reserved at the start, default 16 GiB. The map grows with the data; this is no limit. */
  mapSizeBytes?: number;
  /**
   * Called with the first write that the disk refuses, and with null when it accepts them again. Refused calls are
   * `unavailable`; stored data can be read.
   */
  onWrites?: (failure: StoreError | null) => void;
}

/**
 * Counts again what a release without quotas has stored or removed, which takes about a second for a million messages.
 * Workers that open the file at the same time wait for it.
 */
function recount({ root }: ReturnType<typeof openMain>, { retained, delayed, sessions }: Opened): void {
  const counted = [retained, delayed, sessions.quota];
  if (!counted.some(({ isMiscounted }) => isMiscounted)) return;
  root.transactionSync(() => {
    for (const each of counted) if (each.isMiscounted) each.recount();
  });
}

/**
 * Store embedded in the process. Calls of one turn of the event loop, and those that arrive while a commit is under
 * way, share a write transaction, so the calls of several threads are ordered by the write lock of LMDB. Its parts
 * determine the transactions of a call.
 */
export class LmdbStore implements Store {
  readonly name: string;
  readonly sessions: SessionTransactions;
  readonly logs: LogTransactions;
  readonly groups: GroupTransactions;
  readonly retained: RetainedTransactions;
  readonly wills: WillTransactions;
  readonly delayed: DelayedTransactions;
  readonly bans: BanTransactions;
  readonly adminKeys: AdminKeys;
  private readonly options: LmdbStoreOptions;
  private readonly handle: StoreHandle;

  constructor(options: LmdbStoreOptions) {
    this.name = 'lmdb';
    this.options = options;
    this.handle = new StoreHandle();
    this.sessions = new SessionTransactions(this.handle);
    this.logs = new LogTransactions(this.handle);
    this.groups = new GroupTransactions(this.handle);
    this.retained = new RetainedTransactions(this.handle);
    this.wills = new WillTransactions(this.handle);
    this.delayed = new DelayedTransactions(this.handle);
    this.bans = new BanTransactions(this.handle);
    this.adminKeys = new AdminKeys(this.handle);
  }

  async open(): Promise<void> {
    if (this.handle.opened !== null) return;
    const { path, durability, mapSizeBytes, exclusive } = this.options;
    const main = openMain(path, durability, mapSizeBytes);
    try {
      this.handle.opened = new Opened({
        ...{ main, claimed: exclusive === true ? null : openClaims(path), durability },
        marker: durability === 'memory' ? writeMarker(path) : null,
        writesChanged: (failure) => this.options.onWrites?.(failure),
      });
      recount(main, this.handle.opened);
    } catch (cause) {
      await main.root.close();
      throw cause;
    }
  }

  async close(): Promise<void> {
    const { opened } = this.handle;
    if (opened === null) return;
    this.handle.opened = null;
    await opened.close();
  }
}
