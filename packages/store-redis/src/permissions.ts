/**
 * Permissions that a user of Redis must have for nodes. A table: docs/security.md quotes the lines made of it, and a
 * test compares it with the commands that the contracts of store and leases send.
 */
import type { Redis } from 'ioredis';
import { Keys } from './keys.ts';
import type { Settings } from './options.ts';
import { scripts } from './scripts.ts';

/** Commands without a key: connecting, checking the server, calling scripts. */
export const serverCommands: readonly string[] = ['ping', 'info', 'client|setname', 'script|load', 'evalsha'];
/** … and in a Redis Cluster. */
export const clusterCommands: readonly string[] = ['cluster|slots', 'cluster|info'];
/** Commands on keys with the prefix of the cluster, direct or within scripts. */
export const dataCommands: readonly string[] = [
  ...['del', 'unlink', 'rename', 'exists', 'pexpire', 'get', 'set', 'incr'],
  ...['hdel', 'hexists', 'hget', 'hgetall', 'hincrby', 'hkeys', 'hlen', 'hmget', 'hscan', 'hset'],
  ...['sadd', 'srem', 'xadd', 'xrange', 'xtrim'],
  ...['zadd', 'zrange', 'zrangebylex', 'zrangebyscore', 'zrem', 'zremrangebylex', 'zscan', 'zscore'],
];
const durabilityCommands = { memory: [], replicated: ['wait'], fsync: ['waitaof'] } as const;

/** Line for an administrator of Redis to paste. */
export function aclLine(prefix: string, kind: 'server' | 'cluster', durability: Settings['durability']): string {
  const all = [
    ...serverCommands,
    ...(kind === 'cluster' ? clusterCommands : []),
    ...durabilityCommands[durability],
    ...dataCommands,
  ];
  return `ACL SETUSER dunlin reset on >PASSWORD ~${prefix}:* ${all.map((command) => `+${command}`).join(' ')}`;
}

/** The same for Sentinel, where it requires a user. */
export const sentinelAclLine =
  'ACL SETUSER dunlin reset on >PASSWORD resetchannels &+switch-master +client|setname +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe';

/** Permissions that the user of the connection lacks, as text; null: none. The scripts must be loaded. */
export async function missingPermissions(redis: Redis, { prefix, durability }: Settings): Promise<string | null> {
  const { s, l, r, d, b, ...keys } = new Keys(prefix);
  const samples = [
    ...[s, l, r, d, b].map(([{ start }]) => `${start}permissions`),
    `${prefix}:{lease:permissions}:live`,
  ];
  const commands = [...dataCommands, ...durabilityCommands[durability]];
  const args = [String(samples.length), ...samples, ...commands];
  const reply = (await redis.call('EVALSHA', scripts.permissions.sha, '0', ...args)) as (number | string)[];
  if (reply.length === 0) return null;
  const refused = new Set<string>();
  for (let i = 1; i < reply.length; i += 2) refused.add(String(reply[i]));
  return refused.size === commands.length
    ? `use the keys ${keys.prefix}:*`
    : `run ${commands.filter((command) => refused.has(command)).join(', ')} on the keys ${prefix}:*`;
}
