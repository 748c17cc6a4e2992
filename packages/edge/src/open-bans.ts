import type { Logger } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import { BanBook } from './admin/ban-book.ts';
import type { BanRecord } from './admin/ban-record.ts';
import { askNode, controlSocketOf, type Door } from './admin/control-socket.ts';
import { composeStore, isStoreRemote } from './compose.ts';

/** Bans for a command, wherever they are. Each method rejects with what cannot be done, in words for people. */
export interface OpenBans {
  add(given: Partial<BanRecord>): Promise<BanRecord>;
  /** False: there is no such ban. */
  remove(given: Partial<BanRecord>): Promise<boolean>;
  list(): Promise<BanRecord[]>;
  close(): Promise<void>;
}

/** In Redis they are written by the command itself, as nodes do; on an embedded store the node that runs on it is asked. */
export async function openBans(configuration: Configuration, logger: Logger): Promise<OpenBans> {
  if (!isStoreRemote(configuration)) return new BansOfNode(configuration.store.path);
  const store = await composeStore({ configuration, logger, port: null, onStatus: () => undefined });
  await store.open();
  const book = new BanBook(store.bans);
  return {
    add: (given) => book.add(given),
    remove: (given) => book.remove(given),
    list: () => book.list(),
    close: () => store.close(),
  };
}

const path = '/api/v1/bans';

class BansOfNode implements OpenBans {
  readonly #door: Door;

  constructor(directory: string) {
    this.#door = { socketPath: controlSocketOf(directory) };
  }

  async add(given: Partial<BanRecord>): Promise<BanRecord> {
    return (await askNode(this.#door, 'POST', path, given)) as BanRecord;
  }

  async remove(given: Partial<BanRecord>): Promise<boolean> {
    return ((await askNode(this.#door, 'DELETE', path, given)) as { removed: boolean }).removed;
  }

  async list(): Promise<BanRecord[]> {
    return ((await askNode(this.#door, 'GET', path)) as { bans: BanRecord[] }).bans;
  }

  async close(): Promise<void> {}
}
