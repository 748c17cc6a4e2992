import type { BanStore } from '@dunlin/broker/ports';
import { type BanRecord, readBan, readTarget, recordOf } from './ban-record.ts';
import { ControlError } from './control-socket.ts';

/** The bans of a store, as commands work with them. */
export class BanBook {
  readonly #bans: BanStore;

  constructor(bans: BanStore) {
    this.#bans = bans;
  }

  /** Adds a ban, or replaces the one with the same names. Rejects with ControlError. */
  async add(given: Partial<BanRecord>): Promise<BanRecord> {
    const ban = readBan(given, Date.now());
    if (typeof ban === 'string') throw new ControlError('control-refused', ban);
    await this.#bans.put(ban);
    return recordOf(ban);
  }

  /** False: there is no such ban. Rejects with ControlError. */
  async remove(given: Partial<BanRecord>): Promise<boolean> {
    const target = readTarget(given);
    if (typeof target === 'string') throw new ControlError('control-refused', target);
    return this.#bans.remove(target);
  }

  /** The bans that hold, in the order in which they were put. */
  async list(): Promise<BanRecord[]> {
    const now = Date.now();
    let found: BanRecord[] = [];
    let page = await this.#bans.changes(null, pageBans);
    for (;;) {
      if (page.isWhole) found = [];
      for (const ban of page.bans) if (ban.endsAt > now) found.push(recordOf(ban));
      if (!page.hasMore) return found;
      page = await this.#bans.changes(page.place, pageBans);
    }
  }
}

/** Bans of one answer of the store. */
const pageBans = 1000;
