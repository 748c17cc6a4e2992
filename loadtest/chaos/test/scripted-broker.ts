import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { decodePacket, encodePacket, type Packet, type ProtocolVersion } from '@dunlin/protocol';
import { PacketFramer, type PacketOf, withDeadline } from '@dunlin/testkit';

/** The broker's end of one connection: says and expects what a test tells it to. */
export class ScriptedConnection {
  readonly #socket: Socket;
  readonly #version: ProtocolVersion;
  readonly #packets: Packet[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(socket: Socket, version: ProtocolVersion) {
    this.#socket = socket;
    this.#version = version;
    const framer = new PacketFramer();
    socket.on('data', (chunk: Buffer) => {
      for (const { firstByte, bytes, body } of framer.push(chunk))
        this.#packets.push(decodePacket(firstByte, bytes, bytes.length - body.length, bytes.length, version));
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
    socket.on('error', () => undefined); // The client drops it, as it may.
  }

  send(...packets: readonly Packet[]): void {
    this.#socket.write(Buffer.concat(packets.map((packet) => encodePacket(packet, this.#version))));
  }

  /** The next packet, which must be of this type. */
  async expect<T extends Packet['type']>(type: T): Promise<PacketOf<T>> {
    while (this.#packets.length === 0) await withDeadline(this.#wake.promise, () => `no ${type} came`);
    const packet = this.#packets.shift() as Packet;
    if (packet.type !== type) throw new TypeError(`expected ${type}, got ${JSON.stringify(packet)}`);
    return packet as PacketOf<T>;
  }

  /** The next packet of this type; those before it are passed over. */
  async skipTo<T extends Packet['type']>(type: T): Promise<PacketOf<T>> {
    for (;;) {
      while (this.#packets.length === 0) await withDeadline(this.#wake.promise, () => `no ${type} came`);
      const packet = this.#packets.shift() as Packet;
      if (packet.type === type) return packet as PacketOf<T>;
    }
  }

  /** Takes the CONNECT. */
  async welcome(sessionPresent: boolean): Promise<PacketOf<'connect'>> {
    const connect = await this.expect('connect');
    this.send({ type: 'connack', sessionPresent, reasonCode: 0, properties: {} });
    return connect;
  }

  drop(): void {
    this.#socket.destroy();
  }
}

/** A broker that does what a test tells it to. */
export class ScriptedBroker {
  readonly port: number;
  readonly #server: Server;
  readonly #version: ProtocolVersion;
  readonly #connections: ScriptedConnection[] = [];
  #wake = Promise.withResolvers<void>();

  private constructor(server: Server, port: number, version: ProtocolVersion) {
    this.#server = server;
    this.port = port;
    this.#version = version;
    server.on('connection', (socket) => {
      this.#connections.push(new ScriptedConnection(socket, this.#version));
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  static async start(version: ProtocolVersion): Promise<ScriptedBroker> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a numeric port');
    return new ScriptedBroker(server, address.port, version);
  }

  /** The next connection. */
  async accept(): Promise<ScriptedConnection> {
    while (this.#connections.length === 0) await withDeadline(this.#wake.promise, () => 'no connection came');
    return this.#connections.shift() as ScriptedConnection;
  }

  stop(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.drop();
  }
}
