import { type EndpointId, type Leases, StoreError } from '@dunlin/broker/ports';
import { Keys } from './keys.ts';
import type { OwnLink } from './links.ts';
import { createLink } from './opened.ts';
import { type RedisStoreOptions, readSettings, type Settings } from './options.ts';
import { storeError } from './reply-error.ts';
import { type Script, scripts } from './scripts.ts';
import { slotOf } from './slot.ts';

/** The time for which an evicted name is remembered. Names carry an incarnation number and are not used again. */
const evictedMilliseconds = 30 * 24 * 3600 * 1000;

/**
 * Leases in Redis, timed by the clock of Redis. They have a connection of their own: a heartbeat does not wait behind
 * the work of the store.
 */
export class RedisLeases implements Leases {
  private readonly settings: Settings;
  private readonly keys: Keys;
  private link: OwnLink | null;
  private giveUp: ((error: Error) => void) | null;

  /** Throws `RedisUrlError` for a URL that cannot be used. */
  constructor(options: RedisStoreOptions) {
    this.settings = readSettings(options);
    this.keys = new Keys(this.settings.prefix);
    this.link = null;
    this.giveUp = null;
  }

  /** Resolves when Redis is connected; until then it is tried again. */
  async open(): Promise<void> {
    if (this.link !== null) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.giveUp = reject;
    this.link = createLink(this.settings, null, (connected) => {
      if (connected) resolve();
      this.settings.onStatus(connected);
    });
    this.link.start();
    await promise;
  }

  /** A call of `open` that still waits is refused with `closed`. */
  async close(): Promise<void> {
    this.link?.close();
    this.link = null;
    this.giveUp?.(new StoreError('closed', 'the Redis leases were closed before they were connected'));
  }

  async renew(owner: EndpointId, milliseconds: number): Promise<boolean> {
    return this.run(scripts.leaseRenew, owner, [String(milliseconds)]);
  }

  async evict(owner: EndpointId, evenIfAlive: boolean): Promise<boolean> {
    return this.run(scripts.leaseEvict, owner, [evenIfAlive ? '1' : '0', String(evictedMilliseconds)]);
  }

  async end(owner: EndpointId): Promise<void> {
    await this.send(owner, 'DEL', [this.keys.lease(owner, 'live')]);
  }

  private async run(script: Script, owner: EndpointId, args: string[]): Promise<boolean> {
    const keys = [this.keys.lease(owner, 'live'), this.keys.lease(owner, 'buried')];
    return (await this.send(owner, 'EVALSHA', [script.sha, '2', ...keys, ...args])) === 1;
  }

  private async send(owner: EndpointId, name: string, args: string[]): Promise<unknown> {
    const { link } = this;
    if (link === null) throw new StoreError('closed', 'the Redis leases are closed');
    const slot = slotOf(this.keys.lease(owner, 'live'));
    try {
      const reply = link.send({ slot, writes: true, name, args });
      const confirmed = link.confirm(new Set([slot]));
      confirmed?.catch(() => {}); // Awaited below, unless the command failed before.
      const answer = await reply;
      await confirmed;
      return answer;
    } catch (error) {
      throw storeError(error);
    }
  }
}
