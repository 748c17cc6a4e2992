import { type Clock, CodedError, type EndpointId, type Leases, type Logger } from '@dunlin/broker/ports';
import type { ReadCredentials } from './dialer.ts';
import type { RefusalReason } from './refusals.ts';
import type { Timings } from './timings.ts';

export interface SigningOptions {
  /** Secrets at the start: the first signs, each is accepted. */
  secrets: readonly string[];
  /** Reads them again; called every few seconds. Null: there is nothing that can be used, and those before stay. */
  read: () => Promise<readonly string[] | null>;
  /** True while the secret is introduced: messages without a signature are taken too. */
  allowUnsigned: boolean;
}

export interface NatsBackplaneOptions {
  /** `nodeId/workerIndex#incarnation`, new at every start. */
  self: EndpointId;
  /** `nats://user:password@host:port,nats://host2:port`, `nats://token@host` or `tls://…`. */
  servers: string;
  /**
   * Credentials and trust of this side, read for every connection anew. Without them: the password or token in
   * `servers`, and the system's authorities.
   */
  credentials?: ReadCredentials;
  /** Release of Dunlin of this endpoint: others are told, and log it where theirs differs. */
  release?: string;
  /** Signatures; absent: messages are neither signed nor checked. */
  signing?: SigningOptions;
  /** Called for every message that is refused, with the reason. */
  refused?: (reason: RefusalReason) => void;
  /** Clusters of different names on one NATS do not see each other. */
  clusterName?: string;
  /**
   * Leases of the living endpoints in the store. Null: there is no store that endpoints share; then silence alone makes
   * an endpoint dead.
   */
  leases: Leases | null;
  logger: Logger;
  clock: Clock;
  /**
   * True for endpoints that are reached in another way, such as the other workers of this node: they are neither
   * reported nor heard.
   */
  ignores?: (endpoint: EndpointId) => boolean;
  timings?: Partial<Timings>;
  /** Called at every change of whether NATS can be reached, for readiness; it begins with false. */
  connected?: (isConnected: boolean) => void;
  /**
   * NATS accepts the connection and refuses permissions that are needed: `publish to SUBJECT`, `subscribe to SUBJECT`.
   * Called when they change; with none when all are granted.
   */
  denied?: (what: readonly string[]) => void;
  /**
   * Called when neither the store, for the time of a lease, nor NATS could confirm that this endpoint still lives.
   * Durable sessions are to be given up.
   */
  leaseLost?: () => void;
  /** Called after `leaseLost`: it was not evicted meanwhile. */
  leaseRegained?: () => void;
  /** Called once when this endpoint was evicted. It stops, and is to be replaced by one with a new name. */
  evicted?: () => void;
}

/** Reason why `start` was rejected. */
export class NatsBackplaneError extends CodedError<'stopped' | 'evicted'> {
  constructor(code: 'stopped' | 'evicted') {
    super(code, code === 'stopped' ? 'stopped before it had joined' : 'found dead by others before it had joined');
  }
}

/** Counts of events since the start; they only ever grow. */
export interface NatsCounters {
  connections: number;
  messagesSent: number;
  bytesSent: number;
  messagesReceived: number;
  bytesReceived: number;
  /** Calls of `send` and `broadcast` whose bytes were dropped: no connection, or a lease in doubt. */
  droppedDisconnected: number;
  /** … too many bytes that the server has not accepted. */
  droppedPending: number;
  /** … larger than `wholeBytesMax`. */
  droppedOversize: number;
  /** Messages received that were refused, by reason. */
  refused: Record<RefusalReason, number>;
  /** Received pieces of messages that were not completed. */
  piecesDropped: number;
  /** Received bytes of an earlier connection of the sender. */
  stale: number;
}

export function newCounters(): NatsCounters {
  return {
    connections: 0,
    messagesSent: 0,
    bytesSent: 0,
    messagesReceived: 0,
    bytesReceived: 0,
    droppedDisconnected: 0,
    droppedPending: 0,
    droppedOversize: 0,
    refused: { unreadable: 0, unsigned: 0, forged: 0, replayed: 0, 'needs-secret': 0 },
    piecesDropped: 0,
    stale: 0,
  };
}
