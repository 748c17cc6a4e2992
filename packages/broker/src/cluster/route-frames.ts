/**
 * Received frames about routes, put in force so many bytes a turn of the event loop. A session of 20,000 filters that
 * moves causes 40,000 changes at every other endpoint, and the backplane brings them faster than they can be put in
 * force. Frames that wait keep their order, and are confirmed when they are in force.
 */
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';

/** Bytes of one turn, about 300 changes or 4 ms. The last frame is handled whole. */
const bytesPerTurn = 16 * 1024;
/** Limit of waiting bytes: above it memory is worth more than time. */
const waitingBytesMax = 32 * 1024 * 1024;

export class RouteFrames {
  private readonly clock: Clock;
  private readonly handle: (from: EndpointId, bytes: Uint8Array) => void;
  private waiting: { from: EndpointId; bytes: Uint8Array }[] = [];
  private waitingBytes = 0;
  private used = 0;
  private isScheduled = false;

  constructor(clock: Clock, handle: (from: EndpointId, bytes: Uint8Array) => void) {
    this.clock = clock;
    this.handle = handle;
  }

  /** The bytes belong to the backplane: frames that wait are copied. */
  received(from: EndpointId, bytes: Uint8Array): void {
    if (!this.isScheduled) {
      this.isScheduled = true;
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

  /** Discards the waiting frames of an endpoint that has left. */
  left(endpoint: EndpointId): void {
    this.waiting = this.waiting.filter(({ from }) => from !== endpoint);
    this.waitingBytes = this.waiting.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  private nextTurn(): void {
    this.used = 0;
    this.isScheduled = this.waiting.length > 0;
    if (!this.isScheduled) return;
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
