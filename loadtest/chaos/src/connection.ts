import { connect, type Socket } from 'node:net';
import {
  Decoder,
  decodePacket,
  encodePacket,
  type Packet,
  ProtocolError,
  type ProtocolVersion,
} from '@dunlin/protocol';

/** Larger than anything the broker has reason to send. */
const packetBytesMax = 1 << 20;

/** Beginning of the reason for the end of a connection whose packets break the rules. */
export const undecodable = 'the broker sent what cannot be decoded';

/**
 * Owner of a connection, which is told what it hears. Nothing is told any more after `closed`, or after the owner let
 * go of it.
 */
export interface ConnectionOwner {
  opened(connection: Connection): void;
  packet(connection: Connection, packet: Packet): void;
  closed(connection: Connection, why: string): void;
}

/** Network connection of a client: packets in, packets out, and when either was last. */
export class Connection {
  readonly addressName: string;
  readonly startedAt = performance.now();
  lastHeardAt = performance.now();
  lastSentAt = performance.now();
  readonly #version: ProtocolVersion;
  readonly #socket: Socket;
  readonly #decoder: Decoder;
  #owner: ConnectionOwner | null;

  constructor(port: number, addressName: string, version: ProtocolVersion, owner: ConnectionOwner) {
    this.addressName = addressName;
    this.#version = version;
    this.#owner = owner;
    this.#decoder = new Decoder(this, packetBytesMax);
    this.#decoder.version = version;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('connect', () => this.#owner?.opened(this));
    this.#socket.on('data', (chunk: Buffer) => this.#heard(chunk));
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', () => this.#end('closed'));
  }

  send(...packets: readonly Packet[]): void {
    if (this.#owner === null || packets.length === 0) return;
    this.lastSentAt = performance.now();
    this.#socket.write(Buffer.concat(packets.map((packet) => encodePacket(packet, this.#version))));
  }

  /** Ends it without a word. What the broker has written and nobody has read is gone, and the owner hears no more. */
  drop(): void {
    this.#owner = null;
    this.#socket.destroy();
  }

  /** Ends it with DISCONNECT. The owner hears no more. */
  disconnect(): void {
    this.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    this.#owner = null;
    this.#socket.end();
    // What still comes is read and forgotten, so that the end comes too.
    this.#socket.resume();
  }

  /** The decoder found a packet. */
  packet(header: number, bytes: Buffer, _start: number, bodyStart: number, end: number): boolean {
    this.#owner?.packet(this, decodePacket(header, bytes, bodyStart, end, this.#version));
    return this.#owner !== null;
  }

  #heard(chunk: Buffer): void {
    if (this.#owner === null) return;
    this.lastHeardAt = performance.now();
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#end(`${undecodable}: ${error.message}`);
    }
  }

  #end(why: string): void {
    const owner = this.#owner;
    this.drop();
    owner?.closed(this, why);
  }
}
