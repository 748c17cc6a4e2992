/**
 * Messages that make their client fail. A durable session is sent the same message at every connection, so such a
 * message keeps its client away for ever, and everything behind it waits. The broker cannot know whether the message is
 * the cause; it can name it.
 */

import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { StoredOutbound } from '../ports/session-store.ts';
import type { Session, SessionConnection } from '../session/session.ts';
import type { Resending } from './resend.ts';

/** Connections in a row that ended before the message was acknowledged, after which it is named in the log. */
const endsMax = 3;
/** Sessions remembered; the oldest is forgotten first. */
const sessionsMax = 10_000;

interface Suspect {
  packetId: number;
  filter: string;
  sequence: number;
  times: number;
}

export class FatalMessages {
  private readonly logger: Logger;
  private readonly metrics: Metrics;
  private readonly resending: Pick<Resending, 'contentOf'>;
  private readonly suspects = new Map<string, Suspect>();

  constructor(logger: Logger, metrics: Metrics, resending: Pick<Resending, 'contentOf'>) {
    this.logger = logger;
    this.metrics = metrics;
    this.resending = resending;
  }

  /** A connection has ended. `outbound`: the messages in flight of its session, the oldest first. */
  ended({ clientId, connection, groupsSettled }: Session, outbound: readonly StoredOutbound[]): void {
    // Not complete: earlier messages in flight were not sent on this connection.
    if (!groupsSettled || !failed(connection)) return;
    const first = outbound.find(({ state }) => state === 'sent');
    if (first === undefined) {
      if (this.suspects.size > 0) this.suspects.delete(clientId);
      return;
    }
    const known = this.suspects.get(clientId);
    if (known !== undefined && isOf(known, first)) {
      if (++known.times >= endsMax) this.metrics.fatalMessages++;
      if (known.times === endsMax) void this.name(clientId, first);
      return;
    }
    const { packetId, filter, sequence } = first;
    this.suspects.set(clientId, { packetId, filter, sequence, times: 1 });
    if (this.suspects.size > sessionsMax) this.suspects.delete(this.suspects.keys().next().value as string);
  }

  private async name(clientId: string, message: StoredOutbound): Promise<void> {
    // Outages of the store are logged elsewhere.
    const publication = await this.resending.contentOf(message).catch(() => null);
    if (publication === null) return;
    this.logger.warn(events['message.found-fatal'], {
      client: clientId,
      topic: publication.topic(),
      bytes: publication.size,
      packetId: message.packetId,
      times: endsMax,
    });
  }
}

/** True if the connection ended by a fault of the client or of the network, neither by its wish nor by the broker's. */
function failed({ closeReason, closeCode }: SessionConnection): boolean {
  if (closeReason === 'client-disconnect') return closeCode >= 0x80;
  return closeReason === 'connection-lost' || closeReason === 'keep-alive-timeout' || closeReason === 'protocol-error';
}

function isOf({ packetId, filter, sequence }: Suspect, message: StoredOutbound): boolean {
  return packetId === message.packetId && filter === message.filter && sequence === message.sequence;
}
