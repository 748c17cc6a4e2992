/** Bans as JSON, as commands give and get them. Times are texts of ISO 8601; what is null was not given. */
import { canonicalRange } from '@dunlin/broker/guards';
import type { Ban, BanTarget } from '@dunlin/broker/ports';

export interface BanRecord {
  clientId: string | null;
  userName: string | null;
  address: string | null;
  reason: string;
  by: string;
  createdAt: string;
  /** Null: never. */
  endsAt: string | null;
}

/** Longest text of a ban: each is as long as MQTT allows at most. */
const textCharactersMax = 65_535;

export function recordOf({ createdAt, endsAt, ...rest }: Ban): BanRecord {
  return {
    ...rest,
    createdAt: new Date(createdAt).toISOString(),
    endsAt: endsAt === Number.POSITIVE_INFINITY ? null : new Date(endsAt).toISOString(),
  };
}

/** The names of a ban, with the range as it is stored; a text: what is wrong with them. */
export function readTarget(given: Partial<BanRecord>): BanTarget | string {
  const { clientId = null, userName = null, address = null } = given;
  for (const [name, value] of Object.entries({ clientId, userName, address })) {
    if (value !== null && (typeof value !== 'string' || value.length > textCharactersMax))
      return `${name}: given ${JSON.stringify(value).slice(0, 100)}, allowed: a text of at most ${textCharactersMax} characters`;
  }
  if (clientId === null && userName === null && address === null)
    return 'given no name, allowed: a client identifier, a user name, an address or range, or several of them';
  if (clientId === '') return 'clientId: given an empty text, allowed: a client identifier';
  if (address === null) return { clientId, userName, address };
  const range = canonicalRange(address);
  if (range === null)
    return `address: given "${address}", allowed: an address or a range, such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/64`;
  return { clientId, userName, address: range };
}

/** A new ban; a text: what is wrong with it. */
export function readBan(given: Partial<BanRecord>, now: number): Ban | string {
  const target = readTarget(given);
  if (typeof target === 'string') return target;
  const { reason = '', by = '', endsAt = null } = given;
  for (const [name, value] of Object.entries({ reason, by })) {
    if (typeof value !== 'string' || value.length > 1000)
      return `${name}: given ${JSON.stringify(value).slice(0, 100)}, allowed: a text of at most 1000 characters`;
  }
  const end = endsAt === null ? Number.POSITIVE_INFINITY : Date.parse(endsAt);
  if (Number.isNaN(end) || end <= now)
    return `endsAt: given ${JSON.stringify(endsAt)}, allowed: a time in the future, such as 2030-01-31T12:00:00Z`;
  return { ...target, reason, by, createdAt: now, endsAt: end };
}
