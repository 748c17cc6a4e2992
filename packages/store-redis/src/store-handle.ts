import { StoreError } from '@dunlin/broker/ports';
import type { Opened } from './opened.ts';

/** State that the parts of a store share: its connections. */
export class StoreHandle {
  /** Null while the store is closed. */
  opened: Opened | null = null;

  /** Throws `closed`. */
  use(): Opened {
    if (this.opened === null) throw new StoreError('closed', 'the Redis store is closed');
    return this.opened;
  }
}
