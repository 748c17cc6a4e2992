/** Rule with the clients and requests that it is for. */
import { type BlockList, isIP } from 'node:net';
import type { ClientIdentity } from '@dunlin/broker';
import type { Names } from './names.ts';
import { fillIn, hasMarks, type Levels } from './topic-pattern.ts';

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

/** Rule as it is for one client: without the clients it is for, topics filled in. */
export interface ClientRule {
  readonly allows: boolean;
  readonly publish: boolean;
  readonly subscribe: boolean;
  readonly topics: readonly Levels[];
  readonly groups: Names | null;
  readonly qosBits: number;
  readonly retain: boolean | null;
  /** Topics are filters to the letter: a subscription to exactly this filter, or a publish to exactly this topic. */
  readonly isExact?: boolean;
}

/** The rules that apply to a client, in their order. Those without `%c` and `%u` are shared by all clients. */
export function rulesFor(rules: readonly Rule[], client: ClientIdentity): ClientRule[] {
  const address = addressOf(client.remoteAddress);
  const applying: ClientRule[] = [];
  for (const rule of rules) {
    if (rule.connect || !isFor(rule, client, address)) continue;
    if (!rule.topics.some(hasMarks)) {
      applying.push(rule);
      continue;
    }
    const topics = rule.topics
      .map((topic) => fillIn(topic, client.clientId, client.userName, !rule.allows))
      .filter((topic) => topic !== null);
    if (topics.length > 0) applying.push({ ...rule, topics });
  }
  return applying;
}

/** True if the client may connect: the first rule about it that is for the client decides. */
export function mayConnect(rules: readonly Rule[], client: ClientIdentity): boolean {
  if (!rules.some(({ connect }) => connect)) return true;
  const address = addressOf(client.remoteAddress);
  for (const rule of rules) if (rule.connect && isFor(rule, client, address)) return rule.allows;
  return false;
}

function isFor(rule: Rule, { clientId, userName }: ClientIdentity, address: string): boolean {
  if (rule.user !== null) {
    if (userName === null || !rule.user.test(userName)) return false;
  } else if (userName === null && rule.allows && !rule.anonymous) {
    return false;
  }
  if (rule.client !== null && !rule.client.test(clientId, userName)) return false;
  return rule.address === null || contains(rule.address, address);
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
