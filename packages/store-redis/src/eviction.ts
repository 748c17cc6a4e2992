import type { Logger } from '@dunlin/broker';
import { infoField } from './server-check.ts';

/** Which servers may throw away what is stored when their memory is full: a setting that somebody may change while nodes run. */
export class Eviction {
  private readonly logger: Logger;
  private readonly changed: (mayEvict: boolean) => void;
  private readonly servers: Map<string, string>;

  /** `changed`: called when the first server may evict, and when none may any more. */
  constructor(logger: Logger, changed: (mayEvict: boolean) => void) {
    this.logger = logger;
    this.changed = changed;
    this.servers = new Map();
  }

  /** Looks at what `INFO memory` of a server says. */
  saw(address: string, info: string): void {
    const policy = infoField(info, 'maxmemory_policy');
    const known = this.servers.get(address);
    if (infoField(info, 'maxmemory') === '0' || policy === 'noeviction') {
      if (known !== undefined) this.logger.info('Redis evicts nothing any more', { address });
      this.forget(address);
      return;
    }
    if (policy !== known)
      this.logger.warn('Redis may evict stored sessions and messages: set maxmemory-policy noeviction', {
        address,
        policy,
      });
    this.servers.set(address, policy);
    if (this.servers.size === 1 && known === undefined) this.changed(true);
  }

  /** The server is not ours any more. */
  forget(address: string): void {
    if (this.servers.delete(address) && this.servers.size === 0) this.changed(false);
  }
}
