/**
 * Port: where durable state lives, in eight parts. Redis for a cluster, LMDB embedded in the process for a single node, memory
 * for tests.
 *
 * Contract of all parts, the same for every implementation and checked by the suites in `contract/`:
 *
 * - Every method is asynchronous. A resolved promise means: done, and it survives what the implementation says it survives
 *   (memory: nothing; LMDB: `kill -9` of the process, and power loss with durability `fsync`; Redis: as Redis is configured).
 *   A rejected promise means that nothing is known about the outcome; the caller may do it again, because every operation
 *   done twice is the same as done once. Three add something each time: `claim` of a session and of a group (another epoch),
 *   and `add` of a delayed message (it comes twice: at least once). So does an `append` that names neither an origin nor a
 *   producer. Codes `fenced`, `quota-exceeded`, `unknown-session`, `unknown-group` and `closed` mean: not done.
 * - Calls made in one turn of the event loop travel as one batch, whatever parts they are made to. Within one store object,
 *   effects become visible in the order of the calls, and a read sees the writes that the same store object was given before
 *   it.
 * - Keys of one session are updated atomically in one call; so are keys of one log, those of the groups on it among them. What
 *   spans a session and logs (`append` with `inbound`, `subscribe`) need not be atomic: a crash between the parts is repaired
 *   by doing the call again.
 * - A session of thousands of parts may be removed in steps: it is not returned any more, and its filters may be seen until
 *   the call that ends it is answered.
 * - A write to a session carries the claim's epoch. An older epoch is refused with `StoreError` code `fenced` and has no
 *   effect. The same holds for groups.
 * - Numbers of a log grow by one from message to message. A store that may have lost some which it had given goes on in
 *   another era (`numbersPerEra`), so that no number is given twice: it skips so many that the count of messages, the number
 *   modulo `numbersPerEra`, goes on.
 * - Messages are opaque bytes (see message-record.ts), which the caller leaves unchanged until the promise is settled. Times
 *   are milliseconds since 1970 on the clock that the caller passes.
 */
import type { AdminKeyStore } from './admin-key-store.ts';
import type { BanStore } from './ban-store.ts';
import type { DelayedStore } from './delayed-store.ts';
import type { GroupStore } from './group-store.ts';
import type { LogStore } from './log-store.ts';
import type { RetainedStore } from './retained-store.ts';
import type { SessionStore } from './session-store.ts';
import type { WillStore } from './will-store.ts';

/** Parts of a store, the same objects from before `open` until after `close`. */
export interface StoreParts {
  readonly sessions: SessionStore;
  readonly logs: LogStore;
  readonly groups: GroupStore;
  readonly retained: RetainedStore;
  readonly wills: WillStore;
  readonly delayed: DelayedStore;
  readonly bans: BanStore;
  readonly adminKeys: AdminKeyStore;
}

export interface Store extends StoreParts {
  /** Name for logs and for what is promised: `memory`, `lmdb` … */
  readonly name: string;
  open(): Promise<void>;
  /** Writes what is pending, then closes. Further calls are refused with `closed`. */
  close(): Promise<void>;
}
