import type { EndpointId, SessionKey, StoredWill, WillStore, WillToStore } from '@dunlin/broker';
import { checkedAnswer } from './answers.ts';
import { scripts } from './scripts.ts';
import { readWill, timeText } from './session-fields.ts';
import type { Sessions } from './sessions.ts';
import type { StoreHandle } from './store-handle.ts';

/** Time after which a will that was handed out comes again, unless it was removed (the port's contract). */
export const handedOutMilliseconds = 30_000;

/** Wills. They live in the shard of their client's session, which fences them. */
export class Wills implements WillStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async set(key: SessionKey, owner: EndpointId, will: WillToStore | null): Promise<void> {
    const { order, sessions } = this.handle.use();
    const kept = will === null ? ['0', '0', ''] : ['1', String(will.delaySeconds), bufferOf(will.record)];
    const args = [String(key.epoch), owner, ...kept];
    const answer = order.single([`s${key.clientId}`], () => sessions.change(scripts.willSet, key.clientId, args));
    checkedAnswer(key, await answer);
  }

  async schedule(key: SessionKey, dueAt: number): Promise<void> {
    const { order, sessions } = this.handle.use();
    const args = [String(key.epoch), timeText(dueAt)];
    const answer = order.single([`s${key.clientId}`], () => sessions.change(scripts.willSchedule, key.clientId, args));
    checkedAnswer(key, await answer);
  }

  async nextDue(until: number): Promise<number> {
    const { order, sessions } = this.handle.use();
    return order.single(null, () => sessions.nextDue('willdue', until));
  }

  async takeDue(now: number, limit: number): Promise<StoredWill[]> {
    const { order, sessions } = this.handle.use();
    return order.multiple(null, (sent) => takeDue(sessions, now, limit, sent));
  }

  async remove(clientId: string, epoch: number): Promise<void> {
    const { order, sessions } = this.handle.use();
    await order.single([`s${clientId}`], () => sessions.change(scripts.willRemove, clientId, [String(epoch)]));
  }
}

async function takeDue(sessions: Sessions, now: number, limit: number, sent: () => void): Promise<StoredWill[]> {
  const due = await sessions.due('willdue', now, limit);
  const args = [timeText(now), timeText(now + handedOutMilliseconds)];
  const taking = Promise.all(
    due.map(async (clientId) => {
      const [will] = await sessions.change(scripts.willTake, clientId, args);
      return will === null ? null : readWill(clientId, will as Buffer);
    }),
  );
  sent();
  return (await taking).filter((will) => will !== null);
}

/** The same bytes as a Buffer. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
