import { randomUUID } from 'node:crypto';
import { everyShard, firstTime, firstUntil } from './every-shard.ts';
import type { Keys } from './keys.ts';
import { scripts } from './scripts.ts';
import { parseTime, timeText } from './session-fields.ts';
import type { Turn } from './turn.ts';
import { bufferOf, handedOutMilliseconds } from './wills.ts';

const delayedTouched = 'delayed';

/** Delayed publishes, each in the shard that its identifier gives. */
export class Delayed {
  private readonly turn: Turn;
  private readonly keys: Keys;

  constructor(turn: Turn, keys: Keys) {
    this.turn = turn;
    this.keys = keys;
  }

  async add(record: Uint8Array, dueAt: number): Promise<void> {
    const id = randomUUID();
    const args = [id, timeText(dueAt), bufferOf(record)];
    await this.turn.change(scripts.delayedAdd, this.keys.shardOf('d', id), delayedTouched, [], args, null);
  }

  async nextDue(until: number): Promise<number> {
    const { turn, keys } = this;
    return firstTime(await everyShard(turn, keys.d, 'ZRANGEBYSCORE', 'due', firstUntil(until), delayedTouched));
  }

  async takeDue(now: number, limit: number, sent: () => void): Promise<{ id: string; record: Uint8Array }[]> {
    const range = ['-inf', timeText(now), 'WITHSCORES', 'LIMIT', '0', String(limit)];
    const { turn, keys } = this;
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
    // All of one call have the same times: nothing else is taken in this turn.
    this.turn.close();
    const taking = Promise.all(
      due.slice(0, limit).map(async ({ id }) => {
        const shard = this.keys.shardOf('d', id);
        const record = await this.turn.change(scripts.delayedTake, shard, delayedTouched, [], [id], () => times);
        return { id, record: record as Buffer | null };
      }),
    );
    sent();
    this.turn.close();
    return (await taking).filter((each): each is { id: string; record: Buffer } => each.record !== null);
  }

  async remove(id: string): Promise<void> {
    await this.turn.change(scripts.delayedRemove, this.keys.shardOf('d', id), delayedTouched, [], [id], null);
  }
}
