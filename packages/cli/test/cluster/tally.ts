import { encodePacket, type Properties } from '@dunlin/protocol';
import type { PacketOf, WireClient } from '@dunlin/testkit';
import { type Message, receive } from '../workers/conversation.ts';

/** An answer of a machine that is busy with other tests may take this long. */
const answerMilliseconds = 15_000;

const none = (): number[] => [0, 0, 0];

/** What the clients of a test have published and received, by QoS: counted on their side alone. */
export class Tally {
  readonly published = none();
  readonly publishedBytes = none();
  readonly received = none();

  /** Publishes and goes through the handshake, whatever the answer. */
  async publish(wire: WireClient, message: Message & { properties?: Properties }): Promise<void> {
    const { topic, qos } = message;
    const packet: PacketOf<'publish'> = {
      ...{ type: 'publish', dup: false, topic, qos, retain: message.retain ?? false, packetId: qos === 0 ? 0 : 1 },
      properties: message.properties ?? {},
      payload: Buffer.from(message.payload),
    };
    this.published[qos]++;
    this.publishedBytes[qos] += encodePacket(packet, 5).length;
    wire.send(packet);
    if (qos === 1) await wire.expect('puback', answerMilliseconds);
    if (qos < 2) return;
    const { reasonCode } = await wire.expect('pubrec', answerMilliseconds);
    if (reasonCode >= 0x80) return;
    wire.send({ type: 'pubrel', packetId: 1, reasonCode: 0, properties: null });
    await wire.expect('pubcomp', answerMilliseconds);
  }

  /** So many messages to one topic. */
  async publishMany(wire: WireClient, topic: string, qos: 0 | 1 | 2, count: number): Promise<void> {
    for (let number = 0; number < count; number++) await this.publish(wire, { topic, payload: `${number}`, qos });
  }

  /** Takes and acknowledges so many messages, and returns their payloads. */
  async take(wire: WireClient, count: number): Promise<string[]> {
    const messages = await receive(wire, (taken) => taken.length >= count);
    for (const { qos } of messages) this.received[qos]++;
    return messages.map(({ payload }) => payload.toString());
  }

  /** The next message, which is not acknowledged. */
  async takeOpen(wire: WireClient): Promise<PacketOf<'publish'>> {
    const message = await wire.expect('publish', answerMilliseconds);
    this.received[message.qos]++;
    return message;
  }
}
