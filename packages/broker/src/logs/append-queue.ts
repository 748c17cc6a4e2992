/**
 * Appends to logs, gathered over a turn of the event loop and sent to the store as one batch (P1).
 *
 * The order is kept: requests enter in the order of their PUBLISH packets, one batch at a time is under way, and the
 * store numbers messages in the order in which it gets them. An acknowledgement is settled only after the store has
 * confirmed. A batch that failed is sent again until it succeeds, and its publishers wait (ARCHITECTURE.md, section 9,
 * "Redis restarts"). It may have been stored although the answer was lost, so each batch has an origin by which the
 * store recognises it: a message is stored once, whoever published it (P2).
 */

import { readRecord } from '../message/message-record.ts';
import type { Pending } from '../message/pending.ts';
import type { Publication } from '../message/publication.ts';
import { WriteBacklog } from '../message/write-backlog.ts';
import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import type { AppendRequest, AppendResult, LogStore } from '../ports/log-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { DurableLog } from '../session/durable-log.ts';
import type { StoreTrust } from '../work/store-trust.ts';
import type { TurnClock } from '../work/turn-clock.ts';

const retryMilliseconds = 250;
/** Bytes on their way into logs above which publishers are not read; messages are bounded by their acknowledgements. */
const backlogBytesMax = 16 * 1024 * 1024;

/** A message on its way into logs. */
export interface PendingAppend {
  request: AppendRequest;
  logs: readonly DurableLog[];
  /** Null: no client waits (wills, delayed publishes). */
  acknowledgement: Pending | null;
  /** Called with the numbers before the acknowledgement is settled; sends the message to other endpoints. */
  appended: ((sequences: AppendResult, publication: Publication) => void) | null;
}

export interface AppendQueueParts {
  logStore: LogStore;
  /** Writer as in AppendOrigin, a name that no other queue has or had. */
  writer: string;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  trust: StoreTrust;
  /** Renewed before messages are delivered: their remaining expiry is counted from it. */
  turn: TurnClock;
}

export class AppendQueue {
  private readonly logStore: LogStore;
  private readonly writer: string;
  private readonly turn: TurnClock;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly trust: StoreTrust;
  private gathered: PendingAppend[] = [];
  /**
   * The batch that is on its way to the store, or failed and waits for its repetition: no later one may overtake it
   * (P4).
   */
  private batch: PendingAppend[] | null = null;
  private batchNumber = 0;
  private isFailed = false;
  private isScheduled = false;
  private idleWaiters: (() => void)[] = [];
  private readonly backlog = new WriteBacklog(backlogBytesMax, Number.POSITIVE_INFINITY);

  constructor({ logStore, writer, clock, logger, metrics, trust, turn }: AppendQueueParts) {
    this.logStore = logStore;
    this.writer = writer;
    this.turn = turn;
    this.clock = clock;
    this.logger = logger;
    this.metrics = metrics;
    this.trust = trust;
    clock.every(retryMilliseconds, () => this.retry());
  }

  add(append: PendingAppend): void {
    this.gathered.push(append);
    this.backlog.begin(append.request.record.length, append.acknowledgement?.publisher ?? null);
    if (this.isScheduled || this.batch !== null) return;
    this.isScheduled = true;
    this.clock.nextTurn(() => this.sendGathered());
  }

  /** Number of messages under way. */
  get length(): number {
    return this.gathered.length + (this.batch?.length ?? 0);
  }

  /**
   * The store has lost messages that it had accepted. Publishes of clients that wait are neither stored nor
   * acknowledged: their clients have to be disconnected, and send them again, in order. Stored now they would come
   * before those that are lost. Messages that no client has are kept.
   */
  giveUpPublishes(): void {
    const isKept = (append: PendingAppend): boolean => {
      const kept = append.acknowledgement?.isOfClient !== true;
      if (!kept) this.backlog.end(append.request.record.length);
      return kept;
    };
    this.gathered = this.gathered.filter(isKept);
    if (this.batch === null || !this.isFailed) return;
    // A new batch: the store may know this one, as it was.
    this.gathered = [...this.batch.filter(isKept), ...this.gathered];
    this.batch = null;
    this.isFailed = false;
    this.sendGathered();
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    if (this.batch === null && this.gathered.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  private sendGathered(): void {
    this.isScheduled = false;
    if (this.batch !== null) return;
    if (this.gathered.length === 0) {
      for (const wake of this.idleWaiters.splice(0)) wake();
      return;
    }
    this.batch = this.gathered;
    this.gathered = [];
    this.batchNumber++;
    this.write(this.batch);
  }

  private write(batch: PendingAppend[]): void {
    this.isFailed = false;
    const requests = batch.map((append) => append.request);
    const origin = { writer: this.writer, batch: this.batchNumber };
    const moment = this.trust.losses;
    this.logStore.append(requests, this.clock.now(), origin).then(
      (results) => {
        this.turn.renew();
        this.metrics.logAppends += batch.length;
        for (let i = 0; i < batch.length; i++) this.confirm(batch[i], results[i], moment);
        this.batch = null;
        this.sendGathered(); // what came meanwhile is the next batch: the store commits groups
      },
      (error: unknown) => {
        this.metrics.storeErrors++;
        this.logger.error(events['messages.store-failed'], {
          messages: batch.length,
          error,
        });
        this.isFailed = true;
      },
    );
  }

  private confirm(append: PendingAppend, sequences: AppendResult, moment: number): void {
    const { logs, acknowledgement } = append;
    this.backlog.end(append.request.record.length);
    if (acknowledgement !== null) acknowledgement.needsStored(moment);
    // Empty: the session of the publisher has moved, nothing was stored, nothing is acknowledged here.
    if (sequences.length === 0 && append.request.filters.length > 0) {
      if (acknowledgement !== null) acknowledgement.refused();
      return;
    }
    if (logs.length > 0) {
      const publication = readRecord(append.request.record);
      // A negative number: an attempt whose answer was lost has stored the message. Neither this nor any other endpoint
      // has seen it since.
      for (let i = 0; i < logs.length; i++)
        if (sequences[i] !== 0) logs[i].arrived(Math.abs(sequences[i]), publication);
      if (append.appended !== null) append.appended(sequences, publication);
    }
    if (acknowledgement !== null) acknowledgement.settle();
  }

  private retry(): void {
    if (this.isFailed && this.batch !== null) this.write(this.batch);
  }
}
