import type { Logger } from '@dunlin/broker';
import { events } from './log-events.ts';
import { infoField } from './server-check.ts';

/**
 * Servers that may evict stored data when their memory is full: a setting that an operator may change while nodes run.
 */
export class Eviction {
  private readonly logger: Logger;
  private readonly changed: (mayEvict: boolean) => void;
  private readonly servers: Map<string, string>;
  /**
   * Servers without a memory limit: the system ends one of them, or another process, where a limit would refuse writes.
   */
  private readonly boundless: Set<string>;

  /** `changed` is called when the first server may evict, and when none may any more. */
  constructor(logger: Logger, changed: (mayEvict: boolean) => void) {
    this.logger = logger;
    this.changed = changed;
    this.servers = new Map();
    this.boundless = new Set();
  }

  /** Reads the answer of a server to `INFO memory`. */
  saw(address: string, info: string): void {
    const policy = infoField(info, 'maxmemory_policy');
    const known = this.servers.get(address);
    const isBoundless = infoField(info, 'maxmemory') === '0';
    this.sawBound(address, isBoundless, info);
    if (isBoundless || policy === 'noeviction') {
      if (known !== undefined) this.logger.info(events['redis.eviction-stopped'], { address });
      this.forget(address);
      return;
    }
    if (policy !== known)
      this.logger.warn(events['redis.eviction-allowed'], {
        address,
        policy,
      });
    this.servers.set(address, policy);
    if (this.servers.size === 1 && known === undefined) this.changed(true);
  }

  private sawBound(address: string, isBoundless: boolean, info: string): void {
    if (isBoundless === this.boundless.has(address)) return;
    if (!isBoundless) {
      this.boundless.delete(address);
      this.logger.info(events['redis.maxmemory-found'], { address });
      return;
    }
    this.boundless.add(address);
    const machineBytes = Number(infoField(info, 'total_system_memory'));
    this.logger.warn(events['redis.maxmemory-missed'], { address, machineBytes });
  }

  /** The server does not evict any more, or is no longer used. */
  forget(address: string): void {
    if (this.servers.delete(address) && this.servers.size === 0) this.changed(false);
  }
}
