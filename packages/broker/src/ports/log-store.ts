import type { SessionKey } from './session-key.ts';

/**
 * Numbers of one era: a log number is an era and a count of messages. No log holds so many messages, and the eras
 * suffice for 8 million restarts of a store.
 */
export const numbersPerEra = 2 ** 30;

export interface DurableFilter {
  filter: string;
  /**
   * The number of the last message in the log; 0: none yet. Numbering continues after a log was emptied, and after its
   * filter was dropped and added again.
   */
  lastSequence: number;
}

export interface AppendRequest {
  /**
   * Durable filters whose logs get the message, each once. A filter that is no longer durable is skipped (sequence 0).
   */
  filters: readonly string[];
  record: Uint8Array;
  /** Infinity: never. */
  expiresAt: number;
  /**
   * QoS 2: each log refuses a number of this producer that it already has (P2). A store that may go back, so that a
   * session gives numbers again, refuses it only if the digest is the same as well; absent, or 0: with any content.
   */
  producer: { clientId: string; number: number; digest?: number } | null;
  /**
   * QoS 2 of a durable session: packet identifier, producer number and digest are recorded in the session together with
   * the append.
   */
  inbound: { key: SessionKey; packetId: number; digest: number } | null;
}

/** Tells a batch of appends from its repetition. */
export interface AppendOrigin {
  /**
   * Writer that appends one batch after the other, the next when the one before is answered. The name is unique for
   * ever.
   */
  writer: string;
  /**
   * Number above that of the writer's batch before. The same for exactly the same requests, repeated because their
   * outcome is unknown.
   */
  batch: number;
}

/**
 * Numbers, one per filter of the request, in its order: the log number given; 0: the filter is no longer durable.
 * Negated, it is the number under which the message stands since before: its producer number was taken, or the batch of
 * its origin was appended (what was 0 then stays 0). Empty: `inbound` named a fenced session, and nothing was done for
 * this request.
 */
export type AppendResult = number[];

export interface LogEntry {
  sequence: number;
  record: Uint8Array;
  expiresAt: number;
}

export interface LogPage {
  entries: LogEntry[];
  /** Number of the last message in the log at the time of reading. */
  lastSequence: number;
  /** The lowest number not trimmed or dropped, lastSequence + 1 when the log is empty. */
  firstSequence: number;
}

/** Limits of logs; older messages are dropped first. */
export interface LogLimits {
  /** Messages and bytes of one log. */
  messagesMax: number;
  bytesMax: number;
  /**
   * Bytes of all logs together. Over it the largest are cut to one size, the oldest messages first, and smaller ones keep
   * everything. Absent: any number.
   */
  totalBytesMax?: number;
}

/** Port: the logs of durable filters. What holds for every part of a store is said in store.ts. */
export interface LogStore {
  durableFilters(): Promise<DurableFilter[]>;
  /**
   * The number of the last message in the log of each filter, in their order; 0 where there is no log. One read for all
   * of them, made every few seconds for the logs that local sessions read.
   */
  ends(filters: readonly string[]): Promise<number[]>;
  /** Bytes of all messages in logs; a message that is in several logs counts in each of them. One read, made every second. */
  bytes(): Promise<number>;
  /**
   * Appends. With an origin a batch is appended once, however often it is given and in whatever order the attempts
   * arrive: a message that an earlier attempt appended is answered with its number, and an attempt that comes when a
   * later batch of the writer was appended is refused with `fenced`: its writer has had its answer. Of each writer the
   * last batch is remembered, for at least a week, and for as long as a writer can live where it dies with the store.
   */
  append(requests: AppendRequest[], now: number, origin?: AppendOrigin): Promise<AppendResult[]>;
  /**
   * Entries numbered from `fromSequence` on that have not expired at `now`, ascending, at most that many, and at least one if
   * there is one however large.
   */
  read(filter: string, fromSequence: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage>;
  /**
   * Drops messages from the front: those that every cursor has passed, those over the limits, and expired ones. Returns
   * the number of messages dropped by limit.
   */
  trim(limits: LogLimits, now: number): Promise<number>;
}
