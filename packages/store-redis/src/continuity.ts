/**
 * Continuity of Redis: whether it still has what it had confirmed when a connection to it is made again; and that it
 * never gives a number of a log twice, whatever it has lost.
 *
 * Redis comes back with less than it had after a failover to a replica that lagged, a restart without a file that is written at once, from a backup, or empty. Nobody
 * else can tell: what was lost is missing where nothing need be missed, and other processes may have written more since.
 *
 * **Marks.** Behind the writes of each turn goes one more, a number of this process that grows. Redis loses its latest writes or none: when it has the mark that it
 * confirmed last, it has everything that this process was told is safe; when not, it has gone back, and the sessions of this process with it.
 *
 * **Eras.** A log that went back would give the numbers that were lost again, to other messages; whoever remembers them as served would pass those over. So the numbers
 * of a log are an era and a count, and with each run of the server (`run_id` of INFO: another one after each restart and at each replica) an era begins, as soon as
 * anybody connects to it. The count goes on, so differences of numbers, modulo `numbersPerEra`, still count messages.
 */
import { numbersPerEra } from '@dunlin/broker';
import type { Redis } from 'ioredis';
import type { Keys, Shard } from './keys.ts';
import { isMoved } from './reply-error.ts';
import { scripts } from './scripts.ts';

/** Eras are numbered by the clock as well: an old copy of Redis, and nobody who remembers, must not lead to the numbers of an era that was. */
const eraMilliseconds = 300_000;
const erasSince = Date.UTC(2026, 0, 1);
/** A mark is kept so long after the last write of its process. */
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
  /** Runs by the index of the log's shard. */
  private readonly known: Known[];
  /** Named anew in each process: nobody else writes its marks. */
  private readonly id: string;
  private readonly keys: Keys;
  private readonly home: Shard;
  private lastMark = 0;
  /** Last mark that Redis confirmed, by slot. */
  private readonly confirmed = new Map<number, number>();
  private readonly wentBack: (what: string) => void;

  /** `wentBack`: called before anything else is sent to a server that has less than it had confirmed. */
  constructor(keys: Keys, hasSlots: boolean, id: string, wentBack: (what: string) => void) {
    this.keys = keys;
    this.home = keys.l[0];
    this.shards = hasSlots ? keys.l : [this.home];
    this.hasSlots = hasSlots;
    this.id = id;
    this.wentBack = wentBack;
    this.known = keys.l.map(() => ({ run: '', era: 0 }));
  }

  /** The first number of the era in which this log's shard is. */
  eraOf({ index }: Shard): number {
    return this.known[this.hasSlots ? index : 0].era;
  }

  /** Returns the mark to be sent behind writes to keys of this slot. */
  nextMark(slot: number): Mark {
    const at = this.hasSlots ? slot : this.home.slot;
    const number = ++this.lastMark;
    return { slot: at, number, args: [this.markKey(at), String(number), 'PX', String(markMilliseconds)] };
  }

  /** Records a mark that is as safe as configured, and with it what was written before it. */
  markConfirmed({ slot, number }: Mark): void {
    if (number > (this.confirmed.get(slot) ?? 0)) this.confirmed.set(slot, number);
  }

  private markKey(slot: number): string {
    return `${this.keys.startAt(slot)}mark:${this.id}`;
  }

  /**
   * Looks at a server that was just connected to, and is not used yet; `run`: its `run_id`. Its scripts are loaded. Rejects when it could not be looked at. What was found
   * missing by then is told all the same: the next look would not find it, since the server's era has begun.
   */
  async check(redis: Redis, run: string): Promise<void> {
    const gone: number[] = [];
    const looks = await Promise.allSettled([
      ...Array.from(this.confirmed, ([slot, number]) => this.lostMark(redis, slot, number, gone)),
      ...this.shards.map((shard) => this.enter(redis, shard, run)),
    ]);
    // Gone once, and not missed again; what other servers of a Cluster confirmed stays.
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

  /** `gone`: takes the slot if its mark is missing. */
  private async lostMark(redis: Redis, slot: number, number: number, gone: number[]): Promise<string | null> {
    const found = await orElsewhere(redis.get(this.markKey(slot)));
    if (found === elsewhere || Number(found ?? 0) >= number) return null;
    gone.push(slot);
    return `its last mark of this process is ${found ?? 'missing'}, confirmed was ${number}`;
  }

  /** Begins the era of a run, or returns where it began. */
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
