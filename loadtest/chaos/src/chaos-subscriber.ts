import type { Packet, PublishPacket } from '@dunlin/protocol';
import { subscribePacket } from '@dunlin/testkit';
import { ChaosClient, type World } from './chaos-client.ts';
import type { Connection } from './connection.ts';
import type { Audience } from './ledger.ts';
import { readMessage } from './message.ts';
import type { SubscriberIdentity } from './roster.ts';

/** Acknowledgements leave together, up to this much later: faults then find messages in every state of their handshake. */
const acknowledgeMillisecondsMax = 20;

/**
 * Subscribes and records every message that it hands to its application. Packet identifiers of QoS 2 messages that are not released are kept
 * over reconnects, and a message that comes again under one of them is not handed over again [MQTT-4.3.3-10].
 */
export class ChaosSubscriber extends ChaosClient {
  declare readonly identity: SubscriberIdentity;
  readonly #audience: Audience;
  /** Packet identifiers whose PUBREL has not come, with the message each came with, and on which connection first. */
  readonly #unreleased = new Map<number, { readonly name: string; readonly connection: Connection }>();
  #isSubscribed = false;
  #acknowledgements: Packet[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(world: World, identity: SubscriberIdentity, number: number, audience: Audience) {
    super(world, identity, number);
    this.#audience = audience;
  }

  override get isBack(): boolean {
    return super.isBack && this.#isSubscribed;
  }

  protected override connectProperties(): { receiveMaximum: number } {
    return { receiveMaximum: this.identity.receiveMaximum };
  }

  protected override connected(connection: Connection, isPresent: boolean): void {
    if (!isPresent) {
      this.#unreleased.clear();
      this.#isSubscribed = false;
    }
    if (this.#isSubscribed) return;
    const { qos, filters } = this.identity;
    connection.send(subscribePacket(filters.map((filter) => ({ filter, qos }))));
  }

  protected override disconnected(): void {
    // Acknowledgements belong to the connection their messages came on.
    clearTimeout(this.#timer);
    this.#acknowledgements = [];
    if (!this.identity.isDurable) this.world.ledger.left(this.#audience);
  }

  protected override received(connection: Connection, packet: Packet): void {
    const { chronicle, ledger } = this.world;
    switch (packet.type) {
      case 'suback':
        if (packet.reasonCodes.some((code) => code !== this.identity.qos))
          chronicle.fail(this.clientId, `SUBACK with ${packet.reasonCodes.join(', ')}`);
        this.#isSubscribed = true;
        if (!this.identity.isDurable) ledger.joined(this.#audience, chronicle.now());
        break;
      case 'publish':
        this.#take(connection, packet);
        if (packet.qos > 0) this.#acknowledge(connection, packet.qos === 1 ? 'puback' : 'pubrec', packet.packetId);
        break;
      case 'pubrel':
        this.#unreleased.delete(packet.packetId);
        this.#acknowledge(connection, 'pubcomp', packet.packetId);
        break;
      default:
        chronicle.fail(this.clientId, `got ${packet.type}, which a subscriber has no use for`);
    }
  }

  #take(connection: Connection, packet: PublishPacket): void {
    const { ledger, chronicle } = this.world;
    if (packet.qos === 2) {
      const name = `${packet.topic} ${packet.payload}`;
      const before = this.#unreleased.get(packet.packetId);
      if (before?.name === name) return;
      if (before !== undefined) {
        const what = `packet identifier ${packet.packetId} of ${before.name}, not released, came with ${name}`;
        // A store that came back older does not know of the handshake. It is a new message, with DUP only where its first delivery was lost with a connection since.
        const isNew = !packet.dup || before.connection !== connection;
        if (ledger.setbacks.length === 0 || !isNew) chronicle.fail(this.clientId, what);
        else chronicle.note(this.clientId, what);
        ledger.reusedIdentifiers++;
      }
      this.#unreleased.set(packet.packetId, { name, connection });
    }
    const message = readMessage(packet.payload);
    if (message === null) {
      chronicle.fail(this.clientId, `a message that nobody sent, on ${packet.topic}`);
      return;
    }
    const { topic, qos, dup, packetId } = packet;
    const arrival = { sequence: message.sequence, at: chronicle.now(), client: this.clientId, qos, dup, packetId };
    if (!ledger.arrived(this.#audience, topic, arrival))
      chronicle.fail(
        this.clientId,
        `${message.publisher} ${message.sequence} on ${topic}, which nobody sent or it did not ask for`,
      );
  }

  /** Acknowledges in the order of the messages [MQTT-4.6.0-2] [MQTT-4.6.0-3]. */
  #acknowledge(connection: Connection, type: 'puback' | 'pubrec' | 'pubcomp', packetId: number): void {
    this.#acknowledgements.push({ type, packetId, reasonCode: 0, properties: null });
    if (this.#acknowledgements.length > 1) return;
    this.#timer = setTimeout(
      () => connection.send(...this.#acknowledgements.splice(0)),
      this.random.between(0, acknowledgeMillisecondsMax),
    );
  }
}
