/**
 * The ordered, acknowledged stream of message frames from this endpoint to one other (ARCHITECTURE.md, section 8).
 *
 * Messages of a turn go into one frame, sent at the end of the turn or at 64 KiB. Frames are numbered; the receiver acknowledges cumulatively,
 * once a turn. A publish of QoS above 0 is acknowledged to its client only when the frame that carries it was acknowledged here.
 */
import type { Awaited } from '../acknowledgements.ts';
import { FrameType, frameVersion, type MessageEntry, writeMessage } from './frames.ts';
import { FrameWriter } from './wire.ts';

/** A frame leaves when it is this large: larger ones would only wait. */
const frameBytesMax = 64 * 1024;

interface SentFrame {
  sequence: number;
  bytes: number;
  waiting: Awaited[];
}

export class Link {
  private readonly send: (bytes: Uint8Array) => void;
  private readonly writer = new FrameWriter();
  private sequence = 0;
  private waiting: Awaited[] = [];
  private sent: SentFrame[] = [];
  /** Bytes sent and not acknowledged. */
  unacknowledgedBytes = 0;

  constructor(send: (bytes: Uint8Array) => void) {
    this.send = send;
  }

  /** Adds a publish to the frame being filled. Returns whether this is the frame's first. */
  add(entry: MessageEntry, acknowledgement: Awaited | null): boolean {
    const first = this.writer.length === 0;
    if (first) {
      this.sequence++;
      this.writer.u8(frameVersion);
      this.writer.u8(FrameType.messages);
      this.writer.u32(this.sequence);
    }
    writeMessage(this.writer, entry);
    if (acknowledgement !== null) {
      acknowledgement.waits++;
      this.waiting.push(acknowledgement);
    }
    if (this.writer.length >= frameBytesMax) this.flush();
    return first;
  }

  flush(): void {
    if (this.writer.length === 0) return;
    const bytes = this.writer.take();
    this.sent.push({ sequence: this.sequence, bytes: bytes.length, waiting: this.waiting });
    this.unacknowledgedBytes += bytes.length;
    this.waiting = [];
    this.send(bytes);
  }

  acknowledged(sequence: number): void {
    while (this.sent.length > 0 && this.sent[0].sequence <= sequence) this.settle(this.sent.shift());
  }

  /** The other endpoint is gone with its ephemeral sessions: nothing is waited for any more. */
  close(): void {
    this.writer.take();
    for (const frame of this.sent.splice(0)) this.settle(frame);
    for (const acknowledgement of this.waiting.splice(0)) acknowledgement.settle();
  }

  private settle(frame: SentFrame | undefined): void {
    if (frame === undefined) return;
    this.unacknowledgedBytes -= frame.bytes;
    for (const acknowledgement of frame.waiting) acknowledgement.settle();
  }
}
