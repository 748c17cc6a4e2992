import type { Publication } from '../message/publication.ts';
import type { ClientIdentity } from '../ports/authorizer.ts';
import type { DelayedMessage } from '../ports/delayed-store.ts';

/** A delayed message that is due; null: its record cannot be read. */
export interface DueMessage extends DelayedMessage {
  publication: Publication | null;
  /** Identity for the authorizer; null: it is not asked. */
  client: ClientIdentity | null;
}

/** Limits of the messages that wait for their turn: memory of the one worker that publishes for all. */
const messagesMax = 20_000;
const bytesMax = 16 * 1024 * 1024;

/** Messages of one publisher, from `next` on. */
interface Row {
  messages: DueMessage[];
  next: number;
}

/**
 * Delayed messages that are due, a turn for each user, or for each client identifier of those without a user: one that has thousands due at once delays nobody else's.
 */
export class DueMessages {
  private readonly rows = new Map<string, Row>();
  /** Messages that wait or are being published, by identifier: the store hands them out again meanwhile. */
  private readonly known = new Set<string>();
  private bytes = 0;

  get isFull(): boolean {
    return this.known.size >= messagesMax || this.bytes >= bytesMax;
  }

  add(message: DueMessage): void {
    if (this.known.has(message.id)) return;
    this.known.add(message.id);
    this.bytes += message.record.length;
    // Names of users and client identifiers have no U+0000.
    const { user } = message;
    const publisher = user === '' ? (message.publication?.publisher ?? '') : `\0${user}`;
    const row = this.rows.get(publisher);
    if (row === undefined) this.rows.set(publisher, { messages: [message], next: 0 });
    else row.messages.push(message);
  }

  /** The first message of the publisher whose turn it is; undefined: none waits. `ended` is owed for it. */
  take(): DueMessage | undefined {
    for (const [publisher, row] of this.rows) {
      const message = row.messages[row.next++];
      this.rows.delete(publisher);
      // Behind all others.
      if (row.next < row.messages.length) this.rows.set(publisher, row);
      return message;
    }
    return undefined;
  }

  /** The message is published, or the publication has failed and the store hands it out again. */
  ended({ id, record }: DueMessage): void {
    if (this.known.delete(id)) this.bytes -= record.length;
  }
}
