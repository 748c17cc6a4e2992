/** Messages that were in flight before a reconnect: sent again with their packet identifiers, before any other. */

import { RecordError, readRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import { events } from '../ports/log-events.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { StoredOutbound } from '../ports/session-store.ts';
import { InflightState } from '../session/inflight.ts';
import type { Session } from '../session/session.ts';
import type { SessionWriter } from '../session/session-writer.ts';
import { recordOf } from '../session/stored-inflight.ts';
import { type PublishWindow, sendPublish } from './deliver.ts';

export interface ResendingParts {
  logStore: LogStore;
  writer: SessionWriter;
  logger: Logger;
  metrics: Metrics;
  window: PublishWindow;
}

export class Resending {
  private readonly logStore: LogStore;
  private readonly writer: SessionWriter;
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly window: PublishWindow;
  /** Sessions whose messages could not be read. */
  private readonly failed = new Set<Session>();

  constructor({ logStore, writer, logger, metrics, window }: ResendingParts) {
    this.logStore = logStore;
    this.writer = writer;
    this.logger = logger;
    this.metrics = metrics;
    this.window = window;
  }

  /**
   * Sends everything in flight again after a reconnect, in its order, with its packet identifiers [MQTT-4.4.0-1],
   * [MQTT-4.6.0-1]: what the window has room for now, the rest as acknowledgements come. New messages wait until then.
   * Rejects with StoreError.
   */
  async resend(session: Session): Promise<void> {
    const { resends } = session;
    if (resends === null || resends.isReading) return;
    resends.isReading = true;
    let gone = 0;
    try {
      for (let batch = resends.next(session.resendRoom); batch.length > 0; batch = resends.next(session.resendRoom)) {
        const contents = await Promise.all(
          batch.map((message) => (message.state === 'sent' ? this.contentOf(message) : null)),
        );
        if (session.hasEnded) return;
        for (let i = 0; i < batch.length && session.resendRoom > 0; i++) {
          const message = batch[i];
          resends.sent();
          if (message.state === 'released') session.outlet.sendAcknowledgement(6, message.packetId, 0);
          else gone += this.resendPublish(session, message, contents[i]);
          if (session.hasEnded) return;
        }
      }
    } finally {
      resends.isReading = false;
      if (gone > 0) {
        const fields = { client: session.clientId, messages: gone };
        this.logger.warn(events['inflight.dropped'], fields);
      }
    }
    if (resends.left === 0) session.resends = null;
  }

  /** The window has room again for messages to resend; after the last one, for waiting messages. */
  more(session: Session): void {
    this.resend(session).then(
      () => {
        if (session.resends === null && !session.hasEnded) this.window.roomCame(session);
      },
      (error: unknown) => {
        this.metrics.storeErrors++;
        const fields = { client: session.clientId, error };
        this.logger.warn(events['inflight.read-failed'], fields);
        this.failed.add(session);
      },
    );
  }

  /** Sends the next ones again. Returns how many are gone. */
  private resendPublish(session: Session, message: StoredOutbound, publication: Publication | null): 0 | 1 {
    // Acknowledged since, by a fast client.
    if (session.outbound?.stateOf(message.packetId) === InflightState.none) return 0;
    if (publication === null) {
      this.giveUp(session, message);
      return 1;
    }
    const subscription = session.subscriptions.get(message.filter);
    // Without a filter it is sent as before.
    const isAsSent = message.filter === '';
    const retain = isAsSent
      ? publication.retain
      : message.sequence === 0 || (publication.retain && subscription?.retainAsPublished === true);
    const firstByte = 0x38 | (message.qos << 1) | (retain ? 1 : 0); // DUP is set [MQTT-3.3.1-1]
    const identifiers = subscription?.identifiers ?? null;
    session.outbound?.sentAgain(message.packetId, publication.size);
    const fits = sendPublish(this.window, session.outlet, publication, firstByte, message.packetId, identifiers);
    if (!fits) this.giveUp(session, message); // the client's maximum packet size is smaller than before [MQTT-3.1.2-25]
    return 0;
  }

  /**
   * Ends a message without sending it again. The client may have a QoS 2 message: it gets PUBREL, so that it releases
   * the identifier before that stands for another message, which it would take for the same one.
   */
  private giveUp(session: Session, { packetId, qos, filter, sequence }: StoredOutbound): void {
    const { outboundInflight: outbound, outlet } = session;
    if (qos === 2) {
      outbound.setReleased(packetId);
      const released: StoredOutbound = { packetId, state: 'released', qos, filter, sequence, record: null };
      this.writer.setOutbound(session, released, () => outlet.sendAcknowledgement(6, packetId, 0));
      return;
    }
    this.writer.completed(session, packetId);
    outbound.release(packetId);
    session.subscriptions.get(filter)?.cursor?.acknowledge(sequence);
  }

  /** Content of a message in flight; null: it does not exist any more. */
  async contentOf(message: StoredOutbound): Promise<Publication | null> {
    const record = await recordOf(this.logStore, message);
    if (record === null) return null;
    try {
      return readRecord(record);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.logger.error(events['inflight.skipped'], { filter: message.filter, error });
      return null;
    }
  }

  /** Reads again what the store failed to give. */
  retry(): void {
    for (const session of [...this.failed]) {
      this.failed.delete(session);
      if (!session.hasEnded) this.more(session);
    }
  }
}
