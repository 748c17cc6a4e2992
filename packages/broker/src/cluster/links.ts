/** The links of this endpoint to all others: one frame being filled for each, all flushed at the end of the turn. */
import type { Awaited } from '../acknowledgements.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { EndpointId } from '../ports/store.ts';
import { FrameType, frameVersion, type MessageEntry } from './frames.ts';
import { Link } from './link.ts';
import { FrameWriter } from './wire.ts';

export class Links {
  private readonly links = new Map<EndpointId, Link>();
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly bytesMax: number;
  private readonly sendBytes: (to: EndpointId, bytes: Uint8Array) => void;
  private dirty: Link[] = [];
  private readonly received = new Map<EndpointId, number>();
  private scheduled = false;

  constructor(
    clock: Clock,
    metrics: Metrics,
    bytesMax: number,
    sendBytes: (to: EndpointId, bytes: Uint8Array) => void,
  ) {
    this.clock = clock;
    this.metrics = metrics;
    this.bytesMax = bytesMax;
    this.sendBytes = sendBytes;
  }

  joined(endpoint: EndpointId): void {
    this.links.set(
      endpoint,
      new Link((bytes) => {
        this.metrics.framesSent++;
        this.sendBytes(endpoint, bytes);
      }),
    );
  }

  left(endpoint: EndpointId): void {
    this.links.get(endpoint)?.close();
    this.links.delete(endpoint);
    this.received.delete(endpoint);
  }

  /** QoS 0 is dropped first when the other side does not keep up. */
  send(to: EndpointId, entry: MessageEntry, acknowledgement: Awaited | null, qos: 0 | 1 | 2): void {
    const link = this.links.get(to);
    if (link === undefined) return;
    if (qos === 0 && link.unacknowledgedBytes > this.bytesMax) {
      this.metrics.dropped['link-lost']++;
      return;
    }
    if (link.add(entry, acknowledgement)) {
      this.dirty.push(link);
      this.schedule();
    }
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.nextTurn(() => this.flush());
  }

  private flush(): void {
    this.scheduled = false;
    const links = this.dirty;
    this.dirty = [];
    for (const link of links) link.flush();
    for (const [endpoint, sequence] of this.received) {
      const writer = new FrameWriter();
      writer.u8(frameVersion);
      writer.u8(FrameType.acknowledge);
      writer.u32(sequence);
      this.sendBytes(endpoint, writer.take());
    }
    this.received.clear();
  }

  /** A frame was taken in whole: it is acknowledged at the end of the turn. */
  frameReceived(from: EndpointId, sequence: number): void {
    this.metrics.framesReceived++;
    this.received.set(from, sequence);
    this.schedule();
  }

  acknowledged(from: EndpointId, sequence: number): void {
    this.links.get(from)?.acknowledged(sequence);
  }
}
