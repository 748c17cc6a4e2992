import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { DeadlineError, withDeadline } from './deadline.ts';
import { type Frame, PacketFramer } from './packet-framer.ts';

/** The opcodes of WebSocket frames (RFC 6455, section 5.2). */
export const webSocketOpcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A WebSocket connection on which a test decides over every frame. Payloads of 64 KiB and more are not needed here. */
export class WebSocketClient {
  /** The subprotocol that the server selected; empty when it selected none. */
  readonly subprotocol: string;
  /** The opcodes of the data frames that came, in order. */
  readonly opcodes: number[] = [];
  readonly #socket: Duplex;
  readonly #framer = new PacketFramer();
  readonly #packets: Frame[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #closeCode: number | null = null;
  #wake = Promise.withResolvers<void>();

  private constructor(socket: Duplex, subprotocol: string, head: Buffer) {
    this.#socket = socket;
    this.subprotocol = subprotocol;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => this.#close());
    socket.on('end', () => this.#close());
    socket.on('close', () => this.#close());
    if (head.length > 0) this.#receive(head);
  }

  /** Opens `ws://host:port/path`, offering these subprotocols. */
  static async open(url: string, subprotocols: readonly string[] = ['mqtt']): Promise<WebSocketClient> {
    const upgrade = request(url.replace(/^ws:/, 'http:'), {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
        'sec-websocket-protocol': subprotocols.join(', '),
      },
    });
    upgrade.end();
    const refused = once(upgrade, 'response').then(([response]: IncomingMessage[]) => {
      throw new DeadlineError(`${url} answered ${response.statusCode} instead of switching to WebSocket`);
    });
    refused.catch(() => {});
    const [response, socket, head] = (await withDeadline(
      Promise.race([once(upgrade, 'upgrade'), refused]),
      () => `no answer from ${url}`,
    )) as [IncomingMessage, Duplex, Buffer];
    return new WebSocketClient(socket, String(response.headers['sec-websocket-protocol'] ?? ''), head);
  }

  /** Sends one frame, masked as a client's must be. */
  sendFrame(opcode: number, payload: Uint8Array, isFinal = true): void {
    const mask = randomBytes(4);
    const short = payload.length < 126;
    const header = Buffer.alloc(short ? 2 : 4);
    header[0] = (isFinal ? 0x80 : 0) | opcode;
    header[1] = 0x80 | (short ? payload.length : 126);
    if (!short) header.writeUInt16BE(payload.length, 2);
    const masked = Buffer.from(payload).map((byte, index) => byte ^ mask[index % 4]);
    this.#socket.write(Buffer.concat([header, mask, masked]));
  }

  /** Sends bytes as they are: a frame that no client should send, or a part of one. */
  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next MQTT packet, out of however many frames. */
  async nextPacket(): Promise<Frame> {
    while (this.#packets.length === 0) {
      if (this.#isClosed) throw new DeadlineError('a packet was expected and the WebSocket is closed');
      await withDeadline(this.#wake.promise, () => 'no packet came over the WebSocket');
    }
    return this.#packets.shift() as Frame;
  }

  /** The server ends the connection; resolves with the code of its closing frame, or null when it sent none. */
  async expectClosed(): Promise<number | null> {
    while (!this.#isClosed) {
      await withDeadline(this.#wake.promise, () => 'the WebSocket is still open');
    }
    return this.#closeCode;
  }

  /** Drops the connection. */
  drop(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#takeFrame()) this.#wakeUp();
  }

  /** Takes one whole frame from the front of what came; false when there is none. */
  #takeFrame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const isLong = (bytes[1] & 127) === 126;
    const start = isLong ? 4 : 2;
    if (bytes.length < start) return false;
    const end = start + (isLong ? bytes.readUInt16BE(2) : bytes[1] & 127);
    if (bytes.length < end) return false;
    this.#bytes = bytes.subarray(end);
    const opcode = bytes[0] & 15;
    if (opcode === webSocketOpcode.close) {
      if (end - start >= 2) this.#closeCode = bytes.readUInt16BE(start);
      this.#close();
    }
    if (opcode <= webSocketOpcode.binary) {
      this.opcodes.push(opcode);
      this.#packets.push(...this.#framer.push(bytes.subarray(start, end)));
    }
    return true;
  }

  #close(): void {
    this.#isClosed = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
