import type { Packet } from '@dunlin/protocol';
import { ackPacket, publishPacket } from '@dunlin/testkit';
import { ChaosClient, type World } from './chaos-client.ts';
import type { Connection } from './connection.ts';
import type { Message } from './message.ts';
import { writeMessage } from './message.ts';
import type { PublisherIdentity } from './roster.ts';

/** Messages under way at once. */
const windowMessages = 20;
/** Packet identifiers run from 1 to this: a broker that remembers one for too long takes a new message for an old one, and loses it. */
const packetIdMax = windowMessages + 8;

interface Inflight {
  readonly message: Message;
  /** PUBREC has come, PUBCOMP has not. */
  isReleased: boolean;
}

/**
 * Publishes numbered messages at a pace, over its topics in turn. A durable one keeps what is not acknowledged over reconnects, and sends it
 * again with its packet identifier, in its order, PUBLISH with DUP [MQTT-4.4.0-1] [MQTT-4.6.0-1]. An ephemeral one gives it up.
 */
export class ChaosPublisher extends ChaosClient {
  declare readonly identity: PublisherIdentity;
  readonly #everyMilliseconds: number;
  /**
   * Messages in flight by packet identifier, in the order in which to send again: released ones move to the end, in the
   * order of their PUBRECs.
   */
  readonly #inflight = new Map<number, Inflight>();
  #window = windowMessages;
  #packetId = 0;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(world: World, identity: PublisherIdentity, number: number, everyMilliseconds: number) {
    super(world, identity, number);
    this.#everyMilliseconds = everyMilliseconds;
  }

  /** Begins to publish whenever it is connected. */
  startPublishing(): void {
    this.#timer = setInterval(() => this.#publishNext(), this.#everyMilliseconds);
  }

  stopPublishing(): void {
    clearInterval(this.#timer);
  }

  override stop(): void {
    this.stopPublishing();
    super.stop();
  }

  /** Number of messages that are not acknowledged to the end. */
  get unfinished(): number {
    return this.#inflight.size;
  }

  protected override connected(connection: Connection, _isPresent: boolean, wasLost: boolean): void {
    if (wasLost) this.#giveUp();
    for (const [packetId, entry] of this.#inflight) {
      if (!entry.isReleased) entry.message.resent++;
      this.#send(connection, packetId, entry, true);
    }
  }

  protected override disconnected(): void {
    if (!this.identity.isDurable) this.#giveUp();
  }

  protected override received(connection: Connection, packet: Packet): void {
    switch (packet.type) {
      case 'puback':
        this.#acknowledged(packet.packetId, packet.reasonCode);
        this.#inflight.delete(packet.packetId);
        break;
      case 'pubrec':
        this.#recorded(connection, packet.packetId, packet.reasonCode);
        break;
      case 'pubcomp':
        if (!this.#inflight.delete(packet.packetId)) this.#wonder(`PUBCOMP ${packet.packetId} for nothing`);
        break;
      default:
        this.world.chronicle.fail(this.clientId, `got ${packet.type}, which a publisher has no use for`);
    }
  }

  #recorded(connection: Connection, packetId: number, reasonCode: number): void {
    this.#acknowledged(packetId, reasonCode);
    const entry = this.#inflight.get(packetId);
    if (entry === undefined) return;
    this.#inflight.delete(packetId);
    if (reasonCode >= 0x80) return;
    entry.isReleased = true;
    this.#inflight.set(packetId, entry);
    this.#send(connection, packetId, entry, false);
  }

  #acknowledged(packetId: number, reasonCode: number): void {
    const entry = this.#inflight.get(packetId);
    if (entry === undefined) {
      this.#wonder(`an acknowledgement of ${packetId}, which is not under way`);
      return;
    }
    if (reasonCode < 0x80) {
      this.world.ledger.acknowledged(entry.message, this.world.chronicle.now());
    } else {
      entry.message.isGivenUp = true;
      this.#wonder(`${entry.message.topic} ${entry.message.sequence} refused with 0x${reasonCode.toString(16)}`);
    }
  }

  #publishNext(): void {
    const connection = this.current;
    if (connection === null || this.#inflight.size >= this.#window) return;
    const { topics } = this.identity;
    const topic = topics[this.#turn++ % topics.length];
    const { ledger, chronicle } = this.world;
    const message = ledger.published(topic, chronicle.now(), connection.addressName);
    do this.#packetId = (this.#packetId % packetIdMax) + 1;
    while (this.#inflight.has(this.#packetId));
    const entry = { message, isReleased: false };
    this.#inflight.set(this.#packetId, entry);
    this.#send(connection, this.#packetId, entry, false);
  }

  #send(connection: Connection, packetId: number, { message, isReleased }: Inflight, dup: boolean): void {
    if (isReleased) {
      connection.send(ackPacket('pubrel', packetId));
      return;
    }
    const { qos } = this.identity;
    connection.send(publishPacket({ topic: message.topic, payload: writeMessage(message), qos, packetId, dup }));
  }

  /** The session is gone, and with it what was under way: nobody knows what became of that. */
  #giveUp(): void {
    for (const { message } of this.#inflight.values()) message.isGivenUp = message.acknowledgedAt === null;
    this.#inflight.clear();
  }

  #wonder(what: string): void {
    this.world.chronicle.note(this.clientId, what);
  }
}
