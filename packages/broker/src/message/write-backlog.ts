import type { HeldPublisher } from './pending.ts';

/**
 * Writes on their way to the store. While they are too many, or too large, the publishers that feed them are not read:
 * what a client sends faster than the store takes it waits in its socket, not in memory (P7).
 */
export class WriteBacklog {
  private readonly bytesMax: number;
  private readonly writesMax: number;
  private readonly held = new Set<HeldPublisher>();
  private bytes = 0;
  private writes = 0;

  constructor(bytesMax: number, writesMax: number) {
    this.bytesMax = bytesMax;
    this.writesMax = writesMax;
  }

  /** Notes a write that begins. `publisher`: the client that it came from; null: none. */
  begin(bytes: number, publisher: HeldPublisher | null): void {
    this.bytes += bytes;
    this.writes++;
    if (publisher === null || (this.bytes <= this.bytesMax && this.writes <= this.writesMax)) return;
    if (this.held.has(publisher)) return;
    this.held.add(publisher);
    publisher.holdForRoom();
  }

  /** Notes that a write has ended. Publishers are read again when half of the room is free. */
  end(bytes: number): void {
    this.bytes -= bytes;
    this.writes--;
    if (this.held.size === 0 || this.bytes > this.bytesMax / 2 || this.writes > this.writesMax / 2) return;
    const held = [...this.held];
    this.held.clear();
    for (const publisher of held) publisher.releaseForRoom();
  }
}
