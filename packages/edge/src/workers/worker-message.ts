import type { MessagePort } from 'node:worker_threads';
import type { AccessTexts } from '@dunlin/auth';
import type { Asked, DrainOptions, EndpointId, QueryAnswer } from '@dunlin/broker';
import type { SignInMemory } from '@dunlin/broker/guards';
import type { Configuration, ListenerAddress } from '@dunlin/config';
import type { PeerPort } from '../backplane/message-port-backplane.ts';
import type { TlsMaterial } from '../listeners/tls-material.ts';

/** Values that a worker is given when it starts. */
export interface WorkerSetup {
  configuration: Configuration;
  version: string;
  endpoint: EndpointId;
  index: number;
  peers: PeerPort[];
  /** Port to the store, when it lives in a thread of its own. */
  storePort: MessagePort | null;
  /** Port to the audit log; null: there is none. */
  auditPort: MessagePort | null;
  /** Texts of the files with users and rules; null: every client may do everything. */
  accessTexts: AccessTexts | null;
  /** Memory that the worker counts in, as `NodeMetrics` lays it out. */
  figures: SharedArrayBuffer;
  /** Memory in which all workers count the refusals that are logged. */
  refusals: SharedArrayBuffer;
  /** Memory of those who signed in, or tried to. */
  attempts: SignInMemory;
  /** Memory in which all workers charge users for what they send and get. */
  rates: SharedArrayBuffer;
  /** Connections, and connections a second, by address. */
  byAddress: { connections: SharedArrayBuffer; connectRates: SharedArrayBuffer };
  /** Connections of all workers, as `newConnectionCounts` made it. */
  connectionCounts: SharedArrayBuffer;
  /** Memory in which all workers count subscriptions by user. */
  subscriptionCounts: SharedArrayBuffer;
  /** Signs of life of all workers, as `newHeartbeats` made the memory. */
  heartbeats: SharedArrayBuffer;
  /** Level of memory of the node, as `newMemoryLevel` made it. */
  memoryLevel: SharedArrayBuffer;
  /** Reasons why the node is not ready, as `NodeStatus` shares them. */
  readiness: SharedArrayBuffer;
  /** Memory of lines that one worker has logged for all. */
  spoken: SharedArrayBuffer;
  /** TLS material, one for each listener of the configuration; null where it has no TLS. */
  tls: readonly (TlsMaterial | null)[];
}

/** Supervisor to worker. */
export type WorkerCommand =
  /** Open the store, and join the other endpoints. */
  | { kind: 'prepare' }
  /** Open the listeners. One address for each listener of the configuration, with ports resolved by the first worker. */
  | { kind: 'listen'; addresses: ListenerAddress[] }
  | { kind: 'peer'; peer: PeerPort }
  /** New certificates or ticket keys for one listener, by its place in the configuration. */
  | { kind: 'tls'; listener: number; material: TlsMaterial }
  | { kind: 'log'; log: Configuration['log'] }
  /** Files with users and rules have changed. */
  | { kind: 'access'; texts: AccessTexts }
  | { kind: 'status'; id: number }
  /** Put a question of an operator, to itself and to others. */
  | { kind: 'query'; id: number; asked: Asked; body: string; milliseconds: number }
  /** Answer calls to the store, which this worker alone has. */
  | { kind: 'serve-store'; port: MessagePort }
  /** Write all counters into shared memory. */
  | { kind: 'count' }
  /** Collect garbage. */
  | { kind: 'collect'; isUrgent: boolean }
  /** Give up so many bytes that wait for clients. */
  | { kind: 'shed'; bytes: number }
  /** Accept no more connections. */
  | { kind: 'close-listeners' }
  /** Disconnect all clients at a pace. */
  | { kind: 'drain'; options: DrainOptions }
  | { kind: 'stop' };

/** Worker to supervisor. */
export type WorkerReport =
  /** The thread has loaded its code and files. */
  | { kind: 'composed' }
  /** The store is open, the broker has started; listeners may be opened. */
  | { kind: 'prepared' }
  | { kind: 'listening'; addresses: ListenerAddress[] }
  /** The start failed, and would fail again. */
  | { kind: 'failed'; message: string }
  | { kind: 'status'; id: number; status: WorkerStatus }
  | { kind: 'answers'; id: number; answers: QueryAnswer[] }
  /** The answer to `collect`, and to all that came before it. */
  | { kind: 'collected' }
  /** The answer to `count`. */
  | { kind: 'counted' }
  /** Health of the store and of the connection to the other nodes, when it has changed. */
  | ({ kind: 'health' } & WorkerHealth)
  /** The worker was evicted: it ends by itself. */
  | { kind: 'evicted' }
  | { kind: 'listeners-closed' }
  /** An operator wants no new connections at this node, or wants them again. */
  | { kind: 'cordoned'; isCordoned: boolean }
  /** All clients are disconnected. */
  | { kind: 'drained' }
  | { kind: 'stopping'; phase: StopPhase }
  | { kind: 'stopped' };

/** Servers that a worker needs, and whether it can reach them. True where it needs none. */
export interface WorkerHealth {
  store: boolean;
  /** The store accepts writes. */
  writable: boolean;
  backplane: boolean;
  /** Permissions at the backplane that the worker needs and is refused; empty: none. */
  denied: string;
}

export interface WorkerStatus {
  index: number;
  endpoint: EndpointId;
  connections: number;
}

/** Phases of a stop, in order. The supervisor names the phase that hangs. */
export type StopPhase =
  | 'closing listeners'
  | 'disconnecting clients and writing sessions back'
  | 'waiting for clients to close'
  | 'sending traces'
  | 'closing the store';
