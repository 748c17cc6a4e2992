import type { DisconnectRecord } from '../ports/client-record.ts';
import type { CloseReason } from '../ports/close-reason.ts';

/** Clients whose last disconnect is remembered, some 150 bytes each: those that left longest ago are forgotten. */
const clientsMax = 5000;

/** Last disconnects of clients, for operators who ask why one is gone. */
export class LastDisconnects {
  private readonly byClient = new Map<string, DisconnectRecord>();

  note(clientId: string, at: number, reason: CloseReason, code: number, address: string): void {
    const { byClient } = this;
    byClient.delete(clientId);
    byClient.set(clientId, { at, reason, code, address });
    if (byClient.size > clientsMax) byClient.delete(byClient.keys().next().value as string);
  }

  of(clientId: string): DisconnectRecord | null {
    return this.byClient.get(clientId) ?? null;
  }
}
