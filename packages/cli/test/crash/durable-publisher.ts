import type { Packet } from '@dunlin/protocol';
import { ackPacket, publishPacket, type WireClient } from '@dunlin/testkit';
import { type Crew, DurableClient } from './durable-client.ts';

/** Messages one publisher has under way at once. */
const windowMessages = 40;
/** Packet identifiers run from 1 to this: a broker that remembers one for too long takes a new message for an old one, and loses it. */
const packetIdMax = windowMessages + 8;

interface Sent {
  readonly topic: string;
  readonly sequence: number;
}

/**
 * Publishes numbered messages, as many as its window takes, over its topics in turn. What is not acknowledged is sent again after every
 * reconnect with its packet identifier, in its order, PUBLISH with DUP [MQTT-4.4.0-1] [MQTT-4.6.0-1].
 */
export class DurablePublisher extends DurableClient {
  readonly qos: 1 | 2;
  readonly topics: readonly string[];
  /** The last number given on each topic: numbers run 1, 2, 3 … */
  readonly lastSequences = new Map<string, number>();
  /** Packets of PUBLISH with DUP. */
  resent = 0;
  #packetId = 0;
  #turn = 0;
  #mayPublish = true;
  /** PUBLISH went out, neither PUBACK nor PUBREC came; in the order of sending. */
  readonly #unacknowledged = new Map<number, Sent>();
  /** PUBREC came, PUBCOMP did not; in the order of the PUBRECs. */
  readonly #released = new Set<number>();
  #idle = Promise.withResolvers<void>();

  constructor(crew: Crew, clientId: string, qos: 1 | 2, topics: readonly string[]) {
    super(crew, clientId);
    this.qos = qos;
    this.topics = topics;
  }

  /** No new messages; resolves when everything that was sent is acknowledged to the end. */
  async finish(): Promise<void> {
    this.#mayPublish = false;
    this.#tellIfIdle();
    await this.#idle.promise;
  }

  /** Publishes one more message on every topic; `finish` has resolved. */
  async publishLast(): Promise<void> {
    this.#idle = Promise.withResolvers<void>();
    for (const _ of this.topics) this.#publishNext(this.wire);
    await this.#idle.promise;
  }

  /** Words for what is still open, for messages. */
  describe(): string {
    return `${this.clientId}: ${this.#unacknowledged.size} unacknowledged, ${this.#released.size} released`;
  }

  protected override connected(wire: WireClient): void {
    for (const packetId of this.#released) this.#sendPubrel(wire, packetId);
    for (const [packetId, sent] of this.#unacknowledged) {
      this.resent++;
      this.#sendPublish(wire, packetId, sent, true);
    }
    this.#fill(wire);
  }

  protected override received(wire: WireClient, packet: Packet): void {
    switch (packet.type) {
      case 'puback':
        if (this.#unacknowledged.delete(packet.packetId)) break;
        this.faults.push(`${this.clientId}: PUBACK ${packet.packetId} for nothing`);
        break;
      case 'pubrec':
        this.#unacknowledged.delete(packet.packetId);
        this.#released.add(packet.packetId);
        this.#sendPubrel(wire, packet.packetId);
        break;
      case 'pubcomp':
        this.#released.delete(packet.packetId);
        break;
      default:
        this.faults.push(`${this.clientId}: ${packet.type} was not expected`);
    }
    this.#fill(wire);
    this.#tellIfIdle();
  }

  #fill(wire: WireClient): void {
    while (this.#mayPublish && this.#unacknowledged.size + this.#released.size < windowMessages)
      this.#publishNext(wire);
  }

  #publishNext(wire: WireClient | null): void {
    const topic = this.topics[this.#turn++ % this.topics.length];
    const sequence = (this.lastSequences.get(topic) ?? 0) + 1;
    this.lastSequences.set(topic, sequence);
    do this.#packetId = (this.#packetId % packetIdMax) + 1;
    while (this.#unacknowledged.has(this.#packetId) || this.#released.has(this.#packetId));
    this.#unacknowledged.set(this.#packetId, { topic, sequence });
    // Between connections it waits for the next one, which sends all that is unacknowledged.
    if (wire !== null) this.#sendPublish(wire, this.#packetId, { topic, sequence }, false);
  }

  #sendPublish(wire: WireClient, packetId: number, { topic, sequence }: Sent, dup: boolean): void {
    wire.send(publishPacket({ topic, payload: `${this.clientId} ${sequence}`, qos: this.qos, packetId, dup }));
  }

  #sendPubrel(wire: WireClient, packetId: number): void {
    wire.send(ackPacket('pubrel', packetId));
  }

  #tellIfIdle(): void {
    if (!this.#mayPublish && this.#unacknowledged.size === 0 && this.#released.size === 0) this.#idle.resolve();
  }
}
