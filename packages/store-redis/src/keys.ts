/**
 * Keys of the store.
 *
 * A key is `prefix:{tag}:name`. The tag names a shard; all keys of a shard share a hash slot, so a script may touch them together. The
 * number of shards is part of the layout and the same everywhere, so that data may move from one server to a Cluster. Against one server,
 * which has no slots, one script call carries the work of all shards (measured: a message of a hundred to as many logs costs Node and Redis
 * together 8 to 9 µs in one call, 14 to 21 in a call per shard); with Cluster there is one call per shard.
 *
 * Tags are chosen so that their slots lie evenly over the 16384, whatever the number of masters.
 *
 * | shard | key                | type   | holds                                                                       | goes when                          |
 * | ----- | ------------------ | ------ | --------------------------------------------------------------------------- | ---------------------------------- |
 * | s     | `counters`         | hash   | `epoch`: the last one given; `sessions`: how many are stored; `u:` client: who owns it; `named`, `n:` user: how many users have, and one has | never                              |
 * | s     | `owned`            | zset   | by name: owner NUL `s` client (claim), owner NUL `w` client (will)          | released, scheduled, or releaseOwner |
 * | s     | `expiry`           | zset   | client, by the time its session ends; only while not connected              | claimed, or the session ends       |
 * | s     | `wills`            | hash   | client: will (session-parts.lua)                                            | replaced, removed, published       |
 * | s     | `willdue`          | zset   | client, by the time its will is handed out next                             | with the will                      |
 * | s     | `jobs`             | hash   | session id: what an ended session left in logs, as JSON                     | the job is done                    |
 * | s     | `session:<client>` | hash   | see session-fields.ts                                                       | the session ends; ephemeral: the claim |
 * | s     | `ended:<name>`     | hash   | a session of thousands of fields that has ended, until its logs are updated | with its job                       |
 * | l     | `heads`            | hash   | filter: f64 base, first, last, bytes of records, u8 dirty; durable filters  | the last cursor goes               |
 * | l     | `ends`             | hash   | filter: last number, of filters that are not durable now; empty name: highest of those forgotten | durable again, or among many       |
 * | l     | `filled`           | zset   | filter, of logs with messages, by the time they are to be trimmed           | the log is empty                   |
 * | l     | `logbytes`         | hash   | `b`: bytes of the messages in all logs of the shard                         | never                              |
 * | l     | `taken`            | zset   | by name: producer NUL NUL number NUL filter NUL sequence NUL digest                 | handshake through, session ended   |
 * |       |                    |        | and producer NUL SOH filter NUL epoch: its session's latest owner that is known at the log | session ended |
 * | l     | `writer:<writer>`  | string | f64 last batch, of each of its parts u32 length and MessagePack: the numbers it was given | a week after its last append |
 * | l     | `era`              | string | the server's run, the first number of its era (continuity.ts); the first shard's alone where shards have no slots | never |
 * | l     | `trimmed`          | string | the limits of the last trim: others look at every log again                 | never                              |
 * | l     | `log:<filter>`     | stream | id `n-0`: a chunk whose last message has the number n (log-chunk.ts)        | trimmed, or the last cursor goes   |
 * | l     | `cursors:<filter>` | zset   | session id or group, by what it has acknowledged; the first one is the slowest | unsubscribed, session ended     |
 * | l     | `groups`           | hash   | group: epoch, cursor (group-parts.lua); groups with durable members         | the last member goes               |
 * | l     | `groupepoch`       | string | the last one given                                                          | never                              |
 * | l     | `members:<group>`  | set    | session ids of its durable members                                          | unsubscribed, session ended        |
 * | l     | `takes:<group>`    | hash   | number: 0 or 1 (final), epoch, client identifier                            | the group's cursor has passed it   |
 * | r     | `topics`           | zset   | by name: topic with NUL for `/`                                             | removed                            |
 * | r     | `records`          | hash   | topic with NUL for `/`: f64 expiry time, record                             | removed                            |
 * | r     | `usage`            | hash   | count and bytes, in all and by user (usage-parts.lua)                       | never                              |
 * | r     | `users`            | hash   | topic with NUL for `/`: user whose quota it counts against; none: no user   | removed                            |
 * | d     | `due`              | zset   | identifier (a UUID and the user's name), by the time a delayed publish is handed out next                | removed                            |
 * | d     | `delayed`          | hash   | identifier: record                                                          | removed                            |
 * | b     | `bans`             | hash   | names as JSON: the ban, as JSON                                             | removed, or ended                  |
 * | b     | `banchanges`       | zset   | names, by the number of the ban's last change                               | with the ban                       |
 * | b     | `banends`          | zset   | names, by the time the ban ends; only with an end                           | with the ban                       |
 * | b     | `bancounts`        | hash   | `changes`, `removals`: how many there were                                  | never                              |
 * | b     | `adminkeys`        | hash   | name: key of the administration API, as JSON                                | revoked                            |
 * | b     | `adminkeyuses`     | hash   | name: time of its last use                                                  | revoked                            |
 * | d     | `usage`            | hash   | count and bytes, in all and by user (usage-parts.lua)                       | never                              |
 * | any   | `probe`            | string | nothing: whether Redis takes writes again                                   | after a millisecond                |
 * | all   | `mark:<process>`   | string | number of the last write of a process, as far as it was one to this server (continuity.ts) | 30 days after it |
 * | lease | `prefix:{lease:<endpoint>}:live` | string | 1; its time to live is the lease                               | it runs out                        |
 * | lease | `prefix:{lease:<endpoint>}:buried` | string | 1                                                            | after 30 days: its name is never used again |
 *
 * `takes:<group>` holds reservations (`GroupReservation`), `buried` stands for an evicted endpoint: keys keep the names
 * that they have in stored data.
 *
 * `writer:<writer>` lies in the shard that a batch goes to, and in the first one where shards have no slots:
 * `AppendPart`. It expires by itself after its writer has died; so do marks, probes and leases. No other key has a time
 * to live. Eviction must be off (`maxmemory-policy noeviction`).
 */
import { fnvOfText } from '@dunlin/protocol';
import { slotOf } from './slot.ts';

export type Family = 's' | 'l' | 'r' | 'd' | 'b';

/** Numbers of shards. Retained messages are searched in every shard, so these are few. */
const shardCounts: Record<Family, number> = { s: 32, l: 32, r: 8, d: 8, b: 1 };
const slotsTotal = 16_384;

export interface Shard {
  readonly family: Family;
  readonly index: number;
  readonly slot: number;
  /** `prefix:{tag}:` */
  readonly start: string;
}

export class Keys {
  readonly s: readonly Shard[];
  readonly l: readonly Shard[];
  readonly r: readonly Shard[];
  readonly d: readonly Shard[];
  readonly b: readonly Shard[];
  readonly prefix: string;
  private readonly starts: ReadonlyMap<number, string>;

  constructor(prefix: string) {
    this.prefix = prefix;
    this.s = shards(prefix, 's');
    this.l = shards(prefix, 'l');
    this.r = shards(prefix, 'r');
    this.d = shards(prefix, 'd');
    this.b = shards(prefix, 'b');
    const all = [...this.s, ...this.l, ...this.r, ...this.d, ...this.b];
    this.starts = new Map(all.map(({ slot, start }) => [slot, start]));
  }

  /** The shard that holds the key of this name. */
  shardOf(family: Family, name: string): Shard {
    const all = this[family];
    return all[hash(name) % all.length];
  }

  /** Beginning of the keys in this slot, which is one of a shard. */
  startAt(slot: number): string {
    const start = this.starts.get(slot);
    if (start === undefined) throw new TypeError(`no shard has slot ${slot}`);
    return start;
  }

  lease(owner: string, what: 'live' | 'buried'): string {
    return `${this.prefix}:{lease:${owner}}:${what}`;
  }
}

function shards(prefix: string, family: Family): Shard[] {
  const count = shardCounts[family];
  return Array.from({ length: count }, (_, index) => {
    for (let attempt = 0; ; attempt++) {
      const tag = `${family}${index}.${attempt}`;
      const slot = slotOf(tag);
      if (Math.floor((slot * count) / slotsTotal) === index)
        return { family, index, slot, start: `${prefix}:{${tag}}:` };
    }
  });
}

/** Hash of a name. Part of the layout. */
function hash(name: string): number {
  const value = fnvOfText(name);
  return (value ^ (value >>> 15)) >>> 0;
}
