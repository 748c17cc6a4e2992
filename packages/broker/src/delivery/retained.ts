/**
 * Retained messages: one per topic in the store, sent on subscribe (MQTT 5 section 3.3.1.3).
 *
 * A publish that races a subscribe is not lost. The route is made known first; then retained messages are read, and
 * that read waits for every write of a retained message that was begun here before; other endpoints confirm a route
 * only when their own writes are done. The replay is a cursor: it reads a page, sends what the client's window and
 * socket take, and continues when there is room.
 */
import { RecordError, readRecord, writeRecord } from '../message/message-record.ts';
import type { HeldPublisher } from '../message/pending.ts';
import type { Publication } from '../message/publication.ts';
import { WriteBacklog } from '../message/write-backlog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Quota } from '../ports/quota.ts';
import type { RetainedEntry, RetainedPage, RetainedStore } from '../ports/retained-store.ts';
import { StoreError } from '../ports/store-error.ts';
import type { Subscription } from '../session/subscription.ts';
import { WritesUnderWay } from '../session/writes-under-way.ts';
import type { RareWarnings } from '../work/rare-warnings.ts';
import { TurnGate } from '../work/turn-gate.ts';
import type { SessionDelivery } from './session-delivery.ts';

/** Retained messages read at once. */
const pageMessages = 200;
/**
 * Concurrent reads for filters with wildcards, for all clients of this worker: a page of an embedded store, and its
 * messages, take up to 5 ms.
 */
const pagesPerTurn = 1;
/** Bytes on their way to the client above which the replay waits. */
const outputBufferBytesMax = 256 * 1024;
/** Bytes of pages, of all replays of this worker that wait for their clients. Beyond it a page is let go, and read again. */
const heldBytesMax = 16 * 1024 * 1024;
const retryMilliseconds = 500;
/** Retained messages on their way to the store above which their publishers are not read. */
const backlogWritesMax = 1000;
const backlogBytesMax = 8 * 1024 * 1024;
/** Limit of retained messages of QoS 0 that wait for the store; more are dropped while it does not take them. */
const failedBytesMax = 16 * 1024 * 1024;

/** Callback of a write; `refusal`: the quota that is used up, so that nothing was stored; empty: none. */
type WriteDone = (refusal: string) => void;

/** The newest value of a topic that is not stored yet. */
interface Write {
  topic: string;
  record: Buffer | null;
  expiresAt: number;
  client: string;
  user: string;
  /** Callbacks of this value, and of older values that it has replaced. */
  done: WriteDone[];
  /** The store has failed: the write waits for the timer. */
  failed: boolean;
}

export interface RetainedMessagesParts {
  store: RetainedStore;
  delivery: SessionDelivery;
  clock: Clock;
  logger: Logger;
  warnings: RareWarnings;
  limits: Limits;
}

export class RetainedMessages {
  private readonly store: RetainedStore;
  private readonly clock: Clock;
  private readonly delivery: SessionDelivery;
  private readonly logger: Logger;
  private readonly warnings: RareWarnings;
  private readonly quota: Quota;
  private readonly underWay = new WritesUnderWay();
  private readonly backlog = new WriteBacklog(backlogBytesMax, backlogWritesMax);
  private readonly walks: TurnGate;
  /** The newest unfinished write of each topic. */
  private readonly latest = new Map<string, Write>();
  private failed: Write[] = [];
  private failedBytes = 0;
  /** Bytes of pages whose replays wait for their clients. */
  private heldBytes = 0;
  /** Replays that wait for the store. */
  private readWaiters: (() => void)[] = [];

  constructor({ store, delivery, clock, logger, warnings, limits }: RetainedMessagesParts) {
    this.store = store;
    this.delivery = delivery;
    this.logger = logger;
    this.warnings = warnings;
    this.quota = {
      countMax: limits.retainedMessagesMax,
      bytesMax: limits.retainedBytesMax,
      userCountMax: limits.retainedMessagesPerUserMax,
      userBytesMax: limits.retainedBytesPerUserMax,
    };
    this.clock = clock;
    this.walks = new TurnGate(clock, pagesPerTurn);
    clock.every(retryMilliseconds, () => this.retry());
  }

  /**
   * Stores the message as the retained one of its topic, or removes that if the payload is empty [MQTT-3.3.1-5..7].
   * `user`: whose quota it counts against. `publisher`: the client that it came from; null: none. `done` is called when
   * it is stored, or refused.
   */
  set(
    publication: Publication,
    topic: string,
    user: string,
    publisher: HeldPublisher | null,
    done: WriteDone | null,
  ): void {
    const isEmpty = publication.payloadEnd === publication.payloadStart;
    const record = isEmpty ? null : writeRecord(publication);
    const expiresAt = publication.expiresAt === 0 ? Number.POSITIVE_INFINITY : publication.expiresAt;
    const before = this.latest.get(topic);
    if (before?.failed) {
      // Repeated with the new value: an older one must never be written after it.
      this.failedBytes += sizeOf(record) - sizeOf(before.record);
      before.record = record;
      before.expiresAt = expiresAt;
      before.client = publication.publisher;
      before.user = user;
      if (done !== null) before.done.push(done);
      return;
    }
    if (done === null && this.failedBytes > failedBytesMax) {
      this.delivery.metrics.dropped['queue-full']++;
      return;
    }
    const client = publication.publisher;
    const write: Write = { topic, record, expiresAt, client, user, done: done === null ? [] : [done], failed: false };
    this.latest.set(topic, write);
    this.write(write, publisher);
  }

  private write(write: Write, publisher: HeldPublisher | null): void {
    const generation = this.underWay.begin();
    // The record may be a newer one when it has ended.
    const bytes = sizeOf(write.record);
    this.backlog.begin(bytes, publisher);
    const ended = (): void => {
      this.underWay.end(generation);
      this.backlog.end(bytes);
    };
    const charge = { user: write.user, quota: this.quota };
    this.store.set(write.topic, write.record, write.expiresAt, charge).then(
      () => {
        if (this.latest.get(write.topic) === write) this.latest.delete(write.topic);
        ended();
        for (const done of write.done) done('');
      },
      (error: unknown) => {
        if (error instanceof StoreError && error.code === 'quota-exceeded') this.writeRefused(write, error);
        else this.writeFailed(write, error);
        ended();
      },
    );
  }

  private writeRefused(write: Write, error: StoreError): void {
    if (this.latest.get(write.topic) === write) this.latest.delete(write.topic);
    this.delivery.metrics.dropped['retained-quota']++;
    const { client, user, topic } = write;
    this.warnings.warn(events['retained.refused'], client, { user, topic, error });
    for (const done of write.done) done(error.message);
  }

  private writeFailed(write: Write, error: unknown): void {
    this.delivery.metrics.storeErrors++;
    const newer = this.latest.get(write.topic);
    if (newer === undefined) {
      for (const done of write.done) done(''); // a newer value is stored already
    } else if (newer !== write) {
      newer.done.push(...write.done);
    } else {
      this.logger.warn(events['retained.store-failed'], {
        topic: write.topic,
        error,
      });
      write.failed = true;
      this.failedBytes += sizeOf(write.record);
      this.failed.push(write);
    }
  }

  private retry(): void {
    for (const wake of this.readWaiters.splice(0)) wake();
    const failed = this.failed;
    this.failed = [];
    this.failedBytes = 0;
    for (const write of failed) {
      write.failed = false;
      this.write(write, null);
    }
  }

  /**
   * Resolves when every write begun so far is readable, or has failed: a write that the store cannot take must not hold
   * up every SUBACK.
   */
  idle(): Promise<void> {
    return this.underWay.settled();
  }

  /**
   * The first messages that match, read before SUBACK: messages retained after that arrive as live messages alone, not
   * twice. Null: the store is not available; SUBACK does not wait for it, the replay does.
   */
  async firstPage(subscription: Subscription): Promise<RetainedPage | null> {
    await this.idle();
    return this.readPage(subscription, null);
  }

  /**
   * Sends all that match the subscription, from its first page on. Resolves when the last one was given to the session,
   * or the session ended.
   */
  async replay(subscription: Subscription, first: RetainedPage | null): Promise<void> {
    let page = first;
    let after: string | null = null;
    /** Topics that were sent of a page that was let go: it is read again. */
    const sent = new Set<string>();
    for (;;) {
      if (page === null) await this.storeAgain();
      else {
        const outcome = await this.sendPage(page, subscription, sent);
        if (outcome === 'ended') return;
        if (outcome === 'sent') {
          if (page.next === null) return;
          after = page.next;
        }
      }
      if (subscription.session.hasEnded) return;
      page = await this.readPage(subscription, after);
    }
  }

  /**
   * Sends a page but for the topics in `sent`. `let-go`: others wait for their clients with pages enough, and this client
   * has room again; the page is to be read anew, and `sent` says what was sent of it. `ended`: the subscription has.
   */
  private async sendPage(
    page: RetainedPage,
    subscription: Subscription,
    sent: Set<string>,
  ): Promise<'sent' | 'let-go' | 'ended'> {
    let hasSkipped = false;
    for (let i = 0; i < page.entries.length; i++) {
      const entry = page.entries[i];
      if (sent.has(entry.topic)) {
        hasSkipped = true;
        continue;
      }
      if (!hasRoom(subscription) && !(await this.waitWith(page, subscription))) {
        for (const { topic } of page.entries.slice(0, i)) sent.add(topic);
        page.entries.length = 0;
        await roomFor(subscription);
        return 'let-go';
      }
      const { session, filter } = subscription;
      if (!session.isCompared) session.compareWithRules();
      if (session.hasEnded || session.subscriptions.get(filter) !== subscription) return 'ended';
      this.sendEntry(entry, subscription);
    }
    if (!hasSkipped) sent.clear();
    return 'sent';
  }

  /** Waits for room while the page is kept. False: too many are kept. */
  private async waitWith(page: RetainedPage, subscription: Subscription): Promise<boolean> {
    const bytes = page.entries.reduce((sum, { record }) => sum + record.length, 0);
    if (this.heldBytes + bytes > heldBytesMax) return false;
    this.heldBytes += bytes;
    await roomFor(subscription);
    this.heldBytes -= bytes;
    return true;
  }

  /** Reads a page. Null: the store is not available; clients are not disconnected for that. */
  private async readPage(subscription: Subscription, after: string | null): Promise<RetainedPage | null> {
    try {
      if (/[+#]/.test(subscription.filter)) await this.walks.pass();
      return await this.store.read(subscription.filter, after, pageMessages, this.clock.now());
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error;
      this.delivery.metrics.storeErrors++;
      return null;
    }
  }

  /** Resolves after a pause, when the store may be asked again. */
  private storeAgain(): Promise<void> {
    return new Promise((resolve) => this.readWaiters.push(resolve));
  }

  private sendEntry(entry: RetainedEntry, subscription: Subscription): void {
    try {
      const publication = readRecord(entry.record);
      publication.trace = null; // each subscription, for years, would continue its trace
      // With Retain As Published or without, a retained message sent on subscribe has RETAIN 1 [MQTT-3.3.1-8].
      this.delivery.send(publication, subscription, true);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.logger.error(events['retained.skipped'], {
        topic: entry.topic,
        error,
      });
    }
  }
}

/** True also of a session that has ended: nothing is to be waited for. */
function hasRoom({ session }: Subscription): boolean {
  return session.hasEnded || (session.hasRoom && session.outlet.output.pendingBytes <= outputBufferBytesMax);
}

async function roomFor(subscription: Subscription): Promise<void> {
  while (!hasRoom(subscription)) await subscription.session.outlet.nextRoom();
}

function sizeOf(record: Buffer | null): number {
  return record?.length ?? 0;
}
