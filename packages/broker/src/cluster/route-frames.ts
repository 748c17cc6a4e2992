/**
 * Frames about routes, so many bytes a turn of the event loop: a session of 20,000 filters that moves is 40,000 changes for every other endpoint, and the
 * carrier brings them faster than they can be put in force. What waits keeps its order; whoever waits for a confirmation waits until it is in force.
 */
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/store.ts';

/** About 300 changes: 4 ms. The last frame is worked off whole. */
const bytesPerTurn = 16 * 1024;
/** Nothing waits beyond this: then memory is worth more than time. */
const waitingBytesMax = 32 * 1024 * 1024;

export class RouteFrames {
  private readonly clock: Clock;
  private readonly handle: (from: EndpointId, bytes: Uint8Array) => void;
  private waiting: { from: EndpointId; bytes: Uint8Array }[] = [];
  private waitingBytes = 0;
  private used = 0;
  private scheduled = false;

  constructor(clock: Clock, handle: (from: EndpointId, bytes: Uint8Array) => void) {
    this.clock = clock;
    this.handle = handle;
  }

  /** The bytes are the carrier's: what waits is a copy. */
  received(from: EndpointId, bytes: Uint8Array): void {
    if (!this.scheduled) {
      this.scheduled = true;
      this.clock.nextTurn(() => this.nextTurn());
    }
    if (this.waiting.length === 0 && this.used < bytesPerTurn) {
      this.used += bytes.length;
      this.handle(from, bytes);
      return;
    }
    this.waiting.push({ from, bytes: Uint8Array.prototype.slice.call(bytes) });
    this.waitingBytes += bytes.length;
    if (this.waitingBytes > waitingBytesMax) this.work(Number.POSITIVE_INFINITY);
  }

  /** What it has said of its routes says nothing any more. */
  left(endpoint: EndpointId): void {
    this.waiting = this.waiting.filter(({ from }) => from !== endpoint);
    this.waitingBytes = this.waiting.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  private nextTurn(): void {
    this.used = 0;
    this.scheduled = this.waiting.length > 0;
    if (!this.scheduled) return;
    this.clock.nextTurn(() => this.nextTurn());
    this.work(bytesPerTurn);
  }

  private work(bytesMax: number): void {
    let count = 0;
    for (; count < this.waiting.length && this.used < bytesMax; count++) {
      const { from, bytes } = this.waiting[count];
      this.used += bytes.length;
      this.waitingBytes -= bytes.length;
      this.handle(from, bytes);
    }
    this.waiting.splice(0, count);
  }
}
