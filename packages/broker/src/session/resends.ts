/**
 * Messages in flight before a reconnect, to be sent again in their order, as the window of the new connection has room
 * [MQTT-3.3.4-9], [MQTT-4.6.0-1].
 */

import type { StoredOutbound } from '../ports/session-store.ts';

/** Messages in flight sent again at once. */
const readAtOnce = 64;

export class Resends {
  private readonly messages: readonly StoredOutbound[];
  private at = 0;
  /** The next messages are being read. */
  isReading = false;

  constructor(stored: readonly StoredOutbound[]) {
    this.messages = inOrder(stored);
  }

  /** Number of messages not sent on this connection yet. */
  get left(): number {
    return this.messages.length - this.at;
  }

  /** The next messages, as many as there is room for. They stay until `sent`. */
  next(room: number): readonly StoredOutbound[] {
    return this.messages.slice(this.at, this.at + Math.max(0, Math.min(room, readAtOnce)));
  }

  sent(): void {
    this.at++;
  }
}

/** Order of resends: logs by the order of numbers; logs, and messages without one, by their first identifier. */
function inOrder(stored: readonly StoredOutbound[]): StoredOutbound[] {
  const byLog = new Map<string, StoredOutbound[]>();
  for (const message of stored) {
    const key = message.sequence > 0 ? message.filter : '';
    const list = byLog.get(key);
    if (list === undefined) byLog.set(key, [message]);
    else list.push(message);
  }
  for (const list of byLog.values()) list.sort((a, b) => a.sequence - b.sequence);
  return [...byLog.values()].flat();
}
