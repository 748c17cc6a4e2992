import type { Packet, ProtocolVersion, Will } from '@dunlin/protocol';
import { openStream } from './client-stream.ts';
import { DeadlineError } from './deadline.ts';
import {
  ackPacket,
  connectPacket,
  disconnectPacket,
  type FilterOptions,
  type PacketOf,
  type PublishOptions,
  publishPacket,
  subscribePacket,
} from './packets.ts';
import { WireClient } from './wire-client.ts';

/** An answer of a machine that is busy with other tests may take this long. */
const answerMilliseconds = 15_000;

/** Fields of a CONNECT: a new session that ends with its connection unless given otherwise. */
export interface Introduction {
  readonly clientId?: string;
  readonly cleanStart?: boolean;
  /** MQTT 5. */
  readonly sessionExpirySeconds?: number;
  /** MQTT 5. */
  readonly receiveMaximum?: number;
  readonly will?: Will | null;
  readonly userName?: string | null;
  readonly password?: string | Buffer | null;
}

/** Messages in flight that a client takes unless it says otherwise: more than tests send at once. */
const receiveMaximumUsual = 1000;

/**
 * A client that goes through whole handshakes: it connects, subscribes, publishes and receives as clients do, and checks the answers. Between them a test may say
 * anything else, as with every `WireClient`.
 */
export class Conversation extends WireClient {
  static override async open(url: string, version: ProtocolVersion = 5): Promise<Conversation> {
    return new Conversation(await openStream(url), version);
  }

  /** Sends CONNECT and waits for nothing. */
  sendConnect(introduction: Introduction = {}): void {
    const { sessionExpirySeconds = 0, receiveMaximum = receiveMaximumUsual, ...rest } = introduction;
    const properties = this.version === 5 ? { sessionExpiryInterval: sessionExpirySeconds, receiveMaximum } : {};
    this.send(connectPacket({ version: this.version, properties, ...rest }));
  }

  /** Sends CONNECT and returns whatever CONNACK says. */
  async introduce(introduction?: Introduction): Promise<PacketOf<'connack'>> {
    this.sendConnect(introduction);
    return this.expect('connack', answerMilliseconds);
  }

  /** Connects; the broker must accept. */
  async connect(introduction?: Introduction): Promise<PacketOf<'connack'>> {
    const connack = await this.introduce(introduction);
    if (connack.reasonCode !== 0) throw new DeadlineError(`refused with ${connack.reasonCode}${this.transcript()}`);
    return connack;
  }

  /** The first packet of this type that comes; what is before it stays in the queue. */
  answer<T extends Packet['type']>(type: T): Promise<PacketOf<T>> {
    return this.expectAmong(type, answerMilliseconds);
  }

  /** Subscribes; the broker must grant what is asked for. Messages may come before SUBACK: they stay in the queue. */
  async subscribe(filters: string | FilterOptions | readonly FilterOptions[], qos: 0 | 1 | 2 = 0): Promise<void> {
    const named = typeof filters === 'string' ? { filter: filters, qos } : filters;
    const packet = subscribePacket(named);
    this.send(packet);
    const { reasonCodes } = await this.answer('suback');
    const wanted = packet.subscriptions.map((subscription) => subscription.qos).join();
    if (reasonCodes.join() !== wanted)
      throw new DeadlineError(`SUBACK grants ${reasonCodes}, not ${wanted}${this.transcript()}`);
  }

  /** Sends PUBLISH and waits for nothing. */
  sendPublish(message: PublishOptions, packetId = 1): void {
    this.send(publishPacket({ ...message, packetId: (message.qos ?? 0) === 0 ? 0 : packetId }));
  }

  /** Publishes one message and goes through its whole handshake. Nothing else may be on its way to this client. */
  async publish(message: PublishOptions, packetId = 1): Promise<void> {
    this.sendPublish(message, packetId);
    if (message.qos === 1) await this.expectPacket({ type: 'puback', packetId }, answerMilliseconds);
    if (message.qos !== 2) return;
    await this.expectPacket({ type: 'pubrec', packetId }, answerMilliseconds);
    this.send(ackPacket('pubrel', packetId));
    await this.expectPacket({ type: 'pubcomp', packetId, reasonCode: 0 }, answerMilliseconds);
  }

  /** Takes and acknowledges messages until there are enough and every handshake is through. Returns them in their order. */
  async receive(isEnough: (received: PacketOf<'publish'>[]) => boolean): Promise<PacketOf<'publish'>[]> {
    const received: PacketOf<'publish'>[] = [];
    const open = new Set<number>();
    while (open.size > 0 || !isEnough(received)) {
      const packet = await this.next(answerMilliseconds);
      if (packet.type === 'pubrel') {
        open.delete(packet.packetId);
        this.send(ackPacket('pubcomp', packet.packetId));
        continue;
      }
      if (packet.type !== 'publish') throw new TypeError(`${packet.type} was not expected${this.transcript()}`);
      received.push(packet);
      if (packet.qos === 2) open.add(packet.packetId);
      if (packet.qos > 0) this.send(ackPacket(packet.qos === 1 ? 'puback' : 'pubrec', packet.packetId));
    }
    return received;
  }

  /** The next `count` messages, as text. */
  async receiveTexts(count: number): Promise<string[]> {
    return textsOf(await this.receive((received) => received.length >= count));
  }

  /** Says goodbye and waits until the broker has closed the connection. */
  async leave(): Promise<void> {
    this.send(disconnectPacket());
    await this.expectClosed();
  }
}

/** The payloads of messages, as text. */
export function textsOf(messages: readonly PacketOf<'publish'>[]): string[] {
  return messages.map((message) => message.payload.toString());
}
