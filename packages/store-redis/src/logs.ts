import type { AppendOrigin, DurableFilter, LogLimits, LogPage } from '@dunlin/broker';
import { LogSizes } from '@dunlin/broker/ports';
import { AppendCall, AppendPart, type EraOf, type LogAppend, type LogName, LogNames } from './append-call.ts';
import { everyShard } from './every-shard.ts';
import type { Keys, Shard } from './keys.ts';
import { readChunk } from './log-chunk.ts';
import { refusesWrites } from './reply-error.ts';
import { scripts } from './scripts.ts';
import { timeText } from './session-fields.ts';
import { type Argument, type Reply, SingleCall, type Turn } from './turn.ts';

/** Logs examined, and messages dropped, in one step of trimming: some milliseconds of Redis. */
const trimLogsMax = 256;
const trimMessagesMax = 4096;
/** Logs of a shard examined in one trim; the rest is left to the next. */
const dueLogsMax = 10_000;
/** Fields that one request reads when all durable filters are listed. */
const scanCount = 1000;
/** Logs of a shard whose bytes are added up again in every round: a millisecond or two of Redis. */
const measuredLogsMax = 10_000;

/** Step of a session's cursor; see scripts/cursors.lua. */
export interface CursorStep {
  kind: 'add' | 'reset' | 'move' | 'remove';
  filter: string;
  /** `add`: the place, undefined for the end of the log. `move`: the target. */
  number?: number;
}

/** Reader of a log: a session, as logs call it, of this client. */
export interface Reader {
  readonly name: string;
  readonly clientId: string;
  /** Owner that makes the change. Null: whichever owns the session. */
  readonly owner: ReaderOwner | null;
}

/** An owner of a session. */
export interface ReaderOwner {
  /** The session as a producer. */
  readonly producer: Buffer;
  readonly epoch: number;
  /** True when it finishes what an earlier owner has begun, which may come late. */
  readonly takesOver: boolean;
}

/** Arguments of scripts about the owner. */
export function ownerArguments(owner: ReaderOwner | null): Argument[] {
  return owner === null ? ['', '0', '0'] : [owner.producer, String(owner.epoch), owner.takesOver ? '1' : '0'];
}

/** End of the log and place of the cursor; 0: none. */
export interface CursorPlace {
  lastSequence: number;
  stands: number;
}

/** Offsets of the last number and of the bytes in a head (keys.ts). */
const headLastOffset = 16;
const headBytesOffset = 24;

/** Name under which calls on logs wait in the turn: their order is kept across all logs. */
export const logsTouched = 'logs';

/** Logs in Redis. Calls on one log go to its shard, in their order. */
export class Logs {
  private readonly turn: Turn;
  private readonly keys: Keys;
  private readonly names: LogNames;
  private readonly eraOf: EraOf;
  /** The calls that appends of this turn join, by slot group. */
  private readonly appends: Map<number, AppendCall>;
  /** The shard whose bytes are added up again next. */
  private measuredNext = 0;

  constructor(turn: Turn, keys: Keys, eraOf: EraOf) {
    this.turn = turn;
    this.keys = keys;
    this.eraOf = eraOf;
    this.names = new LogNames(keys);
    this.appends = new Map();
    turn.beforeFlush(() => this.appends.clear());
  }

  shardOf(filter: string): Shard {
    return this.names.get(filter).shard;
  }

  /**
   * Fills in the results. Appends with an origin do not share calls with others: repeated, they make the same calls.
   */
  async append(appends: readonly LogAppend[], origin: AppendOrigin | undefined): Promise<void> {
    const calls = new Set<AppendCall>();
    if (origin !== undefined) this.behindAppends();
    for (const append of appends) {
      const { filters } = append.request;
      for (let place = 0; place < filters.length; place++) {
        const name = this.names.get(filters[place]);
        const call = this.appendCall(name, origin);
        call.add(name, append, place);
        calls.add(call);
      }
    }
    if (origin !== undefined) this.behindAppends();
    if (calls.size === 1) for (const call of calls) await call.done;
    else await Promise.all([...calls].map((call) => call.done));
  }

  private appendCall({ shard }: LogName, origin: AppendOrigin | undefined): AppendCall {
    const group = this.turn.group(shard);
    let call = this.appends.get(group);
    if (call === undefined || call.isFull) {
      const number = (call?.part?.number ?? -1) + 1;
      const home = this.turn.hasSlots ? shard : this.keys.l[0];
      call = new AppendCall(shard.slot, origin === undefined ? null : new AppendPart(origin, home, number), this.eraOf);
      this.appends.set(group, call);
      this.turn.single(call, logsTouched);
    }
    return call;
  }

  /** Later appends are sent after calls that are added now. */
  behindAppends(): void {
    this.appends.clear();
  }

  cursors({ name, owner }: Reader, steps: readonly CursorStep[]): Promise<CursorPlace[]> {
    this.behindAppends();
    const by = ownerArguments(owner);
    return Promise.all(
      steps.map(async ({ kind, filter, number }) => {
        const { shard, stream } = this.names.get(filter);
        const keys = [stream, `${shard.start}cursors:${filter}`];
        const args = [kind, filter, name, number === undefined ? '' : String(number), ...by];
        const reply = await this.turn.change(scripts.cursors, shard, logsTouched, keys, args, countHeader);
        const [lastSequence, stands] = reply as [number, number];
        return { lastSequence, stands };
      }),
    );
  }

  /** `number`: null for all numbers of this producer. */
  async forgetProducer(producer: string, number: number | null, shards: readonly Shard[]): Promise<void> {
    this.behindAppends();
    const args = [producer, number === null ? '' : String(number)];
    await Promise.all(
      shards.map((shard) => this.turn.change(scripts.producersForget, shard, logsTouched, [], args, null)),
    );
  }

  get shards(): readonly Shard[] {
    return this.keys.l;
  }

  async read(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage> {
    const page: LogPage = { entries: [], lastSequence: 0, firstSequence: 1 };
    let bytes = 0;
    let next = from;
    let full = messagesMax < 1;
    for (let isFirst = true; ; isFirst = false) {
      const reply = await this.readChunks(filter, next, full ? 0 : messagesMax - page.entries.length, bytesMax - bytes);
      const [last, first, ...chunks] = reply;
      if (isFirst) {
        page.lastSequence = last as number;
        page.firstSequence = first as number;
        next = Math.max(next, page.firstSequence);
      }
      if (full || chunks.length === 0) return page;
      for (let i = 0; i < chunks.length && !full; i += 2) {
        const chunkLast = Number.parseInt((chunks[i] as Buffer).toString('latin1'), 10);
        readChunk(chunks[i + 1] as Buffer, chunkLast, (entry) => {
          if (entry.sequence < next || entry.expiresAt <= now) return true;
          bytes += entry.record.length;
          full = (bytes > bytesMax && page.entries.length > 0) || page.entries.length >= messagesMax;
          if (!full) page.entries.push(entry);
          return !full;
        });
        if (!full) next = chunkLast + 1;
      }
      // All entries that were read had expired, or the step was cut short.
      full ||= page.entries.length >= messagesMax || (page.entries.length > 0 && bytes >= bytesMax);
      if (full || next > page.lastSequence) return page;
    }
  }

  private readChunks(filter: string, from: number, messages: number, bytes: number): Promise<(number | Buffer)[]> {
    const { shard, stream } = this.names.get(filter);
    const keys = [`${shard.start}heads`, `${shard.start}ends`, stream];
    const args = [filter, String(from), String(Math.max(messages, 0)), String(Math.max(bytes, 1))];
    this.behindAppends();
    const call = new SingleCall(shard.slot, false, 'EVALSHA', [scripts.readLog.sha, '3', ...keys, ...args]);
    return this.turn.single(call, logsTouched).reply as Promise<(number | Buffer)[]>;
  }

  async durableFilters(): Promise<DurableFilter[]> {
    this.behindAppends();
    const found = new Map<string, number>();
    await this.eachHead((filter, head) => found.set(filter.toString(), head.readDoubleBE(headLastOffset)));
    return Array.from(found, ([filter, lastSequence]) => ({ filter, lastSequence }));
  }

  /** Walks through the heads of all logs; one that changes meanwhile may come twice. */
  private async eachHead(each: (filter: Buffer, head: Buffer) => void): Promise<void> {
    await Promise.all(
      this.keys.l.map(async (shard) => {
        let cursor = '0';
        do {
          const args = [`${shard.start}heads`, cursor, 'COUNT', String(scanCount)];
          const reply = await this.turn.single(new SingleCall(shard.slot, false, 'HSCAN', args), logsTouched).reply;
          const [next, fields] = reply as [Buffer, Buffer[]];
          for (let i = 0; i < fields.length; i += 2) each(fields[i], fields[i + 1]);
          cursor = next.toString();
        } while (cursor !== '0');
      }),
    );
  }

  /** Bytes of all logs. */
  async bytes(): Promise<number> {
    const found = await everyShard(this.turn, this.keys.l, 'HGET', 'logbytes', ['b'], null);
    let bytes = 0;
    for (const { reply } of found) bytes += Number(reply);
    return Math.max(0, bytes);
  }

  async ends(filters: readonly string[]): Promise<number[]> {
    this.behindAppends();
    const places = new Map<Shard, number[]>();
    for (let place = 0; place < filters.length; place++) {
      const { shard } = this.names.get(filters[place]);
      const known = places.get(shard);
      if (known === undefined) places.set(shard, [place]);
      else known.push(place);
    }
    const ends: number[] = new Array(filters.length).fill(0);
    await Promise.all(
      Array.from(places, async ([shard, of]) => {
        const args = [`${shard.start}heads`, ...of.map((place) => filters[place])];
        const heads = await this.turn.single(new SingleCall(shard.slot, false, 'HMGET', args), logsTouched).reply;
        (heads as (Buffer | null)[]).forEach((head, index) => {
          if (head !== null) ends[of[index]] = head.readDoubleBE(headLastOffset);
        });
      }),
    );
    return ends;
  }

  /** `sent` is called when the first step of dropping has been sent. */
  async trim(limits: LogLimits, now: number, sent: () => void): Promise<number> {
    this.behindAppends();
    const { messagesMax, bytesMax, totalBytesMax = Number.POSITIVE_INFINITY } = limits;
    const limitsText = `${messagesMax},${bytesMax},${totalBytesMax}`;
    const due = await this.due(limitsText, now);
    const first: Promise<number>[] = due.map(({ shard, filters }) => this.trimAll(shard, filters, limits, now));
    sent();
    let dropped = 0;
    for (const count of await Promise.all(first)) dropped += count;
    await Promise.all(
      due.map(async ({ shard, next, isNew }) => {
        if (next !== '0') dropped += await this.trimFrom(shard, next, limits, now);
        if (isNew) await this.trimmedBy(shard, limitsText);
      }),
    );
    await this.measure(due.filter(({ isNew }) => isNew));
    if ((await this.bytes()) <= totalBytesMax) return dropped;
    const sizes = new LogSizes();
    await this.eachHead((_filter, head) => sizes.add(head.readDoubleBE(headBytesOffset)));
    const cut = { messagesMax, bytesMax: Math.min(bytesMax, sizes.levelFor(totalBytesMax)) };
    const counts = await Promise.all(this.keys.l.map((shard) => this.trimFrom(shard, '0', cut, now)));
    return counts.reduce((sum, count) => sum + count, dropped);
  }

  /** Trims all logs of the shard from this place of the walk on. */
  private async trimFrom(shard: Shard, from: string, limits: LogLimits, now: number): Promise<number> {
    let dropped = 0;
    let cursor = from;
    do {
      const { filters, next } = await this.scan(shard, cursor);
      dropped += await this.trimAll(shard, filters, limits, now);
      cursor = next;
    } while (cursor !== '0');
    return dropped;
  }

  private async trimmedBy(shard: Shard, limitsText: string): Promise<void> {
    const args = [`${shard.start}trimmed`, limitsText];
    // The memory is full, and trimming must still work: then all logs are examined the next time too.
    await this.turn.single(new SingleCall(shard.slot, true, 'SET', args), logsTouched).reply.catch((error: unknown) => {
      if (!refusesWrites((error as Error).cause)) throw error;
    });
  }

  /** Adds up the bytes of these shards again, and of one more in each round, unless it has very many logs. */
  private async measure(changed: readonly { shard: Shard }[]): Promise<void> {
    const { l } = this.keys;
    this.measuredNext = (this.measuredNext + 1) % l.length;
    const measured = changed.map(({ shard }) => ({ shard, logsMax: Number.MAX_SAFE_INTEGER }));
    measured.push({ shard: l[this.measuredNext], logsMax: measuredLogsMax });
    await Promise.all(
      measured.map(({ shard: { slot, start }, logsMax }) => {
        const args = [scripts.logsMeasure.sha, '2', `${start}heads`, `${start}logbytes`, String(logsMax)];
        // A Redis that refuses writes says so to those that wait for them.
        return this.turn.single(new SingleCall(slot, false, 'EVALSHA', args), logsTouched).reply.catch(() => {});
      }),
    );
  }

  /** Logs to examine: those that changed or have expired messages; with new limits all of them, a page at a time. */
  private async due(limitsText: string, now: number): Promise<Due[]> {
    // Awaited together: when Redis goes away both are refused, and an unhandled rejection would end the worker.
    const [trimmed, filled] = await Promise.all([
      everyShard(this.turn, this.keys.l, 'GET', 'trimmed', [], logsTouched),
      everyShard(this.turn, this.keys.l, 'ZRANGEBYSCORE', 'filled', dueRange(now, trimLogsMax), logsTouched),
    ]);
    const known = new Map(trimmed.map(({ shard, reply }) => [shard, String(reply)]));
    const changed = new Map(filled.map(({ shard, reply }) => [shard, reply as Buffer[]]));
    const due: Promise<Due>[] = [];
    for (const shard of this.keys.l) {
      const isNew = known.get(shard) !== limitsText;
      const members = changed.get(shard) ?? [];
      if (isNew) due.push(this.scan(shard, '0').then((page) => ({ shard, ...page, isNew })));
      else if (members.length > 0) due.push(this.allDue(shard, members, now));
    }
    return Promise.all(due);
  }

  /** `members`: the first of them, perhaps all. */
  private async allDue(shard: Shard, members: Buffer[], now: number): Promise<Due> {
    let all = members;
    if (members.length >= trimLogsMax) {
      const args = [`${shard.start}filled`, ...dueRange(now, dueLogsMax)];
      const more = this.turn.single(new SingleCall(shard.slot, false, 'ZRANGEBYSCORE', args), logsTouched);
      all = (await more.reply) as Buffer[];
    }
    return { shard, filters: all.map(String), next: '0', isNew: false };
  }

  private async scan(shard: Shard, cursor: string): Promise<{ filters: string[]; next: string }> {
    const args = [`${shard.start}filled`, cursor, 'COUNT', String(trimLogsMax)];
    const reply = await this.turn.single(new SingleCall(shard.slot, false, 'ZSCAN', args), logsTouched).reply;
    const [next, members] = reply as [Buffer, Buffer[]];
    return { filters: members.filter((_, index) => index % 2 === 0).map(String), next: next.toString() };
  }

  private async trimAll(shard: Shard, filters: readonly string[], limits: LogLimits, now: number): Promise<number> {
    let dropped = 0;
    const steps: Promise<number>[] = [];
    for (let from = 0; from < filters.length; from += trimLogsMax) {
      steps.push(this.trimStep(shard, filters.slice(from, from + trimLogsMax), limits, now));
    }
    for (const count of await Promise.all(steps)) dropped += count;
    return dropped;
  }

  private async trimStep(shard: Shard, filters: readonly string[], limits: LogLimits, now: number): Promise<number> {
    const keys = [`${shard.start}heads`, `${shard.start}filled`, `${shard.start}logbytes`];
    const logs: Argument[] = [];
    for (const filter of filters) {
      keys.push(this.names.get(filter).stream, `${shard.start}cursors:${filter}`);
      logs.push('1', filter);
    }
    const bounds = [String(limits.messagesMax), String(limits.bytesMax), String(trimMessagesMax)];
    let dropped = 0;
    for (;;) {
      const args = [scripts.trim.sha, String(keys.length), ...keys, '1', timeText(now), ...bounds, ...logs];
      this.behindAppends();
      const reply: Reply = await this.turn.single(new SingleCall(shard.slot, true, 'EVALSHA', args), logsTouched).reply;
      const [count, more] = reply as [number, number];
      dropped += count;
      if (more === 0) return dropped;
    }
  }
}

interface Due {
  shard: Shard;
  filters: string[];
  /** Place where the walk over all logs continues; `0`: it is over. */
  next: string;
  isNew: boolean;
}

/** Logs to be trimmed first, as arguments of ZRANGEBYSCORE. */
function dueRange(now: number, count: number): string[] {
  return ['-inf', timeText(now), 'LIMIT', '0', String(count)];
}

export function countHeader(shards: number): Argument[] {
  return [String(shards)];
}
