import type { Keys } from './keys.ts';
import { scripts } from './scripts.ts';
import { SingleCall, type Turn } from './turn.ts';

/** Fields of a shard that one look walks through: about a millisecond of Redis. */
const fieldsMax = 1000;

/**
 * Owners of sessions and their counts, which each script keeps in one step. A release without owners has sessions end
 * whose owners and counts stay: they are found on a walk over all of them, a part of one shard each time, and counted
 * again.
 */
export class SessionUsers {
  private readonly turn: Turn;
  private readonly keys: Keys;
  /** Places where the walks of the shards go on. */
  private readonly places: string[];
  private next = 0;

  constructor(turn: Turn, keys: Keys) {
    this.turn = turn;
    this.keys = keys;
    this.places = keys.s.map(() => '0');
  }

  async heal(): Promise<void> {
    const at = this.next;
    this.next = (at + 1) % this.places.length;
    const { slot, start } = this.keys.s[at];
    const args = [`${start}counters`, this.places[at], String(fieldsMax), `${start}session:`];
    const call = new SingleCall(slot, false, 'EVALSHA', [scripts.usersHeal.sha, '1', ...args]);
    // A Redis that refuses writes says so to those that wait for them.
    const place = await this.turn.single(call, 'counters').reply.catch(() => '0');
    this.places[at] = String(place);
  }
}
