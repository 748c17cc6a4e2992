import { StoreError } from '@dunlin/broker/ports';
import type { OwnLink } from './links.ts';
import { createLink } from './opened.ts';
import { type RedisStoreOptions, readSettings, type Settings } from './options.ts';
import { slotOf } from './slot.ts';

/**
 * Plain commands to Redis, standalone, behind Sentinel or in a Cluster, for parts other than the store. A command is
 * sent at most once and never waits for a connection.
 */
export class RedisCommands {
  private readonly settings: Settings;
  private readonly link: OwnLink;
  /** Resolves when Redis was reached for the first time. */
  readonly connected: Promise<void>;

  /** Throws `RedisUrlError` for a URL that cannot be used. */
  constructor(options: RedisStoreOptions) {
    this.settings = { ...readSettings({ ...options, durability: 'memory' }), scripts: [] };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.connected = promise;
    this.link = createLink(this.settings, null, (connected) => {
      if (connected) resolve();
      this.settings.onStatus(connected);
    });
  }

  /** Begins to connect, and does so again whenever the connection is lost. */
  start(): void {
    this.link.start();
  }

  close(): void {
    this.link.close();
  }

  /**
   * `key`: the key of the command, which determines the server. Texts in replies are buffers. Rejects with StoreError.
   */
  async call(key: string, name: string, args: readonly string[]): Promise<unknown> {
    try {
      return await this.link.send({ slot: slotOf(key), writes: true, name, args: [...args] });
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError('unavailable', `Redis: ${(error as Error).message}`, error);
    }
  }
}
