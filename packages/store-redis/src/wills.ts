import type { EndpointId, SessionKey, StoredWill } from '@dunlin/broker';
import { checkedAnswer } from './answers.ts';
import { scripts } from './scripts.ts';
import { readWill, timeText } from './session-fields.ts';
import type { Sessions } from './sessions.ts';

/** Time after which a will that was handed out comes again, unless it was removed (the port's contract). */
export const handedOutMilliseconds = 30_000;

/** Wills. They live in the shard of their client's session, which fences them. */
export class Wills {
  private readonly sessions: Sessions;

  constructor(sessions: Sessions) {
    this.sessions = sessions;
  }

  async set(
    key: SessionKey,
    owner: EndpointId,
    will: { record: Uint8Array; delaySeconds: number } | null,
  ): Promise<void> {
    const kept = will === null ? ['0', '0', ''] : ['1', String(will.delaySeconds), bufferOf(will.record)];
    const args = [String(key.epoch), owner, ...kept];
    checkedAnswer(key, await this.sessions.change(scripts.willSet, key.clientId, args));
  }

  async schedule(key: SessionKey, dueAt: number): Promise<void> {
    const args = [String(key.epoch), timeText(dueAt)];
    checkedAnswer(key, await this.sessions.change(scripts.willSchedule, key.clientId, args));
  }

  nextDue(until: number): Promise<number> {
    return this.sessions.nextDue('willdue', until);
  }

  async takeDue(now: number, limit: number, sent: () => void): Promise<StoredWill[]> {
    const due = await this.sessions.due('willdue', now, limit);
    const args = [timeText(now), timeText(now + handedOutMilliseconds)];
    const taking = Promise.all(
      due.map(async (clientId) => {
        const [will] = await this.sessions.change(scripts.willTake, clientId, args);
        return will === null ? null : readWill(clientId, will as Buffer);
      }),
    );
    sent();
    return (await taking).filter((will) => will !== null);
  }

  async remove(clientId: string, epoch: number): Promise<void> {
    await this.sessions.change(scripts.willRemove, clientId, [String(epoch)]);
  }
}

/** The same bytes as a Buffer. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
