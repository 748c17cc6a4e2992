import type { EndpointId, StoredSession } from '@dunlin/broker/ports';
import { groupsOf } from './every-shard.ts';
import type { Shard } from './keys.ts';
import { scripts } from './scripts.ts';
import { readSession } from './session-fields.ts';
import { pagesOf } from './session-pages.ts';
import { SingleCall, type Turn } from './turn.ts';

/** Fields of the session itself (session-fields.ts); those of its parts come in pages. */
const headNames = ['i', 'x', 'a', 'n'];

/** Reads a session, whoever owns it; null: none is stored. */
export async function findSession(
  turn: Turn,
  shard: Shard,
  key: string,
  clientId: string,
): Promise<StoredSession | null> {
  const call = new SingleCall(shard.slot, false, 'HMGET', [key, ...headNames]);
  const head = (await turn.single(call, key).reply) as (Buffer | null)[];
  if (head[0] === null) return null;
  const fields = headNames.flatMap((name, at) => {
    const value = head[at];
    return value === null ? [] : [Buffer.from(name), value];
  });
  return (await readSession(clientId, fields, pagesOf(turn, shard, key))).session;
}

/** Owners that hold a claim or a will. */
export async function ownersOf(turn: Turn, all: readonly Shard[]): Promise<EndpointId[]> {
  const owners = new Set<EndpointId>();
  await Promise.all(
    Array.from(groupsOf(turn, all), async (shards) => {
      const keys = shards.map((shard) => `${shard.start}owned`);
      const args = [scripts.owners.sha, String(keys.length), ...keys];
      const reply = await turn.single(new SingleCall(shards[0].slot, false, 'EVALSHA', args), null).reply;
      for (const owner of reply as Buffer[]) owners.add(owner.toString());
    }),
  );
  return [...owners];
}
