import type { Packet } from '@dunlin/protocol';
import { ackPacket, type PacketOf, subscribePacket, type WireClient } from '@dunlin/testkit';
import { type Crew, DurableClient } from './durable-client.ts';

/**
 * Subscribes once and records every message that arrives, in its order. Acknowledgements leave one round trip late, so that a crash finds
 * messages in every state of their handshake. The packet identifiers of QoS 2 messages that are not released are kept over reconnects, and a
 * message that comes again under one of them is not taken again [MQTT-4.3.3-2].
 */
export class DurableSubscriber extends DurableClient {
  readonly qos: 1 | 2;
  readonly filters: readonly string[];
  /** Numbers in the order of their arrival, by `publisher topic`. */
  readonly arrivals = new Map<string, number[]>();
  readonly subscribed: Promise<void>;
  readonly #subscribed = Promise.withResolvers<void>();
  readonly #unreleased = new Set<number>();
  #isSubscribed = false;
  #late: Packet[] = [];
  #isPinging = false;
  #arrived = Promise.withResolvers<void>();

  constructor(crew: Crew, clientId: string, qos: 1 | 2, filters: readonly string[]) {
    super(crew, clientId);
    this.qos = qos;
    this.filters = filters;
    this.subscribed = this.#subscribed.promise;
  }

  /** Resolves when this message has come. */
  async has(publisher: string, topic: string, sequence: number): Promise<void> {
    const stream = `${publisher} ${topic}`;
    while (this.arrivals.get(stream)?.includes(sequence) !== true) await this.#arrived.promise;
  }

  protected override connected(wire: WireClient, isPresent: boolean): void {
    this.#late = [];
    this.#isPinging = false;
    if (!isPresent) this.#unreleased.clear();
    if (this.#isSubscribed) return;
    wire.send(subscribePacket(this.filters.map((filter) => ({ filter, qos: this.qos }))));
  }

  protected override received(wire: WireClient, packet: Packet): void {
    switch (packet.type) {
      case 'suback':
        this.#isSubscribed = true;
        this.#subscribed.resolve();
        break;
      case 'publish':
        this.#take(packet);
        this.#acknowledgeLater(wire, packet);
        break;
      case 'pubrel':
        this.#unreleased.delete(packet.packetId);
        this.#late.push(ackPacket('pubcomp', packet.packetId));
        this.#ping(wire);
        break;
      case 'pingresp':
        this.#isPinging = false;
        wire.send(...this.#late.splice(0));
        break;
      default:
        this.faults.push(`${this.clientId}: ${packet.type} was not expected`);
    }
  }

  #take(packet: PacketOf<'publish'>): void {
    if (packet.qos === 0) this.faults.push(`${this.clientId}: a message of QoS 0 on ${packet.topic}`);
    if (packet.qos === 2) {
      if (this.#unreleased.has(packet.packetId)) return;
      this.#unreleased.add(packet.packetId);
    }
    const [publisher, sequence] = packet.payload.toString().split(' ');
    const stream = `${publisher} ${packet.topic}`;
    const arrived = this.arrivals.get(stream);
    if (arrived === undefined) this.arrivals.set(stream, [Number(sequence)]);
    else arrived.push(Number(sequence));
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }

  #acknowledgeLater(wire: WireClient, { qos, packetId }: PacketOf<'publish'>): void {
    this.#late.push({ type: qos === 1 ? 'puback' : 'pubrec', packetId, reasonCode: 0, properties: null });
    this.#ping(wire);
  }

  #ping(wire: WireClient): void {
    if (this.#isPinging) return;
    this.#isPinging = true;
    wire.send({ type: 'pingreq' });
  }
}
