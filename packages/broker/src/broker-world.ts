/** Ports and configuration of one worker's broker. */
import type { BrokerOptions } from './broker-options.ts';
import type { ClientIdPolicy } from './connection/client-identifier.ts';
import { MemoryLevel } from './guards/memory-level.ts';
import { SignInGuard } from './guards/sign-in-guard.ts';
import type { Audit } from './ports/audit.ts';
import type { Authenticator } from './ports/authenticator.ts';
import type { Authorizer } from './ports/authorizer.ts';
import type { Backplane } from './ports/backplane.ts';
import type { Clock } from './ports/clock.ts';
import type { EndpointId } from './ports/endpoint-id.ts';
import type { Limits } from './ports/limits.ts';
import type { Logger } from './ports/logger.ts';
import type { Metrics } from './ports/metrics.ts';
import { type Random, systemRandom } from './ports/random.ts';
import type { Store } from './ports/store.ts';
import type { Tracer } from './ports/tracer.ts';

export abstract class BrokerWorld {
  readonly self: EndpointId;
  readonly version: string;
  readonly store: Store;
  readonly backplane: Backplane | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer | null;
  readonly deniedPublish: 'drop' | 'disconnect';
  readonly deniedWill: 'drop' | 'refuse';
  readonly isOwnersOnly: boolean;
  readonly clientIds: ClientIdPolicy;
  readonly limits: Limits;
  readonly memory: MemoryLevel;
  readonly signInGuard: SignInGuard;
  readonly httpUrl: string;
  readonly tracer: Tracer | null;
  /** Audit log for bans that others have put into the store; null: they are not recorded here. */
  readonly banAudit: Audit | null;

  constructor(options: BrokerOptions) {
    const { store, clock, logger, metrics, limits, backplane, tracer = null, random = systemRandom } = options;
    this.random = random;
    this.self = backplane?.self ?? `${options.nodeId}/0#0`;
    this.version = options.version;
    this.store = store;
    this.backplane = backplane;
    this.clock = clock;
    this.logger = logger;
    this.metrics = metrics;
    this.limits = limits;
    this.memory = options.memory ?? new MemoryLevel();
    this.signInGuard = new SignInGuard(limits, options.attempts);
    this.tracer = tracer;
    this.banAudit = options.recordsBans === true ? (options.audit ?? null) : null;
    this.authenticator = options.authenticator;
    this.authorizer = options.authorizer;
    this.deniedPublish = options.deniedPublish ?? 'drop';
    this.deniedWill = options.deniedWill ?? 'refuse';
    this.clientIds = options.clientIds ?? { mode: 'any', separator: '' };
    this.isOwnersOnly = options.sessionOwner === 'user';
    this.httpUrl = options.httpUrl ?? '';
  }
}
