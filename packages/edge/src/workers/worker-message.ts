import type { MessagePort } from 'node:worker_threads';
import type { AccessTexts } from '@dunlin/auth';
import type { DrainOptions, EndpointId } from '@dunlin/broker';
import type { Configuration, ListenerAddress } from '@dunlin/config';
import type { PeerPort } from '../backplane/message-port-backplane.ts';
import type { TlsMaterial } from '../listeners/tls-material.ts';

/** What a worker is given at its birth. */
export interface WorkerSetup {
  configuration: Configuration;
  version: string;
  endpoint: EndpointId;
  index: number;
  peers: PeerPort[];
  /** Where the store is, when it lives in a thread of its own. */
  storePort: MessagePort | null;
  /** Who may enter and who may do what; null: everybody, everything. */
  accessTexts: AccessTexts | null;
  /** Where it counts, as `NodeMetrics` lays it out. */
  figures: SharedArrayBuffer;
  /** Where all workers count the refusals that the log says. */
  refusals: SharedArrayBuffer;
  /** Connections of all workers, as `newConnectionCounts` made it. */
  connectionCounts: SharedArrayBuffer;
  /** … and remember what one of them has said for all. */
  spoken: SharedArrayBuffer;
  /** One for each listener of the configuration; null where it has no TLS. */
  tls: readonly (TlsMaterial | null)[];
}

/** Supervisor to worker. */
export type WorkerCommand =
  /** Open the store, join the others. */
  | { kind: 'prepare' }
  /** Open the doors. One address for each listener of the configuration, with ports resolved by the first worker. */
  | { kind: 'listen'; addresses: ListenerAddress[] }
  | { kind: 'peer'; peer: PeerPort }
  /** Other certificates or ticket keys for one listener, by its place in the configuration. */
  | { kind: 'tls'; listener: number; material: TlsMaterial }
  | { kind: 'log'; log: Configuration['log'] }
  /** Files that say who may enter and who may do what have changed. */
  | { kind: 'access'; texts: AccessTexts }
  | { kind: 'status'; id: number }
  /** Write all that is counted into shared memory. */
  | { kind: 'count' }
  /** Accept no more. */
  | { kind: 'close-listeners' }
  /** Send all clients away at a pace. */
  | { kind: 'drain'; options: DrainOptions }
  | { kind: 'stop' };

/** Worker to supervisor. */
export type WorkerReport =
  /** The thread has loaded what it needs. */
  | { kind: 'composed' }
  /** The store is open, the broker has started; listeners may be opened. */
  | { kind: 'prepared' }
  | { kind: 'listening'; addresses: ListenerAddress[] }
  /** The start did not succeed, and would not if it were repeated. */
  | { kind: 'failed'; message: string }
  | { kind: 'status'; id: number; status: WorkerStatus }
  /** The answer to `count`. */
  | { kind: 'counted' }
  /** Whether the store and the other nodes can be reached, when that has changed. */
  | ({ kind: 'health' } & WorkerHealth)
  /** The others hold it for dead: it ends by itself. */
  | { kind: 'evicted' }
  | { kind: 'listeners-closed' }
  /** No client is left. */
  | { kind: 'drained' }
  | { kind: 'stopping'; phase: StopPhase }
  | { kind: 'stopped' };

/** What a worker needs and can reach. True where it needs none. */
export interface WorkerHealth {
  store: boolean;
  /** The store takes writes: its disk does. */
  writable: boolean;
  backplane: boolean;
  /** What the worker needs of the backplane and is refused; empty: nothing. */
  denied: string;
}

export interface WorkerStatus {
  index: number;
  endpoint: EndpointId;
  connections: number;
}

/** In order. The supervisor names the phase that hangs. */
export type StopPhase =
  | 'closing listeners'
  | 'disconnecting clients and writing sessions back'
  | 'waiting for clients to close'
  | 'sending traces'
  | 'closing the store';
