/**
 * Output buffer of one connection: bytes are gathered and written once per turn of the event loop.
 *
 * Measured (ARCHITECTURE.md, section 10): one write per turn after `setImmediate` beats a microtask and any write per
 * packet. Writing the gathering buffer itself, and replacing it only when the kernel did not take all, saves a copy per
 * write (5 to 30 %). Packets below 256 bytes are copied by a loop, which is cheaper than the call to `copy`. A client
 * that gets one stretch of bytes a turn is sent it at once from the chunk that was read: its socket is touched while it
 * is in the processor's cache, and nothing is copied (500 pairs at window 1: 18 % less, 1 to 100: 10 % less). An idle
 * connection holds no buffer: the buffer returns to the pool after each write.
 */
import type { ClientRates } from '../guards/client-rates.ts';
import { copyInto } from '../message/copy-into.ts';
import type { Variant } from '../message/publication.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloseReason } from '../ports/close-reason.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Transport } from '../ports/transport.ts';
import { countPublishes } from './count-publishes.ts';

/** Size at first: in most turns a client gets one packet or a few. */
const smallestBytes = 1024;
/** Size classes 1 KiB, 2 KiB … 1 MiB; larger buffers are left to the garbage collector. */
const sizeClasses = 11;
/**
 * Buffers kept per class: 4 MiB of the smallest, so that thousands of clients that are each sent one packet in a turn
 * find one (with fewer, 500 pairs at window 1 cost a fifth more: a new buffer is memory from outside the heap), and 1
 * MiB of each other.
 */
const pooledPerClass = [4096, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1];
/** Size from which on a turn's bytes are sent at once: waiting for the end of the turn would only grow the buffer. */
const flushAtBytes = 256 * 1024;

/** Pool of buffers, and list of connections to write at the end of the turn, shared by all connections of a worker. */
export class OutputFlusher {
  private readonly clock: Clock;
  readonly metrics: Metrics;
  private readonly pool: Buffer[][] = Array.from({ length: sizeClasses }, () => []);
  private dirty: OutputBuffer[] = [];
  private flushing: OutputBuffer[] = [];
  private isScheduled = false;
  /** Buffers whose sockets have not taken everything. */
  readonly congested = new Set<OutputBuffer>();
  /** Number of turns of the event loop in which something was added. */
  turn = 0;
  private readonly flush: () => void;

  constructor(clock: Clock, metrics: Metrics) {
    this.clock = clock;
    this.metrics = metrics;
    this.flush = () => this.flushAll();
  }

  add(output: OutputBuffer): void {
    this.dirty.push(output);
    this.endTurn();
  }

  /** Makes `turn` grow when this turn of the event loop ends. */
  endTurn(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.clock.nextTurn(this.flush);
  }

  take(sizeClass: number): Buffer {
    if (sizeClass < sizeClasses) {
      const pooled = this.pool[sizeClass].pop();
      if (pooled !== undefined) return pooled;
    }
    return Buffer.allocUnsafeSlow(smallestBytes << sizeClass);
  }

  giveBack(buffer: Buffer, sizeClass: number): void {
    if (sizeClass < sizeClasses && this.pool[sizeClass].length < pooledPerClass[sizeClass])
      this.pool[sizeClass].push(buffer);
  }

  flushAll(): void {
    this.isScheduled = false;
    this.turn++;
    const batch = this.dirty;
    this.dirty = this.flushing;
    this.flushing = batch;
    for (let i = 0; i < batch.length; i++) batch[i].flush();
    batch.length = 0;
  }
}

const noBuffer = Buffer.alloc(0);
/** Bytes of a write above which a transport that has copied them may have them still (TLS). */
const untoldBytesMax = 16 * 1024;

/** Listener for the next write. */
export interface RoomWaiter {
  roomCame(): void;
}

/** Turns with one stretch each after which the next one is expected to have one, too. */
const eagerAfterTurns = 4;

/** Connection whose bytes wait. */
export interface OutputOwner {
  /** Ends it for a reason that is counted by itself. */
  disconnect(reasonCode: number, reasonString: string, serverReference: string, closeReason: CloseReason): void;
}

export class OutputBuffer {
  private readonly flusher: OutputFlusher;
  private readonly transport: Transport;
  readonly owner: OutputOwner;
  /** Progress of its socket as last seen, and looks since then that found none; -1: not seen yet. */
  takenBytes = 0;
  stalledLooks = -1;
  buffer: Buffer = noBuffer;
  length = 0;
  private sizeClass = -1;
  private dirty = false;
  isClosed = false;
  /** The kernel did not take everything at the last write, or the client is over a rate; reset by `Outlet.drained`. */
  isCongested = false;
  /**
   * Bytes are gathered and not sent: the session is not wholly in force yet. QoS 0 messages are limited meanwhile as
   * for a slow client.
   */
  private isCorked = false;
  /**
   * Told after the next write, whatever the kernel took of it: a socket that takes all of it is never congested, and
   * never drains.
   */
  awaitedBy: RoomWaiter | null = null;
  /** Rates that what is sent is charged to; null: nothing is charged. */
  rates: ClientRates | null = null;
  /** The client is over a rate: no messages are added, as where a socket takes nothing. */
  isHeldForRate = false;
  private lastTurn = -1;
  private singleTurns = 0;

  constructor(flusher: OutputFlusher, transport: Transport, owner: OutputOwner) {
    this.flusher = flusher;
    this.transport = transport;
    this.owner = owner;
  }

  private congest(): void {
    this.isCongested = true;
    this.watch();
  }

  private watch(): void {
    if (this.flusher.congested.has(this)) return;
    this.stalledLooks = -1;
    this.flusher.congested.add(this);
  }

  /** The socket has taken everything. */
  drained(): void {
    this.isCongested = this.isHeldForRate;
    this.flusher.congested.delete(this);
  }

  /** Looks how the socket fares. Returns the looks in a row that found no progress. */
  look(): number {
    const { takenBytes } = this.transport;
    this.stalledLooks = this.stalledLooks < 0 || takenBytes !== this.takenBytes ? 0 : this.stalledLooks + 1;
    this.takenBytes = takenBytes;
    return this.stalledLooks;
  }

  /** Bytes that have not reached the kernel. */
  get pendingBytes(): number {
    return this.length + this.transport.pendingBytes;
  }

  /**
   * Sends bytes[start, end) at once, without a copy, if this client got one stretch a turn lately and the buffer is
   * empty. The bytes must not change any more. False: the caller must add them to the buffer. A client that gets more
   * in a turn is buffered for again.
   */
  sendThrough(bytes: Buffer, start: number, end: number): boolean {
    const { turn } = this.flusher;
    if (this.lastTurn === turn) {
      this.singleTurns = 0;
      return false;
    }
    this.lastTurn = turn;
    this.flusher.endTurn();
    if (this.singleTurns < eagerAfterTurns) {
      this.singleTurns++;
      return false;
    }
    if (this.length > 0 || this.isCorked || this.isClosed) return false;
    this.flusher.metrics.bytesSent += end - start;
    if (!this.transport.write(bytes.subarray(start, end))) this.congest();
    if (this.rates !== null) this.rates.sent(countPublishes(bytes, start, end), end - start);
    return true;
  }

  /** Makes room for `size` bytes and returns their offset in `buffer`. The caller writes all of them. */
  reserve(size: number): number {
    if (this.length + size > this.buffer.length) this.grow(size);
    const at = this.length;
    this.length = at + size;
    if (!this.dirty) {
      this.dirty = true;
      this.flusher.add(this);
    }
    return at;
  }

  private grow(size: number): void {
    // Already a large write: send it now and begin a new one.
    if (this.length > flushAtBytes) this.send();
    this.growTo(this.length + size);
  }

  private growTo(needed: number): void {
    let sizeClass = Math.max(this.sizeClass, 0);
    while (smallestBytes << sizeClass < needed) sizeClass++;
    if (sizeClass === this.sizeClass) return;
    const bigger = this.flusher.take(sizeClass);
    if (this.length > 0) this.buffer.copy(bigger, 0, 0, this.length);
    if (this.sizeClass >= 0) this.flusher.giveBack(this.buffer, this.sizeClass);
    this.buffer = bigger;
    this.sizeClass = sizeClass;
  }

  /** Appends a whole packet. */
  put(bytes: Buffer): void {
    const at = this.reserve(bytes.length);
    bytes.copy(this.buffer, at);
  }

  flush(): void {
    this.dirty = false;
    this.send();
  }

  private send(): void {
    const length = this.length;
    if (length === 0 || this.isCorked) return;
    this.length = 0;
    const buffer = this.buffer;
    const sizeClass = this.sizeClass;
    this.buffer = noBuffer;
    this.sizeClass = -1;
    if (this.isClosed) {
      this.flusher.giveBack(buffer, sizeClass);
      return;
    }
    this.flusher.metrics.bytesSent += length;
    if (this.rates !== null) this.rates.sent(countPublishes(buffer, 0, length), length);
    if (this.transport.write(buffer.subarray(0, length))) {
      this.flusher.giveBack(buffer, sizeClass);
      if (length > untoldBytesMax && this.transport.pendingBytes > 0) this.watch();
    } else this.congest();
    if (this.awaitedBy !== null) this.awaitedBy.roomCame();
  }

  /** Sends what was gathered now; used before the connection ends. */
  flushNow(): void {
    this.isCorked = false;
    this.send();
  }

  cork(): void {
    this.isCorked = true;
    this.isCongested = true;
  }

  uncork(): void {
    if (!this.isCorked) return;
    this.isCongested = this.isHeldForRate;
    this.flushNow();
  }

  holdForRate(): void {
    this.isHeldForRate = true;
    this.isCongested = true;
  }

  /** Returns whether messages may be added again; otherwise the socket has to drain first. */
  releaseFromRate(): boolean {
    this.isHeldForRate = false;
    return !this.isClosed && !this.isCorked && this.transport.pendingBytes === 0;
  }

  /** Closes the buffer: bytes are discarded, and QoS 0 messages are dropped before they get here. */
  close(): void {
    this.isClosed = true;
    this.isCongested = true;
    this.flusher.congested.delete(this);
    this.isCorked = false;
    if (this.sizeClass >= 0 && this.length === 0) this.flusher.giveBack(this.buffer, this.sizeClass);
    this.buffer = noBuffer;
    this.sizeClass = -1;
    this.length = 0;
  }
}

/** Sends or appends bytes[start, end), which must not change any more. */
export function sendBytes(output: OutputBuffer, bytes: Buffer, start: number, end: number): void {
  if (!output.sendThrough(bytes, start, end)) putBytes(output, bytes, start, end);
}

/** Appends a copy of bytes[start, end). */
export function putBytes(output: OutputBuffer, bytes: Buffer, start: number, end: number): void {
  const at = output.reserve(end - start);
  copyInto(output.buffer, at, bytes, start, end);
}

/**
 * Copies a variant into an output buffer with its first byte and packet identifier. The inner step of every delivery
 * (hot).
 */
export function putVariant(output: OutputBuffer, variant: Variant, firstByte: number, packetId: number): void {
  const at = output.reserve(variant.end - variant.start);
  const out = output.buffer;
  copyInto(out, at, variant.bytes, variant.start, variant.end);
  out[at] = firstByte;
  if (packetId !== 0) {
    const idAt = at + variant.packetIdAt;
    out[idAt] = packetId >> 8;
    out[idAt + 1] = packetId & 0xff;
  }
}
