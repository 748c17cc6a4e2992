// The one place where adapters are chosen: which store, which backplane, who may connect.
import type { MessagePort } from 'node:worker_threads';
import { AnonymousAuthenticator, Broker, MemoryStore, Metrics, type Store } from '@dunlin/broker';
import type { Configuration } from '@dunlin/config';
import { NodeLogger } from '@dunlin/telemetry';
import type { MessagePortBackplane } from './backplane/message-port-backplane.ts';
import { RemoteStore } from './store/remote-store.ts';
import { SystemClock } from './system-clock.ts';

/** True when the store lives in a thread of its own: memory cannot be shared in any other way. */
export function needsStoreThread(configuration: Configuration): boolean {
  return configuration.store.kind === 'memory' && configuration.workers > 1;
}

/** The store as one thread sees it, not yet open. LMDB is loaded only where it is used. */
export async function composeStore(configuration: Configuration, storePort: MessagePort | null): Promise<Store> {
  if (storePort !== null) return new RemoteStore('memory', storePort);
  const { kind, path, durability } = configuration.store;
  if (kind === 'memory') return new MemoryStore();
  const { LmdbStore } = await import('@dunlin/store-lmdb');
  return new LmdbStore({ path, durability, exclusive: configuration.workers === 1 });
}

export function composeLogger(configuration: Configuration, workerIndex: number | null): NodeLogger {
  const fields =
    workerIndex === null ? { node: configuration.nodeId } : { node: configuration.nodeId, worker: workerIndex };
  return new NodeLogger({ level: configuration.log.level, format: configuration.log.format, fields });
}

export interface BrokerParts {
  configuration: Configuration;
  version: string;
  store: Store;
  backplane: MessagePortBackplane | null;
  logger: NodeLogger;
}

/** The broker of one worker. Listeners that are open to everyone are the only ones the configuration lets through, so everyone is let in. */
export function composeBroker({ configuration, version, store, backplane, logger }: BrokerParts): Broker {
  return new Broker({
    nodeId: configuration.nodeId,
    version,
    store,
    backplane,
    clock: new SystemClock(),
    logger,
    metrics: new Metrics(),
    authenticator: new AnonymousAuthenticator(),
    authorizer: null,
    limits: configuration.limits,
  });
}
