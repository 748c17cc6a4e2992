/**
 * Delayed publishes: `$delayed/{seconds}/{topic}` is kept by the store and published when due, also after a restart.
 */
import { ProtocolError, quote, validateTopic } from '@dunlin/protocol';
import { RecordError, readRecord, writeRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import { takeIdentity } from '../message/publisher-mark.ts';
import type { Clock } from '../ports/clock.ts';
import type { DelayedStore } from '../ports/delayed-store.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Quota } from '../ports/quota.ts';
import { StoreError } from '../ports/store-error.ts';
import type { RareWarnings } from '../work/rare-warnings.ts';
import { type DueMessage, DueMessages } from './due-messages.ts';
import type { PublishRouter } from './publish-router.ts';
import type { RightsAgain } from './rights-again.ts';

/** Messages read from the store at once. */
const batchMax = 500;
/** Messages that are published at once: so many share a write of the store. */
const underWayMax = 256;
const retryMilliseconds = 1000;
/** Limit of QoS 0 messages that wait for the store; more are dropped while it does not take them. */
const failedMax = 10_000;

export interface Delay {
  seconds: number;
  topic: string;
}

/** Meaning of a `$delayed` topic, or the reason why it is invalid. */
export function delayOf(topic: string, secondsMax: number): Delay | string {
  const parts = /^\$delayed\/([^/]*)\/(.+)$/s.exec(topic);
  if (parts === null) return `${quote(topic)} is not $delayed/{seconds}/{topic}`;
  const seconds = /^\d{1,10}$/.test(parts[1]) ? Number(parts[1]) : Number.NaN;
  if (!(seconds <= secondsMax)) return `a delay of ${quote(parts[1])} seconds; 0 to ${secondsMax} are allowed`;
  const wrong = validateTopic(parts[2]);
  if (wrong !== null) return wrong;
  return { seconds, topic: parts[2] };
}

export interface DelayedMessagesParts {
  store: DelayedStore;
  router: PublishRouter;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  warnings: RareWarnings;
  rights: RightsAgain;
  limits: Limits;
}

/** Callback of a message; `refusal`: the quota that is used up, so that it was not stored; empty: none. */
type DelayedDone = (refusal: string) => void;

interface DelayedWrite {
  record: Buffer;
  dueAt: number;
  client: string;
  user: string;
  /** Null: QoS 0. */
  done: DelayedDone | null;
}

export class DelayedMessages {
  private readonly store: DelayedStore;
  private readonly router: PublishRouter;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly rights: RightsAgain;
  private readonly warnings: RareWarnings;
  private readonly quota: Quota;
  private failed: (() => void)[] = [];
  private readonly due = new DueMessages();
  private underWay = 0;
  /** The first publication that failed since `publishDue` told one. */
  private failure: Error | null = null;
  private roomWaiters: (() => void)[] = [];

  constructor({ store, router, clock, logger, metrics, rights, warnings, limits }: DelayedMessagesParts) {
    this.store = store;
    this.router = router;
    this.clock = clock;
    this.logger = logger;
    this.metrics = metrics;
    this.warnings = warnings;
    this.rights = rights;
    this.quota = {
      countMax: limits.delayedMessagesMax,
      bytesMax: limits.delayedBytesMax,
      userCountMax: limits.delayedMessagesPerUserMax,
      userBytesMax: limits.delayedBytesPerUserMax,
    };
    clock.every(retryMilliseconds, () => {
      for (const retry of this.failed.splice(0)) retry();
    });
  }

  /** Stores the message for its user; `done` is called when it is stored, or refused. `publisher`: its mark (publisher-mark.ts). */
  add(
    publication: Publication,
    { publisher, user }: { publisher: string; user: string },
    delay: Delay,
    done: DelayedDone | null,
  ): void {
    const client = publication.publisher;
    publication.publisher = publisher;
    const record = writeRecord(publication, Buffer.from(delay.topic));
    publication.publisher = client;
    const dueAt = this.clock.now() + delay.seconds * 1000;
    this.write({ record, dueAt, client, user, done });
  }

  private write(write: DelayedWrite): void {
    const { record, dueAt, client, user, done } = write;
    this.store.add(record, dueAt, { user, quota: this.quota }).then(
      () => {
        if (done !== null) done('');
      },
      (error: unknown) => {
        if (error instanceof StoreError && error.code === 'quota-exceeded') {
          this.metrics.dropped['delayed-quota']++;
          this.warnings.warn(events['delayed.refused'], client, { user, error });
          if (done !== null) done(error.message);
          return;
        }
        if (done === null && this.failed.length >= failedMax) {
          this.metrics.dropped['delayed-too-many']++;
          return;
        }
        this.logger.warn(events['delayed.store-failed'], { error });
        this.failed.push(() => this.write(write));
      },
    );
  }

  /**
   * Takes what is due, publishes it in turns of the publishers, and returns how many there were. Resolves when there is
   * room for more. One worker does this for all.
   */
  async publishDue(): Promise<number> {
    if (this.due.isFull) await new Promise<void>((resolve) => this.roomWaiters.push(resolve));
    const due = await this.store.takeDue(this.clock.now(), batchMax);
    for (const { id, record, user } of due) {
      const publication = this.read(record, user);
      const client = publication === null ? null : takeIdentity(publication);
      this.due.add({ id, record, user, publication, client });
    }
    this.publishSome();
    const { failure } = this;
    this.failure = null;
    if (failure !== null) throw failure;
    return due.length;
  }

  private publishSome(): void {
    while (this.underWay < underWayMax) {
      const message = this.due.take();
      if (message === undefined) break;
      this.underWay++;
      this.publishOne(message)
        .catch((error: Error) => {
          this.failure ??= error;
        })
        .finally(() => {
          this.underWay--;
          this.due.ended(message);
          this.publishSome();
        });
    }
    if (!this.due.isFull) for (const wake of this.roomWaiters.splice(0)) wake();
  }

  /** Messages of one publisher are routed in their order. */
  private async publishOne({ id, publication, client }: DueMessage): Promise<void> {
    try {
      if (publication !== null && !publication.isExpired(this.clock.now())) {
        const answer = this.rights.mayPublish(client, publication, events['delayed.denied']);
        if (answer === true || (await answer)) await this.router.publish(publication);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.logger.error(events['delayed.dropped'], { error });
    }
    await this.store.remove(id);
  }

  /** A message that can never be published must not come back for ever: null. */
  private read(record: Uint8Array, user: string): Publication | null {
    try {
      const publication = readRecord(record);
      publication.user = user;
      return publication;
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.logger.error(events['delayed.dropped'], { error });
      return null;
    }
  }
}
