/**
 * One read of every shard, in one call to each server. A leader does it each second, and a command for each of 32
 * shards was most of its work while nothing happened.
 */
import type { Shard } from './keys.ts';
import { scripts } from './scripts.ts';
import { parseTime, timeText } from './session-fields.ts';
import { type Reply, SingleCall, type Turn } from './turn.ts';

/** Reply of a shard. */
export interface ShardReply {
  readonly shard: Shard;
  readonly reply: Reply;
}

/**
 * Runs a reading command on the key of one name in each of these shards. Only shards that have something reply: no
 * empty list, 0, null, or scan that is at its end without a result. `touched`: as for `Turn.single`.
 */
export async function everyShard(
  turn: Turn,
  shards: readonly Shard[],
  command: string,
  name: string,
  args: readonly string[],
  touched: string | null,
): Promise<ShardReply[]> {
  const replies: ShardReply[] = [];
  await Promise.all(
    Array.from(groupsOf(turn, shards), async (group) => {
      const keys = group.map((shard) => shard.start + name);
      const call = [scripts.everyShard.sha, String(keys.length), ...keys, command, ...args];
      const single = turn.single(new SingleCall(group[0].slot, false, 'EVALSHA', call), touched);
      const found = (await single.reply) as Reply[];
      for (let i = 0; i < found.length; i += 2)
        replies.push({ shard: group[(found[i] as number) - 1], reply: found[i + 1] });
    }),
  );
  return replies;
}

/**
 * Arguments of ZRANGEBYSCORE: the first of each shard up to this time, with the time. Shards with nothing up to then do
 * not reply.
 */
export function firstUntil(until: number): string[] {
  return ['-inf', timeText(until), 'WITHSCORES', 'LIMIT', '0', '1'];
}

/** The earliest of all; Infinity: there is none. */
export function firstTime(found: readonly ShardReply[]): number {
  return Math.min(...found.map(({ reply }) => parseTime((reply as Buffer[])[1].toString())));
}

/** The shards that one script call may touch together. */
export function groupsOf(turn: Turn, shards: readonly Shard[]): Iterable<Shard[]> {
  const groups = new Map<number, Shard[]>();
  for (const shard of shards) {
    const group = turn.group(shard);
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [shard]);
    else known.push(shard);
  }
  return groups.values();
}
