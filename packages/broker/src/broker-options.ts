/** Options of a broker: the ports, and what is configured. */

import type { ClientIdPolicy } from './connection/client-identifier.ts';
import type { MemoryLevel } from './guards/memory-level.ts';
import type { RefusalAllowance } from './guards/refusal-allowance.ts';
import type { SharedCounts } from './guards/shared-counts.ts';
import type { SignInMemory } from './guards/sign-in-guard.ts';
import type { Audit } from './ports/audit.ts';
import type { Authenticator } from './ports/authenticator.ts';
import type { Authorizer } from './ports/authorizer.ts';
import type { Backplane } from './ports/backplane.ts';
import type { Clock } from './ports/clock.ts';
import type { Leases } from './ports/leases.ts';
import type { Limits } from './ports/limits.ts';
import type { Logger } from './ports/logger.ts';
import type { Metrics } from './ports/metrics.ts';
import type { Random } from './ports/random.ts';
import type { Store } from './ports/store.ts';
import type { Tracer } from './ports/tracer.ts';

export interface BrokerOptions {
  nodeId: string;
  /** Version of this software, for `$SYS` and logs. */
  version: string;
  /** Open already; closed by who opened it, after `stop`. */
  store: Store;
  /** Null: there is nobody else. */
  backplane: Backplane | null;
  clock: Clock;
  /** Absent: that of the system. */
  random?: Random;
  logger: Logger;
  metrics: Metrics;
  authenticator: Authenticator;
  /** Null: everything is allowed. */
  authorizer: Authorizer | null;
  /**
   * Answer to a publish that is not allowed and that nobody can be told of (QoS 0, MQTT 3): nothing more, or the client
   * is disconnected. Default `drop`.
   */
  deniedPublish?: 'drop' | 'disconnect';
  /** Client identifiers that clients may have; absent: any. */
  clientIds?: ClientIdPolicy;
  /**
   * Users that may connect with a client identifier whose connection or session belongs to a user: that one alone
   * (others get 0x87), or anybody, who owns it from then on. Default `anybody`.
   */
  sessionOwner?: 'user' | 'anybody';
  /** Answer to a will that is not allowed: it alone goes, or the CONNECT is refused. */
  deniedWill?: 'drop' | 'refuse';
  limits: Limits;
  /** Memory of `newSharedRates` in which the workers of this node charge users; absent: there is one worker. */
  rates?: SharedArrayBuffer;
  /** Allowance in which the workers of this node count the refusals that are logged; absent: there is one worker. */
  refusals?: RefusalAllowance;
  /** Counts of the subscriptions of all workers of this node, and of nothing else; absent: there is one worker. */
  subscriptionCounts?: SharedCounts;
  /** Level of memory of the node, as its supervisor writes it; absent: nobody does. */
  memory?: MemoryLevel;
  /** Memory in which the workers of this node count sign-ins; absent: there is one worker. */
  attempts?: SignInMemory;
  /** True when connects and disconnects are in the log at level info; else they are for debugging. */
  tellsConnections?: boolean;
  /** Address at which this node speaks HTTP: told those who try it at a port of MQTT. Absent: none. */
  httpUrl?: string;
  /** Null, or absent: whoever starts the workers knows which have ended, and releases what they owned. */
  leases?: Leases | null;
  /** Audit log; null, or absent: there is none. */
  audit?: Audit | null;
  /** True: commands write bans into the store by themselves, and a worker records them; else who was asked does. */
  recordsBans?: boolean;
  /** Null, or absent: nothing is traced. */
  tracer?: Tracer | null;
  /** A random number for hashing; from the caller, so that a simulation can repeat itself. */
  seed?: number;
}
