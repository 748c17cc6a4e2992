// The parts of a worker that no other thread of a node has: its backplane, its tracer and its broker.

import type { Access } from '@dunlin/auth';
import type { RefusalReason } from '@dunlin/backplane-nats';
import { AnonymousAuthenticator, Broker } from '@dunlin/broker';
import type { MemoryLevel, RefusalAllowance, SharedCounts, SignInMemory } from '@dunlin/broker/guards';
import type { Audit, Backplane, Leases, Logger, Metrics, Store, Tracer } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import { startTracing, tracingSettings } from '@dunlin/telemetry';
import { clusterSigning } from '../backplane/cluster-signing.ts';
import { MessagePortBackplane } from '../backplane/message-port-backplane.ts';
import { NodeBackplane } from '../backplane/node-backplane.ts';
import { isInCluster, isStoreRemote } from '../compose.ts';
import { natsCredentials, withPassword } from '../credentials.ts';
import { events } from '../log-events.ts';
import { subscriptionBytesMax } from '../node-limits.ts';
import { SystemClock } from '../system-clock.ts';
import type { WorkerSetup } from './worker-message.ts';

/**
 * Time that saying goodbye to NATS may take, and closing the connection again as long: a stop whose servers are all
 * silent is to take 4 s as a whole.
 */
const backplaneStopMilliseconds = 500;

/** Events of the cluster that a worker hears. */
export interface ClusterEvents {
  connected(isConnected: boolean): void;
  denied(what: readonly string[]): void;
  leaseLost(): void;
  leaseRegained(): void;
  evicted(): void;
}

export interface BackplaneParts {
  setup: WorkerSetup;
  leases: Leases | null;
  logger: Logger;
  events: ClusterEvents;
  /** Called for each message between nodes that is refused. */
  refused: (reason: RefusalReason) => void;
}

export interface ComposedBackplane {
  /** Null: this worker is all there is. */
  backplane: Backplane | null;
  /** The part of it that takes the workers of this node; null: there are no others. */
  local: MessagePortBackplane | null;
}

/** Backplane of a worker. NATS is loaded only where it is used. */
export async function composeBackplane(parts: BackplaneParts): Promise<ComposedBackplane> {
  const { setup, leases, logger, events, refused } = parts;
  const { configuration, endpoint, peers } = setup;
  const isAlone = configuration.workers === 1;
  if (!isInCluster(configuration)) {
    // Without company it gives the worker its name: claims in Redis outlive the node, and are told apart by it.
    const local = isAlone && !isStoreRemote(configuration) ? null : new MessagePortBackplane(endpoint, peers);
    return { backplane: local, local };
  }
  const { backplane: keys } = configuration;
  const { NatsBackplane } = await import('@dunlin/backplane-nats');
  const signing = await clusterSigning(configuration, logger);
  const remote = new NatsBackplane({
    self: endpoint,
    servers: withPassword(keys.url, keys.passwordFile, 'token'),
    credentials: natsCredentials(configuration, logger),
    clusterName: configuration.cluster.name,
    release: setup.version,
    ...(signing === undefined ? {} : { signing }),
    refused,
    leases,
    logger,
    clock: new SystemClock(),
    timings: { stopMilliseconds: backplaneStopMilliseconds },
    ignores: (other) => other.startsWith(`${configuration.nodeId}/`),
    ...events,
  });
  if (isAlone) return { backplane: remote, local: null };
  const local = new MessagePortBackplane(endpoint, peers);
  return { backplane: new NodeBackplane(local, remote), local };
}

export interface BrokerParts {
  configuration: Configuration;
  version: string;
  store: Store;
  leases: Leases | null;
  backplane: Backplane | null;
  access: Access | null;
  logger: Logger;
  metrics: Metrics;
  tracer: Tracer | null;
  /** Null: there is no audit log. */
  audit: Audit | null;
  refusals: RefusalAllowance;
  rates: SharedArrayBuffer;
  subscriptionCounts: SharedCounts;
  memory: MemoryLevel;
  attempts: SignInMemory;
}

/** Null: nothing is traced, and nothing is loaded for it. Of variables that are not understood one worker speaks for all. */
export async function composeTracer(setup: WorkerSetup, logger: Logger, metrics: Metrics) {
  const { configuration, version, endpoint } = setup;
  const settings = tracingSettings(configuration.tracing, process.env, (variable, given, allowed, instead) => {
    if (setup.index === 0) logger.warn(events['tracing-variable.ignored'], { variable, given, allowed, instead });
  });
  if (settings === null) return null;
  return startTracing(settings, { nodeId: configuration.nodeId, endpoint, version, logger, metrics });
}

/** The broker of one worker. Without anything that says who may enter, the configuration lets only listeners through that are open to everyone. */
export function composeBroker(parts: BrokerParts): Broker {
  const { configuration, version, store, leases, backplane, access, logger, metrics, tracer } = parts;
  const { refusals, rates, attempts, memory, subscriptionCounts, audit } = parts;
  const { address } = configuration.admin;
  const { authentication } = configuration;
  return new Broker({
    nodeId: configuration.nodeId,
    version,
    store,
    leases,
    backplane,
    clock: new SystemClock(),
    logger,
    metrics,
    tracer,
    audit,
    // A node with an embedded store is asked by the command, and records that itself.
    recordsBans: isStoreRemote(configuration),
    authenticator: access?.authenticator ?? new AnonymousAuthenticator(),
    authorizer: access?.authorizer ?? null,
    deniedPublish: configuration.authorization.deniedPublish,
    deniedWill: configuration.authorization.deniedWill,
    clientIds: { mode: authentication.clientId, separator: authentication.clientIdSeparator },
    // Where nobody is authenticated, names are not proved.
    sessionOwner: access === null ? 'anybody' : configuration.sessions.owner,
    limits: { ...configuration.limits, subscriptionBytesNodeMax: subscriptionBytesMax(configuration) },
    ...{ refusals, rates, attempts, memory, subscriptionCounts },
    tellsConnections: configuration.log.connections,
    httpUrl: address === '' ? '' : `http://${address}`,
  });
}

/** Audit log of a worker, whose records its supervisor writes; null: there is none, and nothing is loaded for it. */
export async function composeAudit({ auditPort, configuration, index }: WorkerSetup): Promise<Audit | null> {
  if (auditPort === null) return null;
  const { AuditLines, ownFields } = await import('../audit/audit-lines.ts');
  return new AuditLines(ownFields(configuration.nodeId, index), (lines) => auditPort.postMessage(lines));
}
