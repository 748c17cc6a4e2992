import type { Store } from '@dunlin/broker';
import { AdminKeys } from './admin-keys.ts';
import { Bans } from './bans.ts';
import { Delayed } from './delayed.ts';
import { Opened } from './opened.ts';
import { type RedisStoreOptions, readSettings, type Settings } from './options.ts';
import { OrderedGroups } from './ordered-groups.ts';
import { OrderedLogs } from './ordered-logs.ts';
import { OrderedSessions } from './ordered-sessions.ts';
import { Retained } from './retained.ts';
import { StoreHandle } from './store-handle.ts';
import { Wills } from './wills.ts';

/**
 * Store in Redis or Valkey. The first call is sent first; see order.ts for operations of several steps and turn.ts for
 * how calls of one turn of the event loop share script calls.
 */
export class RedisStore implements Store {
  readonly name: string;
  readonly sessions: OrderedSessions;
  readonly logs: OrderedLogs;
  readonly groups: OrderedGroups;
  readonly retained: Retained;
  readonly wills: Wills;
  readonly delayed: Delayed;
  readonly bans: Bans;
  readonly adminKeys: AdminKeys;
  private readonly settings: Settings;
  private readonly handle: StoreHandle;

  /** Throws `RedisUrlError` for a URL that cannot be used. */
  constructor(options: RedisStoreOptions) {
    this.name = 'redis';
    this.settings = readSettings(options);
    this.handle = new StoreHandle();
    this.sessions = new OrderedSessions(this.handle);
    this.logs = new OrderedLogs(this.handle);
    this.groups = new OrderedGroups(this.handle);
    this.retained = new Retained(this.handle);
    this.wills = new Wills(this.handle);
    this.delayed = new Delayed(this.handle);
    this.bans = new Bans(this.handle);
    this.adminKeys = new AdminKeys(this.handle);
  }

  /**
   * Resolves when Redis is connected and passes its check. Until then connecting is repeated; `close` ends that with
   * `closed`.
   */
  async open(): Promise<void> {
    this.handle.opened ??= new Opened(this.settings);
    await this.handle.opened.connected;
  }

  async close(): Promise<void> {
    const { opened } = this.handle;
    this.handle.opened = null;
    await opened?.close();
  }
}
