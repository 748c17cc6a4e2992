import { closed } from './closed.ts';
import type { Opened } from './opened.ts';

/** State that the parts of a store share: the open environments. */
export class StoreHandle {
  /** Null while the store is closed. */
  opened: Opened | null = null;

  /** Throws `closed`. */
  use(): Opened {
    if (this.opened === null) throw closed();
    return this.opened;
  }
}
