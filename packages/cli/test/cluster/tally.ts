import { encodePacket } from '@dunlin/protocol';
import { ackPacket, type Conversation, type PacketOf, type PublishOptions, publishPacket } from '@dunlin/testkit';

/** An answer of a machine that is busy with other tests may take this long. */
const answerMilliseconds = 15_000;

const none = (): number[] => [0, 0, 0];

/** Messages that the clients of a test have published and received, by QoS: counted on their side alone. */
export class Tally {
  readonly published = none();
  readonly publishedBytes = none();
  readonly received = none();

  /** Publishes and goes through the handshake, whatever the answer. */
  async publish(wire: Conversation, message: PublishOptions): Promise<void> {
    const packet = publishPacket(message);
    const { qos } = packet;
    this.published[qos]++;
    this.publishedBytes[qos] += encodePacket(packet, 5).length;
    wire.send(packet);
    if (qos === 1) await wire.expect('puback', answerMilliseconds);
    if (qos < 2) return;
    const { reasonCode } = await wire.expect('pubrec', answerMilliseconds);
    if (reasonCode >= 0x80) return;
    wire.send(ackPacket('pubrel', 1));
    await wire.expect('pubcomp', answerMilliseconds);
  }

  /** Publishes a number of messages to one topic. */
  async publishMany(wire: Conversation, topic: string, qos: 0 | 1 | 2, count: number): Promise<void> {
    for (let number = 0; number < count; number++) await this.publish(wire, { topic, payload: `${number}`, qos });
  }

  /** Takes and acknowledges so many messages, and returns their payloads. */
  async take(wire: Conversation, count: number): Promise<string[]> {
    const messages = await wire.receive((taken) => taken.length >= count);
    for (const { qos } of messages) this.received[qos]++;
    return messages.map(({ payload }) => payload.toString());
  }

  /** The next message, which is not acknowledged. */
  async takeOpen(wire: Conversation): Promise<PacketOf<'publish'>> {
    const message = await wire.expect('publish', answerMilliseconds);
    this.received[message.qos]++;
    return message;
  }
}
