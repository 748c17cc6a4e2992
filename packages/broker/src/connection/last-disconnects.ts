import type { DisconnectRecord } from '../ports/client-record.ts';
import type { CloseReason } from '../ports/close-reason.ts';

/** Disconnects that are remembered, some 150 bytes each: those that are longest ago are forgotten. */
const recordsMax = 5000;

/**
 * Last disconnects of clients, for operators who ask why one is gone. Thousands a second are noted and hardly one is
 * asked for, so they lie in a ring, and whoever asks looks through it: some ten microseconds. (In a map, whose order
 * changes with each of them, dead entries keep later ones alive through young collections.)
 */
export class LastDisconnects {
  private readonly clientIds: string[] = [];
  private readonly records: DisconnectRecord[] = [];
  /** Place of the next one. */
  private next = 0;

  note(clientId: string, at: number, reason: CloseReason, code: number, address: string): void {
    this.clientIds[this.next] = clientId;
    this.records[this.next] = { at, reason, code, address };
    this.next = (this.next + 1) % recordsMax;
  }

  of(clientId: string): DisconnectRecord | null {
    const count = this.records.length;
    for (let back = 1; back <= count; back++) {
      const place = (this.next - back + count) % count;
      if (this.clientIds[place] === clientId) return this.records[place];
    }
    return null;
  }
}
