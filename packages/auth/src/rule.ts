/** Rule with the clients and requests that it is for. */
import { type BlockList, isIP } from 'node:net';
import type { ClientIdentity } from '@dunlin/broker';
import type { Names } from './names.ts';
import type { Levels } from './topic-pattern.ts';

export interface Rule {
  readonly allows: boolean;
  readonly publish: boolean;
  readonly subscribe: boolean;
  /** True for a rule about connecting, and about nothing else. */
  readonly connect: boolean;
  readonly topics: readonly Levels[];
  /** Null: any client. */
  readonly user: Names | null;
  readonly client: Names | null;
  readonly address: BlockList | null;
  /** Shared groups, by name; null: any, and subscriptions without a group as well. */
  readonly groups: Names | null;
  /** True when the rule is also for clients without a proved name. A rule that denies is for all of them anyway. */
  readonly anonymous: boolean;
  /** Bits 0 to 2; 7: any. */
  readonly qosBits: number;
  /** Null: with RETAIN and without. */
  readonly retain: boolean | null;
  /** Topics are filters to the letter: a subscription to exactly this filter, or a publish to exactly this topic. */
  readonly isExact?: boolean;
}

/** True when the rule is for the client. */
export function isFor(rule: Rule, { clientId, userName, remoteAddress }: ClientIdentity): boolean {
  if (rule.user !== null) {
    if (userName === null || !rule.user.test(userName)) return false;
  } else if (userName === null && rule.allows && !rule.anonymous) {
    return false;
  }
  if (rule.client !== null && !rule.client.test(clientId, userName)) return false;
  return rule.address === null || contains(rule.address, addressOf(remoteAddress));
}

function contains(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** `203.0.113.7:51034` and `[::1]:51034` without their ports; an IPv4 address in IPv6 clothes as itself. */
export function addressOf(remoteAddress: string): string {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(remoteAddress)?.[1] ?? remoteAddress.replace(/:\d+$/, '');
  return bare.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
