/**
 * The same look at every shard, in one call to each server: a leader does it each second, and a command for each of 32 shards was most of what it did while
 * nothing happened.
 */
import type { Shard } from './keys.ts';
import { scripts } from './scripts.ts';
import { type Reply, SingleCall, type Turn } from './turn.ts';

/** A command that reads, on one key of each of these shards, by one name. The replies are in the order of the shards. `touched`: as for `Turn.single`. */
export async function everyShard(
  turn: Turn,
  shards: readonly Shard[],
  command: string,
  name: string,
  args: readonly string[],
  touched: string | null,
): Promise<Reply[]> {
  const replies: Reply[] = [];
  await Promise.all(
    Array.from(groupsOf(turn, shards), async (group) => {
      const keys = group.map((shard) => shard.start + name);
      const call = [scripts.everyShard.sha, String(keys.length), ...keys, command, ...args];
      const reply = await turn.single(new SingleCall(group[0].slot, false, 'EVALSHA', call), touched).reply;
      for (const [i, shard] of group.entries()) replies[shard.index] = (reply as Reply[])[i];
    }),
  );
  return replies;
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
