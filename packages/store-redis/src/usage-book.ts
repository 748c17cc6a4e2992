import { type Charge, type QuotaKind, quotaError, quotaLimits, type Usage } from '@dunlin/broker/ports';
import type { Answer } from './answers.ts';
import { everyShard } from './every-shard.ts';
import type { Shard } from './keys.ts';
import type { Order } from './order.ts';
import { scripts } from './scripts.ts';
import { type Argument, type Reply, SingleCall, type Turn } from './turn.ts';

/** Time for which amounts that were read hold: others may add as much again meanwhile. */
const freshMilliseconds = 1000;
/** Names under which the calls of each kind keep their order in a turn. */
export const retainedTouched = 'retained';
export const delayedTouched = 'delayed';

const recountMilliseconds = 60_000;
/** Users whose amounts are remembered. */
const usersMax = 10_000;
/** Name of all users together, which no user has: MQTT forbids U+0000. */
const everybody = '\0';

/** Fields of a shard that hold the amounts of all and of a user, and what they add up to. */
export interface UsageLayout {
  readonly key: string;
  fields(user: string): string[];
  /** `sums`: of each field over all shards. */
  amounts(user: string, sums: readonly number[]): { all: Usage; own: Usage };
}

/** See usage-parts.lua. */
export const messageLayout: UsageLayout = {
  key: 'usage',
  fields: (user) => ['n', 'b', `n:${user}`, `b:${user}`],
  amounts: (_user, [n, b, count, bytes]) => ({ all: { count: n, bytes: b }, own: { count, bytes } }),
};

/** See session-parts.lua. Sessions that earlier releases have stored have no user. */
export const sessionLayout: UsageLayout = {
  key: 'counters',
  fields: (user) => ['sessions', 'named', `n:${user}`],
  amounts: (user, [sessions, named, own]) => ({
    all: { count: sessions, bytes: 0 },
    own: { count: user === '' ? sessions - named : own, bytes: 0 },
  }),
};

const anyRoom: readonly Argument[] = ['', 'inf', 'inf', 'inf', 'inf'];

/** Amounts of a user, or of all, over all shards. */
class Known {
  readonly stored: Usage = { count: 0, bytes: 0 };
  /** Amounts of writes that are under way, as if none of them replaced anything. */
  readonly underWay: Usage = { count: 0, bytes: 0 };
  /** Time until which `stored` holds, by `performance.now`; changes of this process are added to it. */
  freshUntil = 0;
}

/**
 * Amounts of one kind that are stored, of all users together and of each. Each shard counts its own in the script that
 * writes (usage-parts.lua); this adds the shards up, at most once a second for a user that writes, and tells the script
 * how much more there may be. So quotas hold exactly for one process, and within a second for several.
 */
export class UsageBook {
  private readonly kind: QuotaKind;
  private readonly turn: Turn;
  private readonly order: Order;
  private readonly shards: readonly Shard[];
  private readonly touched: string;
  private readonly layout: UsageLayout;
  private readonly reading = new Map<string, Promise<void>>();
  private recountFrom = 0;
  private readonly known = new Map<string, Known>();

  /** `touched`: name under which writes of this kind keep their order. */
  constructor(
    kind: QuotaKind,
    turn: Turn,
    order: Order,
    shards: readonly Shard[],
    touched: string,
    layout = messageLayout,
  ) {
    this.layout = layout;
    this.kind = kind;
    this.turn = turn;
    this.order = order;
    this.shards = shards;
    this.touched = touched;
  }

  /**
   * Runs a write of this many bytes. `write` gets user and room, as the scripts take them, and gives what `replace` in
   * usage-parts.lua gives. Rejects with `quota-exceeded`.
   */
  async write(
    touches: readonly string[],
    charge: Charge | undefined,
    bytes: number,
    write: (usage: readonly Argument[]) => Promise<Reply>,
  ): Promise<void> {
    if (charge === undefined) {
      this.written('', await this.order.single(touches, () => write(anyRoom)));
      return;
    }
    const charged = (): Promise<Reply> => this.charged(charge, bytes, write);
    const reply = this.isKnown(charge.user)
      ? await this.order.single(touches, charged)
      : await this.order.multiple(touches, async (sent) => {
          if (!this.isKnown(charge.user)) await this.read(charge.user);
          const result = charged();
          sent();
          return result;
        });
    const [missing] = reply as number[];
    if (missing > 0) throw quotaError(this.kind, charge, quotaLimits[missing - 1]);
  }

  /**
   * Counts again, where an earlier release writes to the same Redis or has done so. `names`: keys of records, amounts and
   * users in each shard. `headBytes`: those of a record in front of the message; `nameBytes`: those of its name in front
   * of the user, 0 where users has it. At most once a minute: a million messages take a second of Redis.
   */
  async recount(names: readonly string[], headBytes: number, nameBytes: number): Promise<void> {
    if (performance.now() < this.recountFrom) return;
    this.recountFrom = performance.now() + recountMilliseconds;
    const { turn } = this;
    await Promise.all(
      this.shards.map(({ slot, start }) => {
        const keys = names.map((name) => start + name);
        const args = [scripts.usageRecount.sha, String(keys.length), ...keys, String(headBytes), String(nameBytes)];
        const counted = turn.single(new SingleCall(slot, true, 'EVALSHA', args), this.touched).reply;
        // A Redis that refuses writes says so for those as well; a minute later it is tried again.
        return counted.catch(() => {});
      }),
    );
  }

  /**
   * Runs a claim that may store a session. Most of them store none more, and need not know how many there are: they are
   * asked again, with that, where they do.
   */
  async claim(charge: Charge | undefined, claim: (room: readonly Argument[]) => Promise<Answer>): Promise<Answer> {
    if (charge === undefined) return claim(['inf', 'inf']);
    const { user } = charge;
    const within = ([, all, , own]: readonly Argument[]): Promise<Reply> => claim([all, own]);
    let answer = (await (this.isKnown(user) ? this.charged(charge, 0, within) : claim(['ask', 'ask']))) as Answer;
    if (Number(answer[0]) < 0) {
      await this.readOnce(user);
      answer = (await this.charged(charge, 0, within)) as Answer;
    }
    if (Number(answer[0]) < 0) throw quotaError(this.kind, charge, answer[0] === -2 ? 'countMax' : 'userCountMax');
    return answer;
  }

  /** Reads the amounts, for all who ask meanwhile. */
  private readOnce(user: string): Promise<void> {
    let reading = this.reading.get(user);
    if (reading === undefined) {
      reading = this.read(user).finally(() => this.reading.delete(user));
      this.reading.set(user, reading);
    }
    return reading;
  }

  /** Amounts have changed that were not written through it: they are read again. */
  changed(): void {
    for (const known of this.known.values()) known.freshUntil = 0;
  }

  private async charged(
    { user, quota }: Charge,
    bytes: number,
    write: (usage: readonly Argument[]) => Promise<Reply>,
  ): Promise<Reply> {
    const all = this.of(everybody);
    const own = this.of(user);
    const room = [
      quota.countMax - all.stored.count - all.underWay.count,
      quota.bytesMax - all.stored.bytes - all.underWay.bytes,
      quota.userCountMax - own.stored.count - own.underWay.count,
      quota.userBytesMax - own.stored.bytes - own.underWay.bytes,
    ];
    for (const each of [all, own]) add(each.underWay, 1, bytes);
    try {
      const reply = await write([user, ...room.map(String)]);
      if (this.layout === sessionLayout) this.claimed(user, reply as Answer);
      else this.written(user, reply);
      return reply;
    } finally {
      for (const each of [all, own]) add(each.underWay, -1, -bytes);
    }
  }

  private claimed(user: string, reply: Answer): void {
    if (Number(reply[0]) <= 0) return;
    this.change(everybody, Number(reply[6]), 0);
    this.change(user, Number(reply[7]), 0);
  }

  /** Adds what a script has changed to what is known. */
  private written(user: string, reply: Reply): void {
    const [missing, allCount, allBytes, ownCount, ownBytes, lostCount, lostBytes, userBefore] = reply as number[];
    if (missing > 0) return;
    this.change(everybody, allCount, allBytes);
    this.change(user, ownCount, ownBytes);
    this.change(String(userBefore), lostCount, lostBytes);
  }

  private change(user: string, count: number, bytes: number): void {
    const known = this.known.get(user);
    if (known !== undefined) add(known.stored, count, bytes);
  }

  private isKnown(user: string): boolean {
    return this.isFresh(everybody) && this.isFresh(user);
  }

  private isFresh(user: string): boolean {
    return (this.known.get(user)?.freshUntil ?? 0) > performance.now();
  }

  /** Reads the amounts of all and of this user from every shard. */
  private async read(user: string): Promise<void> {
    const { layout } = this;
    const fields = layout.fields(user);
    const found = await everyShard(this.turn, this.shards, 'HMGET', layout.key, fields, this.touched);
    const sums = fields.map(() => 0);
    for (const { reply } of found) {
      for (const [place, value] of (reply as (Buffer | null)[]).entries()) sums[place] += Number(value ?? 0);
    }
    const { all, own } = layout.amounts(user, sums);
    this.learn(everybody, all);
    this.learn(user, own);
  }

  private learn(user: string, { count, bytes }: Usage): void {
    const known = this.of(user);
    known.stored.count = count;
    known.stored.bytes = bytes;
    known.freshUntil = performance.now() + freshMilliseconds;
  }

  private of(user: string): Known {
    let known = this.known.get(user);
    if (known === undefined) {
      // Whoever writes still holds the one that is forgotten; it is read again.
      for (const oldest of this.known.keys()) {
        if (this.known.size < usersMax) break;
        if (oldest !== everybody) this.known.delete(oldest);
      }
      known = new Known();
      this.known.set(user, known);
    }
    return known;
  }
}

function add(usage: Usage, count: number, bytes: number): void {
  usage.count += count;
  usage.bytes += bytes;
}
