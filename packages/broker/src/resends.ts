/** What was in flight before a reconnect and is to be sent again, in its order, as the window of the new connection lets it [MQTT-3.3.4-9], [MQTT-4.6.0-1]. */
import type { OutboundInflight, Store } from './ports/store.ts';

/** Messages in flight read from logs at once. */
const readAtOnce = 64;

export class Resends {
  private readonly messages: readonly OutboundInflight[];
  private at = 0;
  /** The next of them are being read. */
  isReading = false;

  constructor(stored: readonly OutboundInflight[]) {
    this.messages = inOrder(stored);
  }

  /** How many have not been sent on this connection. */
  get left(): number {
    return this.messages.length - this.at;
  }

  /** The next ones, as many as there is room for. They stay until `sent`. */
  next(room: number): readonly OutboundInflight[] {
    return this.messages.slice(this.at, this.at + Math.max(0, Math.min(room, readAtOnce)));
  }

  sent(): void {
    this.at++;
  }
}

/** By log in the order of numbers, logs and messages without one in the order of their first identifier. */
function inOrder(stored: readonly OutboundInflight[]): OutboundInflight[] {
  const byLog = new Map<string, OutboundInflight[]>();
  for (const message of stored) {
    const key = message.sequence > 0 ? message.filter : '';
    const list = byLog.get(key);
    if (list === undefined) byLog.set(key, [message]);
    else list.push(message);
  }
  for (const list of byLog.values()) list.sort((a, b) => a.sequence - b.sequence);
  return [...byLog.values()].flat();
}

/** The record of a message in flight; null: it is not there any more. */
export async function recordOf(store: Store, message: OutboundInflight): Promise<Uint8Array | null> {
  if (message.record !== null) return message.record;
  // At time 0 nothing has expired: what was sent once is sent again all the same [MQTT-4.3.3-7].
  const page = await store.readLog(message.filter, message.sequence, 1, 1, 0);
  const entry = page.entries[0];
  return entry !== undefined && entry.sequence === message.sequence ? entry.record : null;
}
