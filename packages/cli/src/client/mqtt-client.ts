import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import {
  type AckPacket,
  type ConnackPacket,
  type ConnectPacket,
  Decoder,
  decodePacket,
  encodePacket,
  type Packet,
  type Properties,
  type ProtocolVersion,
  type PublishPacket,
  ReasonCode,
  reasonCodeName,
  type SubscriptionRequest,
} from '@dunlin/protocol';
import { CommandError } from '../exit-code.ts';
import { type BrokerAddress, formatBroker, openBrokerStream } from './broker-stream.ts';

/** The largest packet MQTT has: the broker's limits are the broker's business. */
const packetBytesMax = 268_435_460;

/** Publishes on their way at once, if the broker allows as many. */
const inflightMax = 100;

export interface ClientOptions {
  broker: BrokerAddress;
  connect: ConnectPacket;
  onMessage?(message: PublishPacket): void;
  /** Called with every packet sent and received. */
  trace?(direction: 'sent' | 'received', packet: Packet): void;
}

export interface PublishRequest {
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  properties: Properties;
}

interface Waiting {
  resolve(packet: Packet): void;
  reject(error: Error): void;
}

/** Packet that ends a wait: `connack`, or a type with its packet identifier. */
type WaitKey = string;

/** Connection to a broker, as `dunlin pub` and `dunlin sub` need it. */
export class MqttClient {
  /** Resolves when the connection is gone; with the reason, unless we closed it. */
  readonly closed: Promise<Error | null>;
  readonly #options: ClientOptions;
  readonly #socket: Duplex;
  readonly #version: ProtocolVersion;
  readonly #decoder: Decoder;
  readonly #waiting = new Map<WaitKey, Waiting>();
  /** QoS 2 messages that were received and not yet released [MQTT-4.3.3-10]. */
  readonly #unreleased = new Set<number>();
  readonly #slots: (() => void)[] = [];
  #slotsFree = inflightMax;
  #lastPacketId = 0;
  #lost: Error | null = null;
  #leaving = false;
  #pingTimer: NodeJS.Timeout | undefined;
  #pingUnanswered = false;

  /** Opens a connection and waits for CONNACK. @throws CommandError `refused` */
  static async connect(options: ClientOptions): Promise<{ client: MqttClient; connack: ConnackPacket }> {
    let socket: Duplex;
    try {
      socket = await openBrokerStream(options.broker);
    } catch (cause) {
      throw new CommandError('refused', `cannot connect to ${formatBroker(options.broker)}: ${describe(cause)}`, cause);
    }
    const client = new MqttClient(socket, options);
    const connack = await client.#hello();
    return { client, connack };
  }

  private constructor(socket: Duplex, options: ClientOptions) {
    this.#options = options;
    this.#socket = socket;
    this.#version = options.connect.version;
    this.#decoder = new Decoder(
      { packet: (header, bytes, _start, bodyStart, end) => this.#take(header, bytes, bodyStart, end) },
      packetBytesMax,
    );
    this.#decoder.version = this.#version;
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    this.closed = promise;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(new CommandError('refused', describe(error), error)));
    socket.on('close', () => {
      clearInterval(this.#pingTimer);
      const error = new CommandError('refused', 'the broker closed the connection');
      this.#fail(error);
      resolve(this.#leaving ? null : this.#lost);
    });
  }

  async #hello(): Promise<ConnackPacket> {
    const { connect } = this.#options;
    const answer = this.#wait('connack');
    this.#send({ type: 'connect', ...connect });
    const connack = (await answer) as { type: 'connack' } & ConnackPacket;
    if (connack.reasonCode !== 0) {
      this.#socket.destroy();
      throw new CommandError(
        'refused',
        `the broker refused the connection: ${describeConnack(connack, this.#version)}`,
      );
    }
    // [MQTT-3.3.4-9] no more unacknowledged publishes than the broker takes.
    this.#slotsFree = Math.min(inflightMax, connack.properties.receiveMaximum ?? 65_535);
    const keepAliveSeconds = connack.properties.serverKeepAlive ?? connect.keepAliveSeconds;
    if (keepAliveSeconds > 0) this.#pingTimer = setInterval(() => this.#ping(), keepAliveSeconds * 750);
    return connack;
  }

  #ping(): void {
    if (this.#pingUnanswered) {
      this.#fail(new CommandError('refused', 'the broker does not answer'));
      this.#socket.destroy();
      return;
    }
    this.#pingUnanswered = true;
    this.#send({ type: 'pingreq' });
  }

  #send(packet: Packet): boolean {
    this.#options.trace?.('sent', packet);
    return this.#socket.write(encodePacket(packet, this.#version));
  }

  #wait(key: WaitKey): Promise<Packet> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => this.#waiting.set(key, { resolve, reject }));
  }

  #fail(error: Error): void {
    this.#lost ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#lost);
    this.#waiting.clear();
    for (const go of this.#slots.splice(0)) go();
  }

  #receive(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk);
    } catch (cause) {
      this.#fail(new CommandError('failed', `the broker sent something that is not MQTT: ${describe(cause)}`, cause));
      this.#socket.destroy();
    }
  }

  #take(header: number, bytes: Buffer, bodyStart: number, end: number): boolean {
    const packet = decodePacket(header, bytes, bodyStart, end, this.#version);
    this.#options.trace?.('received', packet);
    switch (packet.type) {
      case 'publish':
        this.#deliver(packet);
        break;
      case 'pubrec':
        this.#received(packet);
        break;
      case 'pubrel':
        this.#unreleased.delete(packet.packetId);
        this.#send({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0, properties: null });
        break;
      case 'pingresp':
        this.#pingUnanswered = false;
        break;
      case 'disconnect':
        this.#fail(
          new CommandError('refused', `the broker ended the connection: ${reasonCodeName(packet.reasonCode)}`),
        );
        break;
      default:
        this.#settle(
          packet.type === 'connack' ? 'connack' : `${packet.type} ${(packet as AckPacket).packetId}`,
          packet,
        );
    }
    return true;
  }

  #settle(key: WaitKey, packet: Packet): void {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    waiting?.resolve(packet);
  }

  /** A QoS 2 message that comes again before it was released is not delivered again. */
  #deliver(packet: PublishPacket): void {
    const { qos, packetId } = packet;
    // The bytes are lent by the decoder for this call.
    if (qos < 2 || !this.#unreleased.has(packetId))
      this.#options.onMessage?.({ ...packet, payload: Buffer.from(packet.payload) });
    if (qos === 2) this.#unreleased.add(packetId);
    if (qos > 0) this.#send({ type: qos === 1 ? 'puback' : 'pubrec', packetId, reasonCode: 0, properties: null });
  }

  #received(packet: { type: 'pubrec' } & AckPacket): void {
    // An error in PUBREC ends the exchange (MQTT 5.0, 4.3.3).
    if (packet.reasonCode >= 0x80) this.#settle(`pubcomp ${packet.packetId}`, packet);
    else this.#send({ type: 'pubrel', packetId: packet.packetId, reasonCode: 0, properties: null });
  }

  #nextPacketId(): number {
    this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
    return this.#lastPacketId;
  }

  /** Resolves when the broker has taken responsibility: with the reason code of its acknowledgement, 0 for QoS 0. */
  async publish({ topic, payload, qos, retain, properties }: PublishRequest): Promise<number> {
    if (qos > 0) await this.#slot();
    if (this.#lost !== null) throw this.#lost;
    const packetId = qos === 0 ? 0 : this.#nextPacketId();
    const packet: PublishPacket = { type: 'publish', dup: false, qos, retain, topic, packetId, properties, payload };
    if (qos === 0) {
      if (!this.#send(packet)) await Promise.race([once(this.#socket, 'drain'), this.closed]);
      return 0;
    }
    const answer = this.#wait(qos === 1 ? `puback ${packetId}` : `pubcomp ${packetId}`);
    this.#send(packet);
    try {
      return ((await answer) as AckPacket).reasonCode;
    } finally {
      this.#slotsFree++;
      this.#slots.shift()?.();
    }
  }

  async #slot(): Promise<void> {
    while (this.#slotsFree === 0 && this.#lost === null)
      await new Promise<void>((resolve) => this.#slots.push(resolve));
    this.#slotsFree--;
  }

  /** Resolves with one reason code for each subscription. */
  async subscribe(subscriptions: SubscriptionRequest[], properties: Properties): Promise<number[]> {
    const packetId = this.#nextPacketId();
    const answer = this.#wait(`suback ${packetId}`);
    const { subscriptionIdentifier, ...others } = properties;
    this.#send({
      type: 'subscribe',
      packetId,
      subscriptionIdentifier: subscriptionIdentifier?.[0] ?? 0,
      properties: others,
      subscriptions,
    });
    return ((await answer) as unknown as { reasonCodes: number[] }).reasonCodes;
  }

  async unsubscribe(filters: string[], properties: Properties): Promise<void> {
    const packetId = this.#nextPacketId();
    const answer = this.#wait(`unsuback ${packetId}`);
    this.#send({ type: 'unsubscribe', packetId, filters, properties });
    await answer;
  }

  /** Says goodbye and waits until the connection is closed. */
  async disconnect(properties: Properties = {}): Promise<void> {
    this.#leaving = true;
    if (this.#lost === null) this.#send({ type: 'disconnect', reasonCode: 0, properties });
    this.#socket.end();
    await this.closed;
  }
}

function describe(error: unknown): string {
  const { message, errors } = error as Error & { errors?: Error[] };
  return message || (errors ?? []).map((part) => part.message).join(', ') || String(error);
}

const returnCodes = [
  'accepted',
  'unacceptable protocol version',
  'identifier rejected',
  'server unavailable',
  'bad user name or password',
  'not authorized',
];

/** Names of return codes of MQTT 3 that people know, where MQTT 5 has other ones. */
const connackWords: Record<number, string> = {
  [ReasonCode.badUserNameOrPassword]: 'bad user name or password',
  [ReasonCode.notAuthorized]: 'not authorized',
};

function describeConnack(connack: ConnackPacket, version: ProtocolVersion): string {
  if (version < 5) return returnCodes[connack.reasonCode] ?? `return code ${connack.reasonCode}`;
  const { reasonString } = connack.properties;
  const words = connackWords[connack.reasonCode] ?? reasonCodeName(connack.reasonCode);
  return reasonString === undefined || reasonString === words ? words : `${words}, ${reasonString}`;
}
