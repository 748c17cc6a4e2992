import type { Shard } from './keys.ts';
import { SingleCall, type Turn } from './turn.ts';

/** Approximate number of fields in a page: 1 ms of Redis, and as much here. */
const pageFields = 500;

/**
 * Fields of a hash that is too large for one read, a page at a time: field, value, field, value … A field that exists
 * all the while comes at least once; some may come twice.
 */
export async function* pagesOf(turn: Turn, shard: Shard, key: string): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const args = [key, cursor, 'COUNT', String(pageFields)];
    const reply = await turn.single(new SingleCall(shard.slot, false, 'HSCAN', args), key).reply;
    const [next, fields] = reply as [Buffer, Buffer[]];
    yield fields;
    cursor = next.toString();
  } while (cursor !== '0');
}
