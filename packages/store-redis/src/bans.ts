import { type Ban, type BanChanges, type BanPlace, type BanStore, type BanTarget, banKey } from '@dunlin/broker/ports';
import { scripts } from './scripts.ts';
import { timeText } from './session-fields.ts';
import type { StoreHandle } from './store-handle.ts';
import { SingleCall } from './turn.ts';

const bansTouched = 'bans';
/** Touches of every call, for its order. */
const touches = ['b'];

/** Bans. They lie in one shard: all of them are read together, and few are written. */
export class Bans implements BanStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async put(ban: Ban): Promise<void> {
    const { order, turn, keys } = this.handle.use();
    const endsAt = ban.endsAt === Number.POSITIVE_INFINITY ? '' : timeText(ban.endsAt);
    const args = [banKey(ban), endsAt, recordOf(ban)];
    await order.single(touches, () => turn.change(scripts.banPut, keys.b[0], bansTouched, [], args, null));
  }

  async remove(target: BanTarget): Promise<boolean> {
    const { order, turn, keys } = this.handle.use();
    const args = [banKey(target)];
    const existed = await order.single(touches, () =>
      turn.change(scripts.banRemove, keys.b[0], bansTouched, [], args, null),
    );
    return existed === 1;
  }

  async changes(after: BanPlace | null, limit: number): Promise<BanChanges> {
    const { order, turn, keys } = this.handle.use();
    const [{ slot, start }] = keys.b;
    const names = ['bans', 'banchanges', 'bancounts'].map((name) => start + name);
    const place = after === null ? ['', '0'] : [String(after.removals), String(after.changes)];
    const args = [scripts.banChanges.sha, String(names.length), ...names, ...place, String(limit)];
    const reply = await order.single(
      touches,
      () => turn.single(new SingleCall(slot, false, 'EVALSHA', args), bansTouched).reply,
    );
    const [isWhole, removals, changes, hasMore, ...records] = reply as [number, Buffer, Buffer, number, ...Buffer[]];
    return {
      bans: records.map(readBan),
      isWhole: isWhole === 1,
      place: { removals: Number(removals), changes: Number(changes) },
      hasMore: hasMore === 1,
    };
  }

  async expire(now: number, limit: number): Promise<number> {
    const { order, turn, keys } = this.handle.use();
    const args = [timeText(now), String(limit)];
    const ended = await order.single(touches, () =>
      turn.change(scripts.banExpire, keys.b[0], bansTouched, [], args, null),
    );
    return ended as number;
  }
}

/** JSON knows no Infinity: a ban without an end has none. */
function recordOf({ clientId, userName, address, reason, by, createdAt, endsAt }: Ban): string {
  const end = endsAt === Number.POSITIVE_INFINITY ? {} : { endsAt };
  return JSON.stringify({ clientId, userName, address, reason, by, createdAt, ...end });
}

function readBan(record: Buffer): Ban {
  const { endsAt = Number.POSITIVE_INFINITY, ...rest } = JSON.parse(record.toString()) as Omit<Ban, 'endsAt'> & {
    endsAt?: number;
  };
  return { ...rest, endsAt };
}
