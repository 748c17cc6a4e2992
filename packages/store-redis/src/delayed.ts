import { randomUUID } from 'node:crypto';
import type { Charge, DelayedMessage, DelayedStore } from '@dunlin/broker';
import { everyShard, firstTime, firstUntil } from './every-shard.ts';
import type { Opened } from './opened.ts';
import { scripts } from './scripts.ts';
import { parseTime, timeText } from './session-fields.ts';
import type { StoreHandle } from './store-handle.ts';
import { delayedTouched } from './usage-book.ts';
import { bufferOf, handedOutMilliseconds } from './wills.ts';

/** Touches of every call, for its order. */
const touches = ['d'];

/** An identifier is a UUID, and behind it the user whose quota the message counts against. */
const uuidLength = 36;

function userOf(id: string): string {
  return id.slice(uuidLength);
}

/** Delayed publishes, each in the shard that its identifier gives. */
export class Delayed implements DelayedStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async add(record: Uint8Array, dueAt: number, charge?: Charge): Promise<void> {
    const { turn, keys, delayedUsage } = this.handle.use();
    const id = randomUUID() + (charge?.user ?? '');
    const args = [id, timeText(dueAt), bufferOf(record)];
    await delayedUsage.write(touches, charge, record.length, (usage) =>
      turn.change(scripts.delayedAdd, keys.shardOf('d', id), delayedTouched, [], [...args, ...usage], null),
    );
  }

  async nextDue(until: number): Promise<number> {
    const { order, turn, keys, delayedUsage } = this.handle.use();
    const range = firstUntil(until);
    await delayedUsage.recount(['delayed', 'usage', 'users'], 0, uuidLength);
    return firstTime(
      await order.single(null, () => everyShard(turn, keys.d, 'ZRANGEBYSCORE', 'due', range, delayedTouched)),
    );
  }

  async takeDue(now: number, limit: number): Promise<DelayedMessage[]> {
    const opened = this.handle.use();
    return opened.order.multiple(touches, (sent) => takeDue(opened, now, limit, sent));
  }

  async remove(id: string): Promise<void> {
    const { turn, keys, delayedUsage } = this.handle.use();
    await delayedUsage.write(touches, undefined, 0, () =>
      turn.change(scripts.delayedRemove, keys.shardOf('d', id), delayedTouched, [], [id, userOf(id)], null),
    );
  }
}

async function takeDue(
  { turn, keys }: Opened,
  now: number,
  limit: number,
  sent: () => void,
): Promise<DelayedMessage[]> {
  const range = ['-inf', timeText(now), 'WITHSCORES', 'LIMIT', '0', String(limit)];
  const found = await everyShard(turn, keys.d, 'ZRANGEBYSCORE', 'due', range, delayedTouched);
  const due: { id: string; at: number }[] = [];
  for (const { reply } of found) {
    const members = reply as Buffer[];
    for (let i = 0; i < members.length; i += 2) {
      due.push({ id: members[i].toString(), at: parseTime(members[i + 1].toString()) });
    }
  }
  due.sort((a, b) => a.at - b.at);
  const times = [timeText(now), timeText(now + handedOutMilliseconds)];
  // All requests of one call have the same times: nothing else is taken in this turn.
  turn.close();
  const taking = Promise.all(
    due.slice(0, limit).map(async ({ id }) => {
      const shard = keys.shardOf('d', id);
      const record = await turn.change(scripts.delayedTake, shard, delayedTouched, [], [id], () => times);
      return { id, record: record as Buffer | null, user: userOf(id) };
    }),
  );
  sent();
  turn.close();
  return (await taking).filter((each): each is { id: string; record: Buffer; user: string } => each.record !== null);
}
