import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { decodePacket, encodePacket, type Packet, type ProtocolVersion } from '@dunlin/protocol';
import { type Frame, PacketFramer } from '@dunlin/testkit';
import { codeText, type Tally } from './tally.ts';

/** Address that attackers come from, of another network than the healthy clients: they are machines elsewhere. */
export const attackerAddress = '127.0.0.2';
/** Time that one answer may take before the attacker goes on without it. */
const answerMilliseconds = 20_000;

/**
 * Connection of an attacker. Whatever ends it is counted and never thrown: an attacker whom the broker sends away has
 * met a guard.
 */
export class AttackSocket {
  /** Bytes that came. */
  received = 0;
  isClosed = false;
  #isDropped = false;
  readonly stream: Duplex;
  readonly version: ProtocolVersion;
  readonly #tally: Tally;
  readonly #framer = new PacketFramer();
  readonly #waiting = new Map<Packet['type'], ((packet: Packet | null) => void)[]>();

  constructor(stream: Duplex, version: ProtocolVersion, tally: Tally) {
    this.stream = stream;
    this.version = version;
    this.#tally = tally;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', (error: NodeJS.ErrnoException) => tally.add(error.code ?? error.message));
    stream.on('close', () => this.#closed());
  }

  /** Opens a TCP connection; null where the broker does not let it in, which is counted. */
  static async open(host: string, port: number, version: ProtocolVersion, tally: Tally): Promise<AttackSocket | null> {
    const socket = connectTcp({ host, port, noDelay: true, localAddress: attackerAddress });
    return (await opened(socket, 'connect', tally)) ? new AttackSocket(socket, version, tally) : null;
  }

  /** Opens a TLS connection and looks at no certificate; null as for `open`. */
  static async openTls(host: string, port: number, tally: Tally): Promise<AttackSocket | null> {
    const socket = connectTls({
      host,
      port,
      rejectUnauthorized: false,
      localAddress: attackerAddress,
    } as ConnectionOptions);
    return (await opened(socket, 'secureConnect', tally)) ? new AttackSocket(socket, 5, tally) : null;
  }

  /** Sends bytes, or packets. Resolves when the system has taken them, false when the connection has ended. */
  async send(...parts: readonly (Uint8Array | Packet)[]): Promise<boolean> {
    if (this.isClosed) return false;
    const buffers = parts.map((part) => (part instanceof Uint8Array ? part : encodePacket(part, this.version)));
    if (this.stream.write(buffers.length === 1 ? buffers[0] : Buffer.concat(buffers))) return true;
    await Promise.race([once(this.stream, 'drain'), once(this.stream, 'close')]).catch(() => {});
    return !this.isClosed;
  }

  /** The next packet of this type; null when the connection ends before, or nothing comes for 20 s. */
  answer<T extends Packet['type']>(type: T): Promise<Extract<Packet, { type: T }> | null> {
    if (this.isClosed) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#tally.add(`no ${type}`);
        resolve(null);
      }, answerMilliseconds);
      const list = this.#waiting.get(type) ?? [];
      this.#waiting.set(type, list);
      list.push((packet) => {
        clearTimeout(timer);
        resolve(packet as Extract<Packet, { type: T }> | null);
      });
    });
  }

  /** Ends the connection without a word. */
  drop(): void {
    this.#isDropped = true;
    this.stream.destroy();
  }

  #receive(chunk: Buffer): void {
    this.received += chunk.length;
    for (const frame of this.#framer.push(chunk)) this.#take(frame);
  }

  #take(frame: Frame): void {
    const type = frame.firstByte >> 4;
    // Messages are counted by their bytes: a flood of them is not decoded.
    if (type === 3) return;
    let packet: Packet;
    try {
      packet = decoded(frame, this.version);
    } catch {
      this.#tally.add('not understood');
      return;
    }
    this.#count(packet);
    const waiting = this.#waiting.get(packet.type)?.shift();
    waiting?.(packet);
  }

  /** Counts refusals alone. */
  #count(packet: Packet): void {
    if (packet.type === 'suback' || packet.type === 'unsuback') {
      for (const code of packet.reasonCodes) if (code >= 0x80) this.#tally.add(`${packet.type} ${codeText(code)}`);
    } else if ('reasonCode' in packet && packet.reasonCode !== 0 && packet.reasonCode !== 0x10) {
      this.#tally.add(`${packet.type} ${codeText(packet.reasonCode)}`);
    }
  }

  #closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (!this.#isDropped) this.#tally.add('closed');
    for (const list of this.#waiting.values()) for (const resolve of list.splice(0)) resolve(null);
  }
}

/** The packet of a frame. */
export function decoded({ firstByte, bytes, body }: Frame, version: ProtocolVersion): Packet {
  return decodePacket(firstByte, bytes, bytes.length - body.length, bytes.length, version);
}

/** Waits until a socket is open; false, counted, when it fails. */
async function opened(socket: Socket, event: string, tally: Tally): Promise<boolean> {
  try {
    await once(socket, event, { signal: AbortSignal.timeout(answerMilliseconds) });
    return true;
  } catch (error) {
    tally.add((error as NodeJS.ErrnoException).code ?? 'not opened');
    socket.on('error', () => {});
    socket.destroy();
    return false;
  }
}
