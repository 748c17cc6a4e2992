import type { Duplex } from 'node:stream';
import { decodePacket, encodePacket, type Packet, PacketType, type ProtocolVersion } from '@dunlin/protocol';
import { openStream } from './client-stream.ts';
import { DeadlineError, defaultDeadlineMilliseconds, withDeadline } from './deadline.ts';
import { type Frame, PacketFramer } from './packet-framer.ts';
import type { PacketOf } from './packets.ts';

/** Longest line of the transcript, in bytes: enough to see a packet, short enough for a message. */
const transcriptBytesMax = 96;

/** Lines of the transcript kept: a conversation has fewer, a flood shows its end. */
const transcriptLinesMax = 60;

const pingreq = Buffer.from([0xc0, 0]);

/**
 * A client that says exactly what a test tells it to and checks what comes back. It acknowledges nothing by itself, keeps
 * nothing alive and never reconnects. Everything that arrives waits in a queue until the test expects it.
 */
export class WireClient {
  /** The protocol version that packets are encoded and decoded for; a test may change it before it connects. */
  version: ProtocolVersion;
  readonly #socket: Duplex;
  readonly #framer = new PacketFramer();
  readonly #frames: Frame[] = [];
  readonly #transcript: string[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #isClosed = false;
  #wake = Promise.withResolvers<void>();

  protected constructor(socket: Duplex, version: ProtocolVersion) {
    this.#socket = socket;
    this.version = version;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#note('!', error.message));
    socket.on('end', () => this.#close('end of stream'));
    socket.on('close', () => this.#close('closed'));
  }

  /** Opens a connection to `mqtt://host:port`, `mqtts://…`, `ws://host:port/path`, `wss://…` or `unix:/path`, and says nothing yet. */
  static async open(url: string, version: ProtocolVersion = 5): Promise<WireClient> {
    return new WireClient(await openStream(url), version);
  }

  /** Sends bytes as they are, or packets encoded for `version`, in one write. */
  send(...parts: readonly (Uint8Array | Packet)[]): void {
    const buffers = parts.map((part) =>
      part instanceof Uint8Array ? Buffer.from(part) : encodePacket(part, this.version),
    );
    for (const bytes of buffers) this.#note('>', transcriptOf(bytes));
    this.#socket.write(Buffer.concat(buffers));
  }

  /** Sends the last packets and the end of the stream behind them: FIN, over WebSocket a close frame. It can still read. */
  sendLast(...packets: readonly Packet[]): void {
    this.#note('>', `${packets.map(({ type }) => type).join(', ')}, end of stream`);
    this.#socket.end(Buffer.concat(packets.map((packet) => encodePacket(packet, this.version))));
  }

  /** Sends each byte as a write of its own, the next when the kernel has taken the one before. */
  async sendByteByByte(bytes: Uint8Array): Promise<void> {
    this.#note('>', `${transcriptOf(Buffer.from(bytes))} byte by byte`);
    for (const byte of bytes) {
      await new Promise<void>((resolve) => this.#socket.write(Buffer.from([byte]), () => resolve()));
    }
  }

  /** The next packet as it came; fails when none comes in time or the connection has ended. */
  async nextFrame(milliseconds: number = defaultDeadlineMilliseconds): Promise<Frame> {
    while (this.#frames.length === 0) {
      if (this.#isClosed) {
        throw new DeadlineError(`a packet was expected and the connection is closed${this.transcript()}`);
      }
      await withDeadline(this.#wake.promise, () => `no packet came${this.transcript()}`, milliseconds);
    }
    return this.#frames.shift() as Frame;
  }

  /** The next packet, decoded; fails when it breaks the rules. */
  async next(milliseconds?: number): Promise<Packet> {
    const frame = await this.nextFrame(milliseconds);
    return this.#decode(frame);
  }

  /** The next packet, which must have this type. */
  async expect<T extends Packet['type']>(type: T, milliseconds?: number): Promise<PacketOf<T>> {
    const packet = await this.next(milliseconds);
    if (packet.type !== type) {
      throw new DeadlineError(`expected ${type}, got ${describe(packet)}${this.transcript()}`);
    }
    return packet as PacketOf<T>;
  }

  /** The next packet, which must have every field that `partial` has, with the same value. */
  async expectPacket<T extends Packet['type']>(
    partial: Partial<PacketOf<T>> & { type: T },
    milliseconds?: number,
  ): Promise<PacketOf<T>> {
    const packet = await this.expect(partial.type, milliseconds);
    const wrong = firstDifference(partial, packet, '');
    if (wrong !== undefined) {
      throw new DeadlineError(`${wrong}, in ${describe(packet)}${this.transcript()}`);
    }
    return packet;
  }

  /**
   * The first packet of this type, which may be behind others; those stay in the queue. For SUBACK, which messages of the
   * new subscription may overtake (MQTT 5.0, 3.8.4).
   */
  async expectAmong<T extends Packet['type']>(type: T, milliseconds?: number): Promise<PacketOf<T>> {
    const firstBits = PacketType[type];
    for (;;) {
      const index = this.#frames.findIndex((frame) => frame.firstByte >> 4 === firstBits);
      if (index >= 0) return this.#decode(this.#frames.splice(index, 1)[0]) as PacketOf<T>;
      if (this.#isClosed) throw new DeadlineError(`expected ${type}, got the end${this.transcript()}`);
      await withDeadline(this.#wake.promise, () => `no ${type} came${this.transcript()}`, milliseconds);
    }
  }

  /** The next packets must be exactly these bytes. */
  async expectBytes(bytes: Uint8Array): Promise<void> {
    let seen: Buffer = Buffer.alloc(0);
    while (seen.length < bytes.length) {
      seen = Buffer.concat([seen, (await this.nextFrame()).bytes]);
    }
    if (!seen.equals(bytes)) {
      throw new DeadlineError(
        `expected ${transcriptOf(Buffer.from(bytes))}, got ${transcriptOf(seen)}${this.transcript()}`,
      );
    }
  }

  /** PINGREQ is answered by PINGRESP and nothing comes before it: the broker had nothing to say to what was sent. */
  async expectNothing(): Promise<void> {
    this.send(pingreq);
    const packet = await this.next();
    if (packet.type !== 'pingresp') {
      throw new DeadlineError(`expected nothing before PINGRESP, got ${describe(packet)}${this.transcript()}`);
    }
  }

  /** The broker ends the connection without another packet. */
  async expectClosed(milliseconds: number = defaultDeadlineMilliseconds): Promise<void> {
    while (!this.#isClosed && this.#frames.length === 0) {
      await withDeadline(this.#wake.promise, () => `the connection is still open${this.transcript()}`, milliseconds);
    }
    const frame = this.#frames[0];
    if (frame !== undefined) {
      throw new DeadlineError(`expected the end, got ${transcriptOf(frame.bytes)}${this.transcript()}`);
    }
  }

  /** Everything up to the end of the connection. */
  async untilClosed(milliseconds: number = defaultDeadlineMilliseconds): Promise<Packet[]> {
    while (!this.#isClosed) {
      await withDeadline(this.#wake.promise, () => `the connection is still open${this.transcript()}`, milliseconds);
    }
    return this.#frames.splice(0).map((frame) => this.#decode(frame));
  }

  /** Resolves once the broker, or the test, has ended the connection. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** True once the broker, or the test, has ended the connection. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Stops reading from the socket, so that the broker's writes fill the buffers of the kernel. */
  pauseReading(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resumeReading(): void {
    this.#socket.resume();
  }

  /** Drops the connection without DISCONNECT, as a network failure would, and waits until the socket is gone. */
  async drop(): Promise<void> {
    if (this.#socket.closed) return;
    const gone = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.destroy();
    await gone;
  }

  /** Transcript so far, `>` from the test and `<` from the broker, for messages. */
  transcript(): string {
    const rest = this.#framer.rest();
    const partial = rest.length === 0 ? '' : `\n  < ${transcriptOf(rest)} (incomplete)`;
    return `\nThe conversation:\n  ${this.#transcript.slice(-transcriptLinesMax).join('\n  ')}${partial}`;
  }

  #decode(frame: Frame): Packet {
    const { bytes, body } = frame;
    const bodyStart = bytes.length - body.length;
    try {
      return decodePacket(frame.firstByte, bytes, bodyStart, bytes.length, this.version);
    } catch (cause) {
      throw new DeadlineError(
        `the broker sent what cannot be decoded: ${cause instanceof Error ? cause.message : cause}${this.transcript()}`,
        { cause },
      );
    }
  }

  #receive(chunk: Buffer): void {
    const frames = this.#framer.push(chunk);
    for (const frame of frames) {
      this.#frames.push(frame);
      this.#note('<', transcriptOf(frame.bytes));
    }
    if (frames.length > 0) this.#wakeUp();
  }

  #close(how: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed.resolve();
    this.#note('<', how);
    this.#wakeUp();
  }

  #note(direction: string, text: string): void {
    this.#transcript.push(`${direction} ${text}`);
    if (this.#transcript.length > 2 * transcriptLinesMax) this.#transcript.splice(0, transcriptLinesMax);
  }

  #wakeUp(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}

/** Bytes for a message, in hexadecimal, the middle left out where they are many. */
function transcriptOf(bytes: Buffer): string {
  if (bytes.length <= transcriptBytesMax) return bytes.toString('hex');
  return `${bytes.toString('hex', 0, transcriptBytesMax)}… (${bytes.length} bytes)`;
}

/** A packet for a message. */
function describe(packet: Packet): string {
  return JSON.stringify(packet, (_key, value) => {
    if (value?.type === 'Buffer' && Array.isArray(value.data)) return transcriptOf(Buffer.from(value.data));
    return value;
  });
}

/** Returns the place where `actual` lacks what `expected` has, in words; undefined when it has it all. */
function firstDifference(expected: unknown, actual: unknown, path: string): string | undefined {
  if (expected instanceof Uint8Array) {
    const same = actual instanceof Uint8Array && Buffer.compare(expected, actual) === 0;
    return same ? undefined : `${path} is not ${transcriptOf(Buffer.from(expected))}`;
  }
  if (typeof expected === 'object' && expected !== null && typeof actual === 'object' && actual !== null) {
    if (Array.isArray(expected) && Array.isArray(actual) && expected.length !== actual.length) {
      return `${path} has ${actual.length} entries, not ${expected.length}`;
    }
    for (const [key, value] of Object.entries(expected)) {
      const found = firstDifference(
        value,
        (actual as Record<string, unknown>)[key],
        path === '' ? key : `${path}.${key}`,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return Object.is(expected, actual) ? undefined : `${path} is ${String(actual)}, not ${String(expected)}`;
}
