/** Deliveries of messages in one turn of the event loop that one client, or other endpoints, may cause: 5 to 10 ms. */
export const deliveriesPerTurn = 20_000;

/**
 * Share of one client in a turn. Node reads a socket that always has more up to 32 times, 2 MiB, before it looks at any
 * other: with 250 subscribers for each message that is more than a second.
 */
export class TurnShare {
  private client: object | null = null;
  private work = 0;

  /** Notes work of a client: messages that came, and those that were sent for them. True: its share is used up. */
  isUsedUp(client: object, work: number): boolean {
    if (this.client !== client) {
      this.client = client;
      this.work = 0;
    }
    this.work += work;
    if (this.work <= deliveriesPerTurn) return false;
    this.work = 0;
    return true;
  }
}
