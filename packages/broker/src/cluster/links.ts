/**
 * Links of this endpoint to all others: a frame being filled for each, and one for all. They are flushed at the end of
 * the turn, with the acknowledgements of what came.
 */
import type { Pending } from '../message/pending.ts';
import { FrameReader, FrameWriter } from '../message/wire.ts';
import type { Clock } from '../ports/clock.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { Metrics } from '../ports/metrics.ts';
import { WorkTimer } from '../work/work-timer.ts';
import {
  type BatchEntry,
  isBatch,
  isControl,
  type MessageEntry,
  readEntryKind,
  readMessage,
  writeBatch,
  writeMessage,
} from './entries.ts';
import {
  type Acknowledgement,
  beginFrame,
  FrameType,
  frameBytesMax,
  type KeptHead,
  readFrameType,
  readKeptHead,
  writeAcknowledgement,
} from './frames.ts';
import { InboundLink } from './inbound-link.ts';
import { Link } from './link.ts';

/**
 * Publishes for shared groups that an endpoint had not acknowledged when it left, and the publishers that wait for
 * them.
 */
export interface LostMessages {
  entries: MessageEntry[];
  waiting: readonly Pending[];
}

const tickMilliseconds = 100;
/** Frames no further apart than this are part of a stream. */
const streamMilliseconds = 2;
/** A turn under load takes some tens of microseconds. */
const turnsWaitedMax = 2;
/** Number of receivers below which a frame for each costs no more than one for all. */
const broadcastReceiversMin = 3;

export interface LinksParts {
  clock: Clock;
  metrics: Metrics;
  /** Unacknowledged bytes of one link, above which it is full. */
  bytesMax: number;
  /** Sends to one endpoint, or to all (null). */
  sendBytes: (to: EndpointId | null, bytes: Uint8Array) => void;
}

export class Links {
  private readonly links = new Map<EndpointId, Link>();
  private readonly inbound = new Map<EndpointId, InboundLink>();
  private readonly clock: Clock;
  private readonly metrics: Metrics;
  private readonly parts: LinksParts;
  private lastId = 0;
  private readonly dirty = new Set<Link>();
  /** Endpoints whose frames are to be acknowledged at the end of the turn. */
  private readonly due = new Set<EndpointId>();
  private readonly broadcastWriter = new FrameWriter();
  private readonly acknowledgementWriter = new FrameWriter();
  private broadcastSent = 0;
  /**
   * True when every link is calm, determined once a turn: within a turn the messages of a topic must not change their
   * way (P4).
   */
  private isBroadcastOpen: boolean | null = null;
  private isScheduled = false;
  /** Time of the last flush of messages, milliseconds since 1970. */
  private flushedAt = 0;
  /** Turns that the gathered messages have waited for more. */
  private turnsWaited = 0;
  /** Runs while anything is under way to or from any endpoint. */
  private readonly timer: WorkTimer;

  constructor(parts: LinksParts) {
    this.parts = parts;
    this.clock = parts.clock;
    this.metrics = parts.metrics;
    this.timer = new WorkTimer(parts.clock, tickMilliseconds, () => this.tick());
  }

  joined(endpoint: EndpointId): void {
    this.flushMessages(); // with one more endpoint, messages may be broadcast that were not, or the other way round
    for (const lost of this.links.get(endpoint)?.close(this.clock.now()) ?? []) settleAll(lost.waiting);
    const link = new Link({
      ...{ id: ++this.lastId, bytesMax: this.parts.bytesMax, broadcastSent: this.broadcastSent, now: this.clock.now() },
      send: (bytes) => {
        this.metrics.framesSent++;
        this.parts.sendBytes(endpoint, bytes);
      },
      repeated: () => {
        this.metrics.framesRepeated++;
      },
      taken: (milliseconds) => this.metrics.linkSeconds.observe(milliseconds / 1000),
    });
    this.links.set(endpoint, link);
    this.inbound.set(endpoint, new InboundLink());
  }

  /**
   * Ends the wait for frames to subscriptions there; messages for shared groups are returned, for their other members.
   */
  left(endpoint: EndpointId): LostMessages[] {
    this.flushMessages();
    const link = this.links.get(endpoint);
    this.links.delete(endpoint);
    this.inbound.delete(endpoint);
    this.due.delete(endpoint);
    if (link === undefined) return [];
    this.dirty.delete(link);
    const found: LostMessages[] = [];
    for (const { bytes, waiting } of link.close(this.clock.now())) {
      const entries = groupMessagesOf(bytes);
      if (entries.length > 0) found.push({ entries, waiting });
      else settleAll(waiting);
    }
    return found;
  }

  /** Sends a control message of a shared group (group-control.ts), which arrives as long as the endpoint lives. */
  sendGroup(to: EndpointId, body: Uint8Array): void {
    const link = this.links.get(to);
    if (link === undefined) return;
    link.keepGroup(body, this.clock.now());
    this.markDirty(link);
  }

  /**
   * Sends a publish that must arrive there as long as the endpoint lives. A publisher that feeds a full link is not
   * read until the link has drained.
   */
  send(to: EndpointId, entry: MessageEntry, acknowledgement: Pending | null): void {
    const link = this.links.get(to);
    if (link === undefined) return;
    link.keep(entry, acknowledgement, this.clock.now());
    if (acknowledgement !== null) this.holdIfFull(link, acknowledgement);
    this.markDirty(link);
  }

  /** Sends a batch of QoS 1 packets to each of these endpoints, as `send` does with one message. */
  keepBatch(endpoints: readonly EndpointId[], batch: BatchEntry, acknowledgement: Pending): void {
    const now = this.clock.now();
    for (let i = 0; i < endpoints.length; i++) {
      const link = this.links.get(endpoints[i]);
      if (link === undefined) continue;
      link.keepBatch(batch, acknowledgement, now);
      this.holdIfFull(link, acknowledgement);
      this.markDirty(link);
    }
  }

  private holdIfFull(link: Link, { publisher }: Pending): void {
    if (publisher !== null && link.isFull && link.hold(publisher)) this.metrics.linkHolds++;
  }

  /** Sends a publish that may be lost. Returns false when it was dropped, since the other side does not keep up. */
  pass(to: EndpointId, entry: MessageEntry, publisher: string): boolean {
    const link = this.links.get(to);
    if (link === undefined) return true;
    if (!link.hasRoom(this.broadcastSent, publisher, entry.record.length)) return false;
    link.pass(entry);
    this.markDirty(link);
    return true;
  }

  /**
   * Sends a batch of QoS 0 packets to each of these endpoints, or to all. Returns for how many of them it was dropped,
   * since they do not keep up.
   */
  passBatch(endpoints: readonly EndpointId[], batch: BatchEntry, publisher: string): number {
    if (this.mayBroadcast(endpoints.length)) {
      writeBatch(this.broadcastRoom(batch.end - batch.start), batch);
      this.broadcastWritten();
      return 0;
    }
    let dropped = 0;
    for (let i = 0; i < endpoints.length; i++) {
      const link = this.links.get(endpoints[i]);
      if (link === undefined) continue;
      if (!link.hasRoom(this.broadcastSent, publisher, batch.end - batch.start)) {
        dropped++;
        continue;
      }
      link.passBatch(batch);
      this.markDirty(link);
    }
    return dropped;
  }

  /** True when one frame to all is better than one for each of so many receivers, and no link is behind. */
  mayBroadcast(receivers: number): boolean {
    if (receivers < broadcastReceiversMin || receivers * 2 <= this.links.size) return false;
    this.isBroadcastOpen ??= this.allAreCalm();
    return this.isBroadcastOpen;
  }

  private allAreCalm(): boolean {
    for (const link of this.links.values()) if (!link.isCalm(this.broadcastSent)) return false;
    return true;
  }

  /** Sends a publish to all endpoints; it may be lost. Endpoints without a matching subscription drop it. */
  broadcast(entry: MessageEntry): void {
    writeMessage(this.broadcastRoom(entry.record.length), entry);
    this.broadcastWritten();
  }

  private broadcastRoom(size: number): FrameWriter {
    const writer = this.broadcastWriter;
    if (writer.length + size > frameBytesMax) this.flushBroadcast();
    if (writer.length === 0) {
      beginFrame(writer, FrameType.broadcast);
      writer.f64(this.broadcastSent);
    }
    return writer;
  }

  private broadcastWritten(): void {
    if (this.broadcastWriter.length >= frameBytesMax) this.flushBroadcast();
    this.schedule();
  }

  private flushBroadcast(): void {
    if (this.broadcastWriter.length === 0) return;
    const bytes = this.broadcastWriter.lend();
    this.broadcastSent += bytes.length;
    this.metrics.framesSent++;
    this.parts.sendBytes(null, bytes);
  }

  private markDirty(link: Link): void {
    this.dirty.add(link);
    this.schedule();
  }

  /** Schedules a flush at the end of the turn. */
  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    if (this.timer.start()) this.lookAtLinks();
    this.clock.nextTurn(() => this.flush());
  }

  private flush(): void {
    this.isScheduled = false;
    if (this.mayWait()) {
      this.turnsWaited++;
      this.isScheduled = true;
      this.clock.nextTurn(() => this.flush());
      return;
    }
    this.flushMessages();
    for (const endpoint of this.due) this.acknowledge(endpoint);
    this.due.clear();
  }

  /**
   * True when the next turn will likely bring more for the same frames: in a stream of QoS 0 whose frames have room. A
   * single message, and messages that a publisher waits for, are sent at once. Measured (20 pairs, window 100, across
   * two nodes): half of the sender's time was writing to NATS, 24 KB at a time; waiting for two turns reduced 0.62 µs a
   * delivery, both nodes together, to 0.36, four turns to 0.40.
   */
  private mayWait(): boolean {
    if (this.turnsWaited >= turnsWaitedMax || this.due.size > 0 || this.dirty.size === 0) return false;
    if (this.clock.now() - this.flushedAt > streamMilliseconds) return false;
    for (const link of this.dirty) if (!link.hasRoomForMore) return false;
    return true;
  }

  /**
   * Sends the gathered messages. Also called before routes change: messages that take another way from there on must
   * come after these (P4).
   */
  flushMessages(): void {
    this.isBroadcastOpen = null;
    const now = this.clock.now();
    this.flushedAt = now;
    this.turnsWaited = 0;
    for (const link of this.dirty) {
      link.flushKept(now);
      link.flushPassing();
    }
    this.dirty.clear();
    this.flushBroadcast();
  }

  private acknowledge(endpoint: EndpointId): void {
    const inbound = this.inbound.get(endpoint);
    if (inbound === undefined) return;
    const writer = this.acknowledgementWriter;
    writeAcknowledgement(writer, inbound.acknowledgement());
    this.parts.sendBytes(endpoint, writer.lend());
  }

  private acknowledgeLater(endpoint: EndpointId): void {
    this.due.add(endpoint);
    this.schedule();
  }

  /** True when the entries of a kept frame are to be handled. The frame is acknowledged at the end of the turn. */
  acceptKept(from: EndpointId, head: KeptHead): boolean {
    const inbound = this.inbound.get(from);
    if (inbound === undefined) return false;
    this.metrics.framesReceived++;
    this.acknowledgeLater(from);
    return inbound.acceptKept(head);
  }

  /** Accepts a passing frame. Returns whether one before it was lost. */
  acceptPassing(from: EndpointId, link: number, position: number, size: number): boolean {
    const inbound = this.inbound.get(from);
    if (inbound === undefined) return false;
    this.metrics.framesReceived++;
    const isLost = inbound.acceptPassing(link, position, size);
    this.timer.start();
    if (inbound.isPassingDue) this.acknowledgeLater(from);
    return isLost;
  }

  /** Accepts a broadcast frame. Returns whether one before it was lost. */
  acceptBroadcast(from: EndpointId, position: number, size: number): boolean {
    const inbound = this.inbound.get(from);
    if (inbound === undefined) return false;
    this.metrics.framesReceived++;
    const isLost = inbound.acceptBroadcast(position, size);
    this.timer.start();
    if (inbound.isPassingDue) this.acknowledgeLater(from);
    return isLost;
  }

  acknowledged(from: EndpointId, acknowledgement: Acknowledgement): void {
    this.links.get(from)?.acknowledged(acknowledgement, this.clock.now(), this.broadcastSent);
  }

  reconnected(): void {
    const now = this.clock.now();
    for (const link of this.links.values()) link.reconnected(now, this.broadcastSent);
  }

  /** Links that publishers must wait for. */
  get fullCount(): number {
    let count = 0;
    for (const link of this.links.values()) if (link.isFull) count++;
    return count;
  }

  get unacknowledgedBytes(): number {
    let bytes = 0;
    for (const link of this.links.values()) bytes += link.unacknowledgedBytes;
    return bytes;
  }

  private tick(): boolean {
    for (const [endpoint, inbound] of this.inbound)
      if (inbound.unacknowledgedBytes > 0) this.acknowledgeLater(endpoint);
    return this.lookAtLinks() || this.isScheduled;
  }

  /** Returns whether anything is under way. */
  private lookAtLinks(): boolean {
    const now = this.clock.now();
    let isUnderWay = false;
    for (const link of this.links.values()) if (link.tick(now, this.broadcastSent)) isUnderWay = true;
    return isUnderWay;
  }
}

function settleAll(waiting: readonly Pending[]): void {
  for (const acknowledgement of waiting) acknowledgement.settle();
}

/** The publishes of a kept frame that are for shared groups. */
function groupMessagesOf(bytes: Uint8Array): MessageEntry[] {
  const reader = new FrameReader(bytes);
  readFrameType(reader);
  readKeptHead(reader);
  const found: MessageEntry[] = [];
  while (!reader.isAtEnd) {
    const kind = readEntryKind(reader);
    if (isControl(kind) || isBatch(kind)) {
      reader.block();
      continue;
    }
    const entry = readMessage(reader, kind);
    if (entry.groups.length > 0) found.push(entry);
  }
  return found;
}
