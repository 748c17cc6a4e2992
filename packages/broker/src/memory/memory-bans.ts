import { type Ban, type BanChanges, type BanPlace, type BanStore, type BanTarget, banKey } from '../ports/ban-store.ts';
import type { MemoryClaims } from './memory-claims.ts';

/** Bans of the memory store. */
export class MemoryBans implements BanStore {
  private readonly claims: MemoryClaims;
  /** In the order of their changes: a ban that is replaced goes to the end. */
  private readonly bans = new Map<string, { ban: Ban; change: number }>();
  private removals = 0;
  private lastChange = 0;

  constructor(claims: MemoryClaims) {
    this.claims = claims;
  }

  async put(ban: Ban): Promise<void> {
    this.claims.check();
    const key = banKey(ban);
    this.bans.delete(key);
    this.bans.set(key, { ban: { ...ban }, change: ++this.lastChange });
  }

  async remove(target: BanTarget): Promise<boolean> {
    this.claims.check();
    const existed = this.bans.delete(banKey(target));
    if (existed) this.removals++;
    return existed;
  }

  async changes(after: BanPlace | null, limit: number): Promise<BanChanges> {
    this.claims.check();
    const { removals, lastChange } = this;
    const isWhole = after === null || after.removals !== removals || after.changes > lastChange;
    const from = isWhole ? 0 : after.changes;
    if (from === lastChange) return { bans: [], isWhole, place: { removals, changes: lastChange }, hasMore: false };
    const found = [...this.bans.values()].filter(({ change }) => change > from);
    const page = found.slice(0, limit);
    const hasMore = found.length > page.length;
    const changes = hasMore ? page[page.length - 1].change : lastChange;
    return { bans: page.map(({ ban }) => ban), isWhole, place: { removals, changes }, hasMore };
  }

  async expire(now: number, limit: number): Promise<number> {
    this.claims.check();
    const ended = [...this.bans].filter(([, { ban }]) => ban.endsAt <= now).slice(0, limit);
    for (const [key] of ended) this.bans.delete(key);
    return ended.length;
  }
}
