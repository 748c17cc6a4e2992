import type { AdminKey, AdminKeyStore } from '@dunlin/broker/ports';
import type { StoreHandle } from './store-handle.ts';
import { type Argument, SingleCall } from './turn.ts';

const adminKeysTouched = 'admin keys';
/** Touches of every call, for its order. */
const touches = ['k'];

/**
 * Keys of the administration API: a hash with the keys, and one with their last uses. Both lie in the shard of the
 * bans. A use that comes after its key was removed is a field that nobody reads, and the next key of that name removes.
 */
export class AdminKeys implements AdminKeyStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async put(key: AdminKey): Promise<void> {
    const { usedAt, ...rest } = key;
    await Promise.all([
      this.call('HSET', 'adminkeys', key.name, JSON.stringify(rest)),
      usedAt === 0
        ? this.call('HDEL', 'adminkeyuses', key.name)
        : this.call('HSET', 'adminkeyuses', key.name, String(usedAt)),
    ]);
  }

  async remove(name: string): Promise<boolean> {
    const [existed] = await Promise.all([
      this.call('HDEL', 'adminkeys', name),
      this.call('HDEL', 'adminkeyuses', name),
    ]);
    return existed === 1;
  }

  async used(name: string, at: number): Promise<void> {
    await this.call('HSET', 'adminkeyuses', name, String(at));
  }

  async list(): Promise<AdminKey[]> {
    const [keys, uses] = await Promise.all([this.call('HGETALL', 'adminkeys'), this.call('HGETALL', 'adminkeyuses')]);
    const usedAt = new Map(pairs(uses));
    return pairs(keys)
      .map(([name, text]) => ({
        ...(JSON.parse(text) as Omit<AdminKey, 'usedAt'>),
        usedAt: Number(usedAt.get(name) ?? 0),
      }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  private async call(command: string, key: string, ...args: Argument[]): Promise<unknown> {
    const { order, turn, keys } = this.handle.use();
    const [{ slot, start }] = keys.b;
    const writes = command !== 'HGETALL';
    const single = new SingleCall(slot, writes, command, [start + key, ...args]);
    return order.single(touches, () => turn.single(single, adminKeysTouched).reply);
  }
}

/** Fields and values of a hash. */
function pairs(reply: unknown): [string, string][] {
  const list = reply as Buffer[];
  return Array.from({ length: list.length / 2 }, (_, at) => [String(list[2 * at]), String(list[2 * at + 1])]);
}
