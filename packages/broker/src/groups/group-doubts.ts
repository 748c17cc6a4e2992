/**
 * QoS 2 messages in doubt: the leader of a shared group does not know which client has them (group-reservations.ts).
 * The store knows, and so do the endpoints of the clients.
 *
 * | the store answers | then |
 * | --- | --- |
 * | not reserved | the message waits in the log again |
 * | reserved, final | the message is done with |
 * | reserved for a client | its endpoint is located: if the client is connected and the message is not on its way to it, it was never sent |
 *
 * The store is asked once more after the client was located: the reservation may have become final a moment before.
 * Before a message waits in the log again, the leader writes to the store: a leader that was replaced fails there, and
 * reservations with its epoch are refused, however often it assigns the message.
 */
import type { GroupStore } from '../ports/group-store.ts';

export interface GroupDoubtsParts {
  group: string;
  groupStore: GroupStore;
  free: (sequence: number) => void;
  done: (sequence: number) => void;
  /** Deletes reservations with the epoch of the leader; called without any as well. Rejects with StoreError. */
  deleteReservations: (sequences: number[]) => Promise<void>;
  locate: (clients: string[]) => void;
  failed: (error: unknown) => void;
}

/**
 * `unsent`: the endpoint it was assigned to says so. `located`: its client is connected, and the message is not on its
 * way there.
 */
type Doubt = 'open' | 'unsent' | 'located';

export class GroupDoubts {
  private readonly parts: GroupDoubtsParts;
  private readonly doubts = new Map<number, Doubt>();
  /** The client of each reservation, as the store last answered. */
  private readonly clients = new Map<number, string>();
  private isResolving = false;

  constructor(parts: GroupDoubtsParts) {
    this.parts = parts;
  }

  get size(): number {
    return this.doubts.size;
  }

  has(sequence: number): boolean {
    return this.doubts.has(sequence);
  }

  numbers(): number[] {
    return [...this.doubts.keys()];
  }

  add(sequence: number): void {
    if (!this.doubts.has(sequence)) this.doubts.set(sequence, 'open');
  }

  addUnsent(sequence: number): void {
    this.doubts.set(sequence, 'unsent');
  }

  /** The message is no longer in doubt, by another report. */
  resolved(sequence: number): void {
    this.doubts.delete(sequence);
    this.clients.delete(sequence);
  }

  /** A client is connected; the messages in `busy` are on their way to it. */
  located(clientId: string, busy: readonly number[]): void {
    let isNew = false;
    for (const [sequence, client] of this.clients) {
      if (client !== clientId || busy.includes(sequence) || this.doubts.get(sequence) !== 'open') continue;
      this.doubts.set(sequence, 'located');
      isNew = true;
    }
    if (isNew) this.resolve();
  }

  /** Asks the store about all messages in doubt, unless it is being asked. */
  resolve(): void {
    if (this.isResolving || this.doubts.size === 0) return;
    this.isResolving = true;
    this.ask(new Map(this.doubts)).then(
      () => {
        this.isResolving = false;
      },
      (error: unknown) => {
        this.isResolving = false;
        this.parts.failed(error);
      },
    );
  }

  /** `asked`: the doubts as they were before the store was asked. */
  private async ask(asked: ReadonlyMap<number, Doubt>): Promise<void> {
    const { parts, doubts, clients } = this;
    const reservations = new Map(
      (await parts.groupStore.reservations(parts.group)).map((reservation) => [reservation.sequence, reservation]),
    );
    const deleted: number[] = [];
    const unreserved: number[] = [];
    const toLocate = new Set<string>();
    for (const [sequence, doubt] of asked) {
      if (!doubts.has(sequence)) continue;
      const reservation = reservations.get(sequence);
      if (reservation === undefined) {
        unreserved.push(sequence);
      } else if (doubt !== 'open' && !(reservation.isFinal && doubt === 'located')) {
        deleted.push(sequence);
      } else if (reservation.isFinal) {
        parts.done(sequence);
      } else {
        clients.set(sequence, reservation.clientId);
        toLocate.add(reservation.clientId);
      }
    }
    if (toLocate.size > 0) parts.locate([...toLocate]);
    if (deleted.length + unreserved.length === 0) return;
    await parts.deleteReservations(deleted);
    for (const sequence of [...deleted, ...unreserved]) {
      if (!doubts.has(sequence)) continue;
      this.resolved(sequence);
      parts.free(sequence);
    }
  }
}
