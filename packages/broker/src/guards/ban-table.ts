import { type Ban, type BanTarget, banKey } from '../ports/ban-store.ts';
import { type AddressWords, hostOf, parseAddress } from './address-range.ts';
import { BansByAddress } from './bans-by-address.ts';

/** Names of a client that a ban may mean. */
export interface BannableClient {
  readonly clientId: string;
  readonly userName: string | null;
  readonly remoteAddress: string;
}

/** Bans, to be looked up by client. A look-up costs the same whatever their number (bans-by-address.ts). */
export class BanTable {
  private readonly all = new Map<string, Ban>();
  /** Bans of addresses alone. */
  private readonly byAddress = new BansByAddress();
  /** Bans of a client identifier, with or without an address; of a user name; of both. */
  private readonly byClient = new Map<string, BansByAddress>();
  private readonly byUser = new Map<string, BansByAddress>();
  private readonly byBoth = new Map<string, BansByAddress>();

  get size(): number {
    return this.all.size;
  }

  put(ban: Ban): void {
    this.all.set(banKey(ban), ban);
    const group = this.groupOf(ban);
    if (group === null) {
      this.byAddress.put(ban);
      return;
    }
    const bans = group.map.get(group.name) ?? new BansByAddress();
    bans.put(ban);
    group.map.set(group.name, bans);
  }

  /** True when a ban of the same names holds. */
  has(target: BanTarget, now: number): boolean {
    return (this.all.get(banKey(target))?.endsAt ?? 0) > now;
  }

  /** True when this very ban is here: not another of the same names. */
  holds(ban: Ban): boolean {
    return this.all.get(banKey(ban))?.createdAt === ban.createdAt;
  }

  /** Bans that hold here and whose names another table does not have. */
  missingFrom(other: BanTable, now: number): Ban[] {
    const missing: Ban[] = [];
    for (const [key, ban] of this.all) if (ban.endsAt > now && !other.all.has(key)) missing.push(ban);
    return missing;
  }

  /** Forgets bans that have ended: they ban nobody already. */
  forgetEnded(now: number): void {
    for (const [key, ban] of this.all) {
      if (ban.endsAt > now) continue;
      this.all.delete(key);
      const group = this.groupOf(ban);
      if (group === null) this.byAddress.remove(ban);
      const bans = group?.map.get(group.name);
      bans?.remove(ban);
      if (group !== null && bans?.isEmpty === true) group.map.delete(group.name);
    }
  }

  /** The ban of an address whoever uses it; null: there is none. */
  ofAddress(remoteAddress: string, now: number): Ban | null {
    return this.byAddress.isEmpty ? null : this.byAddress.find(parseAddress(hostOf(remoteAddress)), now);
  }

  /** The ban that a client is under; null: none. */
  of({ clientId, userName, remoteAddress }: BannableClient, now: number): Ban | null {
    if (this.all.size === 0) return null;
    const address = parseAddress(hostOf(remoteAddress));
    return (
      this.byAddress.find(address, now) ??
      find(this.byClient, clientId, address, now) ??
      (userName === null ? null : find(this.byUser, userName, address, now)) ??
      (userName === null || this.byBoth.size === 0 ? null : find(this.byBoth, bothOf(clientId, userName), address, now))
    );
  }

  private groupOf({ clientId, userName }: BanTarget): { map: Map<string, BansByAddress>; name: string } | null {
    if (clientId !== null && userName !== null) return { map: this.byBoth, name: bothOf(clientId, userName) };
    if (clientId !== null) return { map: this.byClient, name: clientId };
    return userName === null ? null : { map: this.byUser, name: userName };
  }
}

function find(
  map: ReadonlyMap<string, BansByAddress>,
  name: string,
  address: AddressWords | null,
  now: number,
): Ban | null {
  return map.get(name)?.find(address, now) ?? null;
}

/** U+0000 is in no text of MQTT. */
function bothOf(clientId: string, userName: string): string {
  return `${clientId}\0${userName}`;
}
