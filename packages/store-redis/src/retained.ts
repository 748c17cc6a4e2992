import {
  type Charge,
  type RetainedEntry,
  type RetainedPage,
  type RetainedStore,
  retainedPageBytes,
  StoreError,
} from '@dunlin/broker/ports';
import { everyShard } from './every-shard.ts';
import type { Shard } from './keys.ts';
import type { Opened } from './opened.ts';
import { scripts } from './scripts.ts';
import { timeText } from './session-fields.ts';
import type { StoreHandle } from './store-handle.ts';
import { type Reply, SingleCall, type Turn } from './turn.ts';
import { retainedTouched } from './usage-book.ts';

const expiryBytes = 8;
/** Messages of a shard that one call of `expire` looks at. */
const expireMax = 250;
/** Touches of every call, for its order. */
const touches = ['r'];

/** Retained messages. Each topic is in the shard of its name; filters with wildcards are looked up in every shard. */
export class Retained implements RetainedStore {
  private readonly handle: StoreHandle;
  /** Places where `expire` goes on, by shard. */
  private readonly expireFrom: string[] = [];

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async set(topic: string, record: Uint8Array | null, expiresAt: number, charge?: Charge): Promise<void> {
    const { turn, keys, retainedUsage } = this.handle.use();
    const args = [stored(topic), record === null ? '0' : '1', record === null ? '' : withExpiry(record, expiresAt)];
    await retainedUsage.write(touches, record === null ? undefined : charge, record?.length ?? 0, (usage) =>
      turn.change(scripts.retainedSet, keys.shardOf('r', topic), retainedTouched, [], [...args, ...usage], null),
    );
  }

  async count(): Promise<number> {
    const { order, turn, keys, retainedUsage } = this.handle.use();
    let count = 0;
    const found = await order.single(touches, () => everyShard(turn, keys.r, 'HLEN', 'records', [], retainedTouched));
    for (const { reply } of found) count += reply as number;
    await retainedUsage.recount(['records', 'usage', 'users'], expiryBytes, 0);
    return count;
  }

  async expire(now: number): Promise<number> {
    const { order, turn, keys, retainedUsage } = this.handle.use();
    const names = ['topics', 'records', 'usage', 'users'];
    const counts = await order.single(touches, () =>
      Promise.all(
        keys.r.map(async ({ index, slot, start }) => {
          const args = [this.expireFrom[index] ?? '0', String(expireMax), timeText(now)];
          const call = [
            scripts.retainedExpire.sha,
            String(names.length),
            ...names.map((name) => start + name),
            ...args,
          ];
          const { reply } = turn.single(new SingleCall(slot, false, 'EVALSHA', call), retainedTouched);
          const [next, removed] = (await reply) as [Buffer, number];
          this.expireFrom[index] = next.toString();
          return removed;
        }),
      ),
    );
    const removed = counts.reduce((sum, count) => sum + count, 0);
    if (removed > 0) retainedUsage.changed();
    return removed;
  }

  /** `after` is `shard:position`, the position as a bound of ZRANGEBYLEX in base64. */
  async read(filter: string, after: string | null, limit: number, now: number): Promise<RetainedPage> {
    const opened = this.handle.use();
    return opened.order.single(touches, () => readPage(opened, filter, after, limit, now));
  }
}

async function readPage(
  opened: Opened,
  filter: string,
  after: string | null,
  limit: number,
  now: number,
): Promise<RetainedPage> {
  const { turn, keys } = opened;
  const levels = filter.split('/');
  if (!levels.includes('+') && levels[levels.length - 1] !== '#') return readOne(opened, filter, now);
  const page: RetainedPage = { entries: [], next: null };
  let bytes = 0;
  let [shard, position] = after === null ? [0, Buffer.alloc(0)] : parsePosition(after);
  for (;;) {
    const shards = turn.group(keys.r[0]) === turn.group(keys.r[1]) ? keys.r : [keys.r[shard]];
    const within = shards.length === 1 ? 1 : shard + 1;
    const reply = await readSome(turn, filter, shards, within, position, limit - page.entries.length);
    const [stopped, at, ...found] = reply as [number, Buffer, ...Buffer[]];
    for (let i = 0; i < found.length; i += 2) {
      addEntry(page, found[i].toString().replaceAll('\0', '/'), found[i + 1], now);
      bytes += found[i + 1].length;
    }
    if (stopped > 0) {
      page.next = `${shards.length === 1 ? shard : stopped - 1}:${at.toString('base64')}`;
      return page;
    }
    shard += shards.length;
    if (shards.length > 1 || shard >= keys.r.length) return page;
    position = Buffer.alloc(0);
    if (page.entries.length >= limit || bytes >= retainedPageBytes) {
      page.next = `${shard}:`;
      return page;
    }
  }
}

function readSome(
  turn: Turn,
  filter: string,
  shards: readonly Shard[],
  within: number,
  position: Buffer,
  limit: number,
): Promise<Reply> {
  const keys = shards.flatMap(({ start }) => [`${start}topics`, `${start}records`]);
  const args = [stored(filter), String(within), position, String(limit)];
  const call = new SingleCall(shards[0].slot, false, 'EVALSHA', [
    scripts.retainedRead.sha,
    String(keys.length),
    ...keys,
    ...args,
  ]);
  return turn.single(call, retainedTouched).reply;
}

/** Reads the one topic of a filter without wildcards. */
async function readOne({ turn, keys }: Opened, topic: string, now: number): Promise<RetainedPage> {
  const page: RetainedPage = { entries: [], next: null };
  const shard = keys.shardOf('r', topic);
  const call = new SingleCall(shard.slot, false, 'HGET', [`${shard.start}records`, stored(topic)]);
  const bytes = (await turn.single(call, retainedTouched).reply) as Buffer | null;
  if (bytes !== null) addEntry(page, topic, bytes, now);
  return page;
}

/** NUL, which no topic has, sorts below everything else: a level and all below it stand together. */
function stored(topic: string): string {
  return topic.replaceAll('/', '\0');
}

function withExpiry(record: Uint8Array, expiresAt: number): Buffer {
  const bytes = Buffer.allocUnsafe(expiryBytes + record.length);
  bytes.writeDoubleBE(expiresAt, 0);
  bytes.set(record, expiryBytes);
  return bytes;
}

function addEntry(page: RetainedPage, topic: string, bytes: Buffer, now: number): void {
  const expiresAt = bytes.readDoubleBE(0);
  if (expiresAt <= now) return;
  const entry: RetainedEntry = { topic, record: bytes.subarray(expiryBytes), expiresAt };
  page.entries.push(entry);
}

function parsePosition(after: string): [shard: number, position: Buffer] {
  const match = /^(\d+):(.*)$/.exec(after);
  if (match === null) throw new StoreError('corrupt', `"${after}" is not a position in the retained messages`);
  return [Number(match[1]), Buffer.from(match[2], 'base64')];
}
