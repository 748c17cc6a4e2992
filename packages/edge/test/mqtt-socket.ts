import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Decoder, decodePacket, encodePacket, type Packet } from '@dunlin/protocol';

const version = 5;

/** A client for these tests: one socket, MQTT 5, packets as they come. */
export class MqttSocket {
  readonly received: Packet[] = [];
  readonly closed: Promise<unknown>;
  readonly #socket: Socket;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    const decoder = new Decoder(
      {
        packet: (header, bytes, _start, bodyStart, end) => {
          // Lent for the call only.
          this.received.push(decodePacket(header, Buffer.from(bytes), bodyStart, end, version));
          return true;
        },
      },
      1 << 20,
    );
    decoder.version = version;
    this.closed = once(socket, 'close');
    socket.on('error', () => undefined);
    socket.on('close', () => this.#tell());
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      this.#tell();
    });
  }

  #tell(): void {
    for (const tell of this.#waiting.splice(0)) tell();
  }

  /** Connects and waits for CONNACK. */
  static async connect(where: { port: number } | { path: string }, clientId = ''): Promise<MqttSocket> {
    const socket = connect('port' in where ? { port: where.port, host: '127.0.0.1' } : where);
    await once(socket, 'connect');
    const client = new MqttSocket(socket);
    client.send({
      type: 'connect',
      version,
      clientId,
      cleanStart: true,
      keepAliveSeconds: 0,
      will: null,
      userName: null,
      password: null,
      properties: {},
    });
    await client.next('connack');
    return client;
  }

  send(packet: Packet): void {
    this.#socket.write(encodePacket(packet, version));
  }

  /** The first packet of a type that has come, or comes. */
  async next<T extends Packet['type']>(type: T): Promise<Extract<Packet, { type: T }>> {
    for (;;) {
      const index = this.received.findIndex((packet) => packet.type === type);
      if (index >= 0) return this.received.splice(index, 1)[0] as Extract<Packet, { type: T }>;
      if (this.#socket.destroyed) throw new TypeError(`closed before ${type} came`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async subscribe(filter: string): Promise<void> {
    const subscription = { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.send({
      type: 'subscribe',
      packetId: 1,
      subscriptionIdentifier: 0,
      properties: {},
      subscriptions: [subscription],
    });
    await this.next('suback');
  }

  async publish(topic: string, text: string, retain = false): Promise<void> {
    const payload = Buffer.from(text);
    this.send({ type: 'publish', dup: false, qos: 1, retain, topic, packetId: 1, properties: {}, payload });
    await this.next('puback');
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
