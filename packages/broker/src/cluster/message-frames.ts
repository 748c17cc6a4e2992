/**
 * Received frames of messages, delivered so many messages a turn of the event loop. One frame of 64 KiB that 250 clients
 * subscribe to takes some milliseconds, and the backplane brings 8 MiB of them at once. Frames that wait keep their
 * order, and are acknowledged when they were handled: the link that they came on is full meanwhile.
 */
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Metrics } from '../ports/metrics.ts';
import { deliveriesPerTurn } from '../work/turn-share.ts';

interface Waiting {
  from: EndpointId;
  bytes: Uint8Array;
}

export class MessageFrames {
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly handle: (from: EndpointId, bytes: Uint8Array) => void;
  private waiting: Waiting[] = [];
  private deliveries = 0;
  /** Enough was delivered in this turn. */
  private isResting = false;

  constructor(clock: Clock, metrics: Metrics, handle: (from: EndpointId, bytes: Uint8Array) => void) {
    this.clock = clock;
    this.metrics = metrics;
    this.handle = handle;
  }

  /** The bytes belong to the backplane: frames that wait are copied. */
  received(from: EndpointId, bytes: Uint8Array): void {
    if (this.isResting) this.waiting.push({ from, bytes: Uint8Array.prototype.slice.call(bytes) });
    else this.take(from, bytes);
  }

  /** Handles what waits of an endpoint that has left: it had arrived before. */
  left(endpoint: EndpointId): void {
    const waiting = this.waiting.filter(({ from }) => from === endpoint);
    this.waiting = this.waiting.filter(({ from }) => from !== endpoint);
    for (const { from, bytes } of waiting) this.handle(from, bytes);
  }

  private take(from: EndpointId, bytes: Uint8Array): void {
    const before = this.metrics.publishesSent;
    this.handle(from, bytes);
    this.deliveries += this.metrics.publishesSent - before;
    if (this.deliveries > deliveriesPerTurn) this.rest();
  }

  private rest(): void {
    this.deliveries = 0;
    this.isResting = true;
    this.clock.nextTurn(() => this.goOn());
  }

  private goOn(): void {
    this.isResting = false;
    let count = 0;
    for (; count < this.waiting.length && !this.isResting; count++) {
      const { from, bytes } = this.waiting[count];
      this.take(from, bytes);
    }
    this.waiting.splice(0, count);
  }
}
