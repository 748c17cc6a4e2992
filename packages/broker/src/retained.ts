/**
 * Retained messages: kept by the store, one per topic; sent on subscribe (features D3, MQTT 5 section 3.3.1.3).
 *
 * A publish that races a subscribe is not lost: the route is made known first, then what is retained is read, and that read waits for every write of a
 * retained message that was begun here before; other endpoints confirm a route only when their own writes are through. The replay is a
 * cursor: it reads a page, sends what the client's window and socket take, and goes on when there is room.
 */
import { RecordError, readRecord, writeRecord } from './message-record.ts';
import type { Clock } from './ports/clock.ts';
import type { Logger } from './ports/logger.ts';
import type { RetainedEntry, Store } from './ports/store.ts';
import type { Publication } from './publication.ts';
import type { SessionDelivery } from './session-delivery.ts';
import type { Subscription } from './subscription.ts';

/** Retained messages read at once. */
const pageMessages = 200;
/** The replay waits while more than this is on its way to the client. */
const outboxBytesMax = 256 * 1024;
const retryMilliseconds = 500;

export class RetainedMessages {
  private readonly store: Store;
  private readonly delivery: SessionDelivery;
  private readonly logger: Logger;
  private writesUnderWay = 0;
  private idleWaiters: (() => void)[] = [];
  private failed: (() => void)[] = [];

  constructor(store: Store, delivery: SessionDelivery, clock: Clock, logger: Logger) {
    this.store = store;
    this.delivery = delivery;
    this.logger = logger;
    clock.every(retryMilliseconds, () => {
      for (const retry of this.failed.splice(0)) retry();
    });
  }

  /** Keeps the message as its topic's last, or removes that if the payload is empty [MQTT-3.3.1-5..7]. `done` is called when it is stored. */
  set(publication: Publication, topic: string, done: (() => void) | null): void {
    const isEmpty = publication.payloadEnd === publication.payloadStart;
    const record = isEmpty ? null : writeRecord(publication);
    const expiresAt = publication.expiresAt === 0 ? Number.POSITIVE_INFINITY : publication.expiresAt;
    this.writesUnderWay++;
    this.write(topic, record, expiresAt, done);
  }

  private write(topic: string, record: Buffer | null, expiresAt: number, done: (() => void) | null): void {
    this.store.setRetained(topic, record, expiresAt).then(
      () => {
        if (--this.writesUnderWay === 0) for (const wake of this.idleWaiters.splice(0)) wake();
        if (done !== null) done();
      },
      (error: unknown) => {
        this.logger.error('a retained message could not be stored; it will be tried again', { topic, error: String(error) });
        this.failed.push(() => this.write(topic, record, expiresAt, done));
      },
    );
  }

  /** Resolves when every write begun so far is readable. */
  idle(): Promise<void> {
    if (this.writesUnderWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Sends all that matches the subscription. Resolves when the last one was given to the session, or the session ended. */
  async replay(subscription: Subscription): Promise<void> {
    await this.idle();
    let after: string | null = null;
    do {
      if (subscription.session.ended) return;
      const page = await this.store.readRetained(subscription.filter, after, pageMessages, this.delivery.now);
      for (const entry of page.entries) {
        await roomFor(subscription);
        if (subscription.session.ended || subscription.session.subscriptions.get(subscription.filter) !== subscription) return;
        this.sendEntry(entry, subscription);
      }
      after = page.next;
    } while (after !== null);
  }

  private sendEntry(entry: RetainedEntry, subscription: Subscription): void {
    try {
      const publication = readRecord(entry.record);
      // With Retain As Published or without, a retained message sent on subscribe has RETAIN 1 [MQTT-3.3.1-8]
      this.delivery.send(publication, subscription, true);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.logger.error('a retained message cannot be read and is passed over', { topic: entry.topic, error: error.message });
    }
  }
}

async function roomFor(subscription: Subscription): Promise<void> {
  const { session } = subscription;
  while (!session.ended && (!session.hasRoom || session.connection.outbox.pendingBytes > outboxBytesMax)) {
    await session.connection.nextRoom();
  }
}
