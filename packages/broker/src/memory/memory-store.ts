import type { Store } from '../ports/store.ts';
import { MemoryAdminKeys } from './memory-admin-keys.ts';
import { MemoryBans } from './memory-bans.ts';
import { MemoryClaims } from './memory-claims.ts';
import { MemoryDelayed } from './memory-delayed.ts';
import { MemoryGroups } from './memory-groups.ts';
import { MemoryLogStore } from './memory-log-store.ts';
import { MemoryLogs } from './memory-logs.ts';
import { MemoryRetained } from './memory-retained.ts';
import { MemorySessions } from './memory-sessions.ts';
import { MemoryWills } from './memory-wills.ts';

/**
 * Store for tests, and model of the others: the contract of the port in plain objects. Nothing survives the object;
 * `close` and `open` again keep its content.
 */
export class MemoryStore implements Store {
  readonly name = 'memory';
  private readonly claims = new MemoryClaims();
  private readonly state = new MemoryLogs();
  readonly groups = new MemoryGroups(this.claims, this.state);
  readonly wills = new MemoryWills(this.claims);
  readonly sessions = new MemorySessions(this.claims, this.state, this.groups, this.wills);
  readonly logs = new MemoryLogStore(this.claims, this.state);
  readonly retained = new MemoryRetained(this.claims);
  readonly delayed = new MemoryDelayed(this.claims);
  readonly bans = new MemoryBans(this.claims);
  readonly adminKeys = new MemoryAdminKeys(this.claims);

  async open(): Promise<void> {
    this.claims.isOpen = true;
  }

  async close(): Promise<void> {
    this.claims.isOpen = false;
  }
}
