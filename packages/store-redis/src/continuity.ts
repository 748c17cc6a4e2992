/**
 * Continuity of Redis: whether it still has everything that it had confirmed, when a connection to it is made again;
 * and eras, so that no number of a log is used twice, whatever Redis has lost.
 *
 * Redis comes back with less than it had after a failover to a replica that lagged, a restart without a file that is
 * written at once, a restore from a backup, or empty. No other check finds that: other processes may have written more
 * since.
 *
 * **Marks.** After the writes of each turn follows one more, a number of this process that grows. Redis loses its
 * latest writes or none: if it has the mark that it confirmed last, it has everything that this process was told is
 * safe; if not, it has gone back, and the sessions of this process with it.
 *
 * **Eras.** A log that went back would give the lost numbers again, to other messages, and readers that remember them
 * as served would skip those. So the numbers of a log are an era and a count. With each run of the server (`run_id` of
 * INFO: a new one after each restart and at each replica) an era begins, at the first connection to it. The count
 * continues, so differences of numbers, modulo `numbersPerEra`, still count messages.
 */
import { numbersPerEra } from '@dunlin/broker/ports';
import type { Redis } from 'ioredis';
import type { Keys, Shard } from './keys.ts';
import { isMoved } from './reply-error.ts';
import { scripts } from './scripts.ts';

/**
 * Lower bound of eras by the clock: an old copy of Redis, and no process that remembers, must not lead to the numbers
 * of an earlier era.
 */
const eraMilliseconds = 300_000;
const erasSince = Date.UTC(2026, 0, 1);
/** Time for which a mark is kept after the last write of its process. */
const markMilliseconds = 30 * 24 * 3600 * 1000;

interface Known {
  run: string;
  era: number;
}

/** A mark that is to be written. */
export interface Mark {
  readonly slot: number;
  readonly number: number;
  readonly args: string[];
}

export class Continuity {
  private readonly shards: readonly Shard[];
  private readonly hasSlots: boolean;
  /** Known runs by the index of the shard of logs. */
  private readonly known: Known[];
  /** Name of the marks of this process, which no other process uses. */
  private readonly id: string;
  private readonly keys: Keys;
  private readonly home: Shard;
  private lastMark = 0;
  /** Last mark that Redis confirmed, by slot. */
  private readonly confirmed = new Map<number, number>();
  private readonly wentBack: (what: string) => void;

  /** `wentBack` is called before anything else is sent to a server that has less than it had confirmed. */
  constructor(keys: Keys, hasSlots: boolean, id: string, wentBack: (what: string) => void) {
    this.keys = keys;
    this.home = keys.l[0];
    this.shards = hasSlots ? keys.l : [this.home];
    this.hasSlots = hasSlots;
    this.id = id;
    this.wentBack = wentBack;
    this.known = keys.l.map(() => ({ run: '', era: 0 }));
  }

  /** The first number of the current era of this shard of logs. */
  eraOf({ index }: Shard): number {
    return this.known[this.hasSlots ? index : 0].era;
  }

  /** Returns the mark to be sent after writes to keys of this slot. */
  nextMark(slot: number): Mark {
    const at = this.hasSlots ? slot : this.home.slot;
    const number = ++this.lastMark;
    return { slot: at, number, args: [this.markKey(at), String(number), 'PX', String(markMilliseconds)] };
  }

  /** Records a mark that is as safe as configured, and with it everything written before it. */
  markConfirmed({ slot, number }: Mark): void {
    if (number > (this.confirmed.get(slot) ?? 0)) this.confirmed.set(slot, number);
  }

  private markKey(slot: number): string {
    return `${this.keys.startAt(slot)}mark:${this.id}`;
  }

  /**
   * Checks a server that was just connected to, before it is used; `run`: its `run_id`. Its scripts are loaded. Rejects
   * when it cannot be checked. What was found missing by then is reported all the same: the next check would not find
   * it, since the era of the server has begun.
   */
  async check(redis: Redis, run: string): Promise<void> {
    const gone: number[] = [];
    const looks = await Promise.allSettled([
      ...Array.from(this.confirmed, ([slot, number]) => this.lostMark(redis, slot, number, gone)),
      ...this.shards.map((shard) => this.enter(redis, shard, run)),
    ]);
    // Lost, and not missed again; what other servers of a Cluster confirmed stays.
    for (const slot of gone) this.confirmed.delete(slot);
    let lost: string | null = null;
    let failure: PromiseRejectedResult | null = null;
    for (const look of looks) {
      if (look.status === 'rejected') failure ??= look;
      else lost ??= look.value;
    }
    if (lost !== null) this.wentBack(lost);
    if (failure !== null) throw failure.reason;
  }

  /** `gone`: gets the slot if its mark is missing. */
  private async lostMark(redis: Redis, slot: number, number: number, gone: number[]): Promise<string | null> {
    const found = await orElsewhere(redis.get(this.markKey(slot)));
    if (found === elsewhere || Number(found ?? 0) >= number) return null;
    gone.push(slot);
    return `its last mark of this process is ${found ?? 'missing'}, confirmed was ${number}`;
  }

  /** Begins the era of a run, or returns the first number of the era that had begun. */
  private async enter(redis: Redis, shard: Shard, run: string): Promise<string | null> {
    const known = this.known[shard.index];
    const least = Math.floor((Date.now() - erasSince) / eraMilliseconds) * numbersPerEra;
    const args = [`${shard.start}era`, run, String(Math.max(least, 0)), known.run, String(known.era)];
    const reply = await orElsewhere(redis.evalsha(scripts.era.sha, 1, ...args));
    if (reply === elsewhere) return null;
    const [era, stored] = reply as [number, number];
    this.known[shard.index] = { run, era };
    if (known.run === '' || stored >= known.era) return null;
    return stored < 0 ? 'it is empty' : 'it is older than its last start';
  }
}

const elsewhere = Symbol('served by another server of the Cluster');

async function orElsewhere<T>(reply: Promise<T>): Promise<T | typeof elsewhere> {
  try {
    return await reply;
  } catch (error) {
    if (isMoved(error as Error)) return elsewhere;
    throw error;
  }
}
