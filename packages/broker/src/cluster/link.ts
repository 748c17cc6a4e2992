/**
 * The sending side of a link to one other endpoint: two streams of frames over a backplane that may lose any of them
 * (ARCHITECTURE.md, section 8).
 *
 * ```
 *   kept      │ 4 │ 5 │ 6 │ 7 │ being filled     numbered, kept until acknowledged, sent again from the first
 *               └ acknowledged: up to 3          that is missing (go back N)
 *   passing   ── bytes ──┼── bytes ──>           sent once; what the other side has accepted bounds what may be
 *                accepted ┘                      under way
 * ```
 *
 * Messages of a turn go into one frame, sent at the end of the turn or at 64 KiB. A publish of QoS above 0 is
 * acknowledged to its client only when its frame was acknowledged here. A link belongs to one stay of the other
 * endpoint: when that endpoint comes back, the link has a new `id`.
 */
import type { HeldPublisher, Pending } from '../message/pending.ts';
import { FrameWriter } from '../message/wire.ts';
import { type BatchEntry, type MessageEntry, writeBatch, writeControl, writeMessage } from './entries.ts';
import { type Acknowledgement, beginFrame, FrameType, frameBytesMax, repeatKept, writeKeptHead } from './frames.ts';
import { PassingShares } from './passing-shares.ts';

/**
 * Time without an acknowledgement after which kept frames are sent again; doubled each time that does not help, up to
 * the second value.
 */
const patienceMilliseconds = 500;
const patienceMaxMilliseconds = 8000;
/**
 * Amount that is sent again before the other side has shown that it follows: a slow receiver must not get everything
 * twice.
 */
const repeatBytesMax = 1024 * 1024;
/** Part of a link's room that kept frames may take from the passing ones. */
const keptShareMax = 0.75;
/**
 * Time after which passing frames that were not acknowledged no longer count as under way: they were lost, or their
 * acknowledgement was.
 */
const passingMilliseconds = 2000;

/** A kept frame that the other side had not acknowledged when it left. */
export interface LostFrame {
  bytes: Uint8Array;
  waiting: readonly Pending[];
}

interface KeptFrame {
  sequence: number;
  bytes: Uint8Array;
  waiting: Pending[];
  sentAt: number;
}

export interface LinkParts {
  id: number;
  bytesMax: number;
  /** Broadcasts before this position do not count. */
  broadcastSent: number;
  now: number;
  send: (bytes: Uint8Array) => void;
  /** Called for every frame that is sent again. */
  repeated: () => void;
  /** Called with the milliseconds until a kept frame was acknowledged. */
  taken: (milliseconds: number) => void;
}

export class Link {
  readonly id: number;
  private readonly send: (bytes: Uint8Array) => void;
  private readonly repeated: () => void;
  private readonly bytesMax: number;

  private readonly keptWriter = new FrameWriter();
  private sequence = 0;
  private waiting: Pending[] = [];
  /** Frames that were sent and not acknowledged; from `head` on. */
  private kept: KeptFrame[] = [];
  private head = 0;
  /** Frames that were sent in this round, and their bytes. */
  private transmitted = 0;
  private transmittedBytes = 0;
  private round = 0;
  /** Frames are sent again: new ones wait behind them. */
  private isRepeating = false;
  private patience = patienceMilliseconds;
  private quietSince = 0;
  unacknowledgedBytes = 0;
  private readonly held = new Set<HeldPublisher>();
  private readonly taken: (milliseconds: number) => void;

  private readonly passingWriter = new FrameWriter();
  private passingSent = 0;
  private passingTaken = 0;
  /** Position up to which the other side has accepted broadcasts of this endpoint. */
  private broadcastTaken: number;
  private passingHeardAt: number;
  private readonly shares: PassingShares;

  constructor({ id, bytesMax, broadcastSent, now, send, repeated, taken }: LinkParts) {
    this.id = id;
    this.bytesMax = bytesMax;
    this.shares = new PassingShares(bytesMax);
    this.broadcastTaken = broadcastSent;
    this.passingHeardAt = now;
    this.send = send;
    this.repeated = repeated;
    this.taken = taken;
  }

  /** Adds a publish that must arrive to the frame being filled. */
  keep(entry: MessageEntry, acknowledgement: Pending | null, now: number): void {
    this.beginKept(entry.record.length, now);
    writeMessage(this.keptWriter, entry);
    this.endKept(acknowledgement, now);
  }

  /** The same for a batch of QoS 1 packets, which wait for the frame as one. */
  keepBatch(batch: BatchEntry, acknowledgement: Pending, now: number): void {
    this.beginKept(batch.end - batch.start, now);
    writeBatch(this.keptWriter, batch);
    this.endKept(acknowledgement, now);
  }

  /** Makes room for so many bytes in the frame being filled. */
  private beginKept(bytes: number, now: number): void {
    const writer = this.keptWriter;
    if (writer.length + bytes > frameBytesMax) this.flushKept(now);
    if (writer.length > 0) return;
    const sequence = ++this.sequence;
    writeKeptHead(writer, { link: this.id, sequence, first: this.firstKept(), round: this.round });
  }

  private endKept(acknowledgement: Pending | null, now: number): void {
    if (acknowledgement !== null) {
      acknowledgement.waits++;
      this.waiting.push(acknowledgement);
    }
    if (this.keptWriter.length >= frameBytesMax) this.flushKept(now);
  }

  /** Adds a control message of a group (group-control.ts), which must arrive as well. */
  keepGroup(body: Uint8Array, now: number): void {
    this.beginKept(body.length, now);
    writeControl(this.keptWriter, body);
    this.endKept(null, now);
  }

  /** Adds a publish that may be lost. */
  pass(entry: MessageEntry): void {
    writeMessage(this.passingRoom(entry.record.length), entry);
    if (this.passingWriter.length >= frameBytesMax) this.flushPassing();
  }

  /** The same for a batch of QoS 0 packets. */
  passBatch(batch: BatchEntry): void {
    writeBatch(this.passingRoom(batch.end - batch.start), batch);
    if (this.passingWriter.length >= frameBytesMax) this.flushPassing();
  }

  private passingRoom(size: number): FrameWriter {
    const writer = this.passingWriter;
    if (writer.length + size > frameBytesMax) this.flushPassing();
    if (writer.length === 0) {
      beginFrame(writer, FrameType.passing);
      writer.u32(this.id);
      writer.f64(this.passingSent);
    }
    return writer;
  }

  /** True when only QoS 0 messages are gathered, and less than half a frame of them. */
  get hasRoomForMore(): boolean {
    return this.keptWriter.length === 0 && this.passingWriter.length * 2 < frameBytesMax;
  }

  flushKept(now: number): void {
    if (this.keptWriter.length === 0) return;
    const bytes = this.keptWriter.take();
    if (this.keptCount === 0) this.quietSince = now;
    this.kept.push({ sequence: this.sequence, bytes, waiting: this.waiting, sentAt: now });
    this.waiting = [];
    this.unacknowledgedBytes += bytes.length;
    if (this.isRepeating) return;
    this.transmitted++;
    this.transmittedBytes += bytes.length;
    this.send(bytes);
  }

  flushPassing(): void {
    if (this.passingWriter.length === 0) return;
    const bytes = this.passingWriter.lend();
    this.passingSent += bytes.length;
    this.send(bytes);
  }

  get isFull(): boolean {
    return this.unacknowledgedBytes > this.bytesMax;
  }

  /**
   * True when so many bytes of a publisher that may be lost can be added: when the other side does not keep up, they are
   * dropped first, and first those of whom most is under way.
   */
  hasRoom(broadcastSent: number, publisher: string, bytes: number): boolean {
    const used = this.usedBytes(broadcastSent);
    return used * 2 <= this.bytesMax || this.shares.admits(publisher, bytes, this.bytesMax - used);
  }

  /** True when less than half of the room is used: publishers need not share it. */
  isCalm(broadcastSent: number): boolean {
    return this.usedBytes(broadcastSent) * 2 <= this.bytesMax;
  }

  /** Kept frames leave a quarter to the passing ones: publishers of those do not wait for acknowledgements. */
  private usedBytes(broadcastSent: number): number {
    const kept = Math.min(this.unacknowledgedBytes, this.bytesMax * keptShareMax);
    return kept + this.passingUnderWay(broadcastSent) + this.passingWriter.length;
  }

  private passingUnderWay(broadcastSent: number): number {
    return this.passingSent - this.passingTaken + broadcastSent - this.broadcastTaken;
  }

  /**
   * Pauses reading from a publisher until half of what waits here was acknowledged. Returns false if it is paused
   * already.
   */
  hold(publisher: HeldPublisher): boolean {
    if (this.held.has(publisher)) return false;
    this.held.add(publisher);
    publisher.holdForRoom();
    return true;
  }

  acknowledged(acknowledgement: Acknowledgement, now: number, broadcastSent: number): void {
    const before = this.usedBytes(broadcastSent);
    this.broadcastTaken = Math.max(this.broadcastTaken, acknowledgement.broadcast);
    this.passingHeardAt = now;
    if (acknowledgement.link !== this.id) return;
    this.passingTaken = Math.max(this.passingTaken, acknowledgement.passing);
    if (this.isCalm(broadcastSent)) this.shares.forget();
    else this.shares.shrink(before, this.usedBytes(broadcastSent));
    let isProgress = false;
    while (this.keptCount > 0 && this.kept[this.head].sequence <= acknowledgement.sequence) {
      this.taken(now - this.kept[this.head].sentAt);
      this.settleFirst();
      isProgress = true;
    }
    if (isProgress) {
      this.patience = patienceMilliseconds;
      this.quietSince = now;
      if (this.isRepeating) this.transmit();
      this.releaseHeld();
    }
    // A gap that was seen before frames were last sent again says nothing about these.
    if (acknowledgement.isGap && acknowledgement.round === this.round && this.keptCount > 0) this.repeat(now);
  }

  /** Called a few times a second while anything is under way. Returns whether anything is. */
  tick(now: number, broadcastSent: number): boolean {
    if (this.keptCount > 0 && now - this.quietSince >= this.patience) {
      this.patience = Math.min(this.patience * 2, patienceMaxMilliseconds);
      this.repeat(now);
    }
    const underWay = this.passingUnderWay(broadcastSent);
    if (underWay === 0) this.passingHeardAt = now;
    else if (now - this.passingHeardAt >= passingMilliseconds) this.forgetPassing(now, broadcastSent);
    return this.keptCount > 0 || underWay > 0;
  }

  /** The backplane is connected again: what was under way may be lost. */
  reconnected(now: number, broadcastSent: number): void {
    this.patience = patienceMilliseconds;
    this.forgetPassing(now, broadcastSent);
    if (this.keptCount > 0) this.repeat(now);
  }

  private forgetPassing(now: number, broadcastSent: number): void {
    this.passingTaken = this.passingSent;
    this.broadcastTaken = broadcastSent;
    this.passingHeardAt = now;
    this.shares.forget();
  }

  private repeat(now: number): void {
    this.quietSince = now;
    this.round++;
    this.transmitted = 0;
    this.transmittedBytes = 0;
    this.isRepeating = true;
    this.transmit();
  }

  /** Continues to send again, as far as the other side has shown that it follows. */
  private transmit(): void {
    const first = this.firstKept();
    while (this.transmitted < this.keptCount && this.transmittedBytes < repeatBytesMax) {
      const { bytes } = this.kept[this.head + this.transmitted];
      this.transmitted++;
      this.transmittedBytes += bytes.length;
      this.repeated();
      this.send(repeatKept(bytes, first, this.round));
    }
    if (this.transmitted === this.keptCount) this.isRepeating = false;
  }

  private get keptCount(): number {
    return this.kept.length - this.head;
  }

  private firstKept(): number {
    return this.keptCount > 0 ? this.kept[this.head].sequence : this.sequence;
  }

  private settleFirst(): void {
    const frame = this.kept[this.head++];
    if (this.head > 256 && this.head * 2 > this.kept.length) {
      this.kept.splice(0, this.head);
      this.head = 0;
    }
    this.unacknowledgedBytes -= frame.bytes.length;
    if (this.transmitted > 0) {
      this.transmitted--;
      this.transmittedBytes -= frame.bytes.length;
    }
    for (const acknowledgement of frame.waiting) acknowledgement.settle();
  }

  private releaseHeld(): void {
    if (this.held.size === 0 || this.unacknowledgedBytes > this.bytesMax / 2) return;
    const held = [...this.held];
    this.held.clear();
    for (const publisher of held) publisher.releaseForRoom();
  }

  /**
   * Closes the link: the other endpoint is gone with its ephemeral sessions. Returns the frames that were never
   * acknowledged; the caller settles the publishers that wait for them.
   */
  close(now: number): LostFrame[] {
    this.isRepeating = true; // the frame being filled is no longer sent
    this.flushKept(now);
    this.passingWriter.lend();
    const lost = this.kept.slice(this.head);
    this.kept = [];
    this.head = 0;
    this.unacknowledgedBytes = 0;
    this.releaseHeld();
    return lost;
  }
}
