/**
 * Bans as a worker knows them: the one place where it is asked whether a client is banned. They are read from the store
 * at the start, before connections are accepted, and then whatever is new twice a second: so a ban is known to every
 * worker of every node within a second, whoever wrote it, and no message between nodes can be lost. While the store is
 * away the bans that were read last hold.
 */
import type { Ban, BanPlace, BanStore } from '../ports/ban-store.ts';
import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import { StoreError } from '../ports/store-error.ts';
import { type BannableClient, BanTable } from './ban-table.ts';
import { madeByRule } from './sign-in-guard.ts';

const readMilliseconds = 500;
const forgetMilliseconds = 60_000;
/** Bans up to which rules add more: an attack from very many addresses must not fill the store. */
const madeHereMax = 100_000;
/** Time that the store has for a ban that a rule has made. */
const underWayMilliseconds = 10_000;
/** Bans of one answer of the store. */
const pageBans = 1000;

export interface BanListParts {
  store: BanStore;
  clock: Clock;
  logger: Logger;
  /** Called with bans that were not known before: clients that they hit are to be disconnected. */
  banned: (bans: BanTable) => void;
  /** Called with what commands have changed in the store since the last read. */
  changed?: (added: readonly Ban[], removed: readonly Ban[]) => void;
}

export class BanList {
  private readonly parts: BanListParts;
  private table = new BanTable();
  /** Null: all are to be read. */
  private place: BanPlace | null = null;
  /** True: the store may have changed under what is being read, which is read again. */
  private isStale = false;
  private isReading = false;
  private hasRead = false;
  private hasFailed = false;
  private readonly stops: (() => void)[] = [];

  constructor(parts: BanListParts) {
    this.parts = parts;
  }

  get size(): number {
    return this.table.size;
  }

  /** The ban that a client is under; null: none. */
  of(client: BannableClient): Ban | null {
    return this.table.size === 0 ? null : this.table.of(client, this.parts.clock.now());
  }

  /** The ban of an address whoever uses it, to be asked before anything is done for a connection; null: none. */
  ofAddress(remoteAddress: string): Ban | null {
    return this.table.size === 0 ? null : this.table.ofAddress(remoteAddress, this.parts.clock.now());
  }

  /**
   * Adds a ban that this worker has made; others know it within a second. False: there are so many that it is left out,
   * or it holds already.
   */
  add(ban: Ban): boolean {
    const { store, clock, logger } = this.parts;
    if (this.table.size >= madeHereMax || this.table.has(ban, clock.now())) return false;
    this.table.put(ban);
    store.put(ban).catch((error: unknown) => logger.warn(events['bans.write-failed'], { error }));
    return true;
  }

  /** Begins to read what is new. */
  start(): void {
    const { clock } = this.parts;
    this.stops.push(clock.every(readMilliseconds, () => void this.readAgain()));
    this.stops.push(clock.every(forgetMilliseconds, () => this.table.forgetEnded(clock.now())));
  }

  stop(): void {
    for (const stop of this.stops.splice(0)) stop();
  }

  /** The store may be another one now: everything is read again. */
  storeReturned(): void {
    this.place = null;
    this.isStale = true;
  }

  /** Reads what is new. Rejects with StoreError. */
  async read(): Promise<void> {
    const fresh = new BanTable();
    const added: Ban[] = [];
    const before = this.table;
    this.isStale = false;
    let { place, table } = this;
    for (let hasMore = true; hasMore; ) {
      const page = await this.parts.store.changes(place, pageBans);
      if (page.isWhole) table = new BanTable();
      for (const ban of page.bans) {
        const isKnown = before.holds(ban);
        table.put(ban);
        // A rule means those that have not shown who they are: it ends no connection, and there may be many.
        if (ban.by === madeByRule) continue;
        fresh.put(ban);
        if (!isKnown) added.push(ban);
      }
      ({ place, hasMore } = page);
    }
    this.table = table;
    this.place = this.isStale ? null : place;
    if (fresh.size > 0) this.parts.banned(fresh);
    // What is there at the start is nothing new.
    if (this.hasRead) this.tellChanges(added, table === before ? [] : this.removedFrom(before, table));
    this.hasRead = true;
  }

  /** Bans that hold and are not there any more; those that a rule has just made may not have reached the store yet. */
  private removedFrom(before: BanTable, table: BanTable): Ban[] {
    const now = this.parts.clock.now();
    const isUnderWay = ({ by, createdAt }: Ban): boolean => by === madeByRule && now - createdAt < underWayMilliseconds;
    return before.missingFrom(table, now).filter((ban) => !isUnderWay(ban));
  }

  private tellChanges(added: readonly Ban[], removed: readonly Ban[]): void {
    if (added.length + removed.length > 0) this.parts.changed?.(added, removed);
  }

  private async readAgain(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    try {
      await this.read();
      this.hasFailed = false;
    } catch (error) {
      const isStopped = this.stops.length === 0 && error instanceof StoreError && error.code === 'closed';
      if (!this.hasFailed && !isStopped) this.parts.logger.warn(events['bans.read-failed'], { error });
      this.hasFailed = true;
    } finally {
      this.isReading = false;
    }
  }
}

/** The ban in words, for the client: when it ends, and the reason that was given. */
export function tellBan({ endsAt, reason }: Ban): string {
  const end = endsAt === Number.POSITIVE_INFINITY ? '' : ` until ${new Date(endsAt).toISOString()}`;
  return `banned${end}${reason === '' ? '' : `: ${reason}`}`;
}

/** The same for the log, which also says what is banned, and who did it. */
export function describeBan(ban: Ban): string {
  const named = [
    ban.clientId === null ? '' : `client identifier ${JSON.stringify(ban.clientId)}`,
    ban.userName === null ? '' : `user ${JSON.stringify(ban.userName)}`,
    ban.address === null ? '' : `address ${ban.address}`,
  ].filter((text) => text !== '');
  return `${tellBan(ban)} (${named.join(', ')}; by ${ban.by})`;
}
