import type { Logger } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import { BanBook } from './admin/ban-book.ts';
import type { BanRecord } from './admin/ban-record.ts';
import { composeStore } from './compose.ts';

/** Bans in Redis, for a command that asks no node. Each method rejects with what cannot be done, in words for people. */
export interface OpenBans {
  add(given: Partial<BanRecord>): Promise<BanRecord>;
  /** False: there is no such ban. */
  remove(given: Partial<BanRecord>): Promise<boolean>;
  list(): Promise<BanRecord[]>;
  close(): Promise<void>;
}

/** Writes them as nodes do. */
export async function openBans(configuration: Configuration, logger: Logger): Promise<OpenBans> {
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
