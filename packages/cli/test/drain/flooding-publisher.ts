import type { Conversation } from '@dunlin/testkit';

/** Messages under way at once: enough that some always wait for the store. */
const windowMessages = 200;

/** Publishes numbered messages with QoS 1, as many as its window takes, until it is sent away. */
export class FloodingPublisher {
  readonly topic: string;
  /** Numbers of the messages that were acknowledged, in that order. */
  readonly acknowledged: number[] = [];
  readonly #wire: Conversation;
  #sent = 0;
  #came = Promise.withResolvers<void>();

  constructor(wire: Conversation, topic: string) {
    this.#wire = wire;
    this.topic = topic;
  }

  /** Resolves with the reason code of the broker's DISCONNECT. */
  async flood(): Promise<number> {
    for (;;) {
      while (this.#sent - this.acknowledged.length < windowMessages) this.#publish();
      const packet = await this.#wire.next(20_000);
      if (packet.type === 'disconnect') return packet.reasonCode;
      if (packet.type !== 'puback') throw new TypeError(`${packet.type} was not expected`);
      // Acknowledgements come in the order of the messages [MQTT-4.6.0-2].
      if (packet.packetId !== packetIdOf(this.acknowledged.length + 1)) throw new TypeError('out of order');
      this.acknowledged.push(this.acknowledged.length + 1);
      this.#came.resolve();
      this.#came = Promise.withResolvers<void>();
    }
  }

  /** Resolves when there are this many. */
  async acknowledgements(count: number): Promise<void> {
    while (this.acknowledged.length < count) await this.#came.promise;
  }

  #publish(): void {
    const number = ++this.#sent;
    this.#wire.sendPublish({ topic: this.topic, payload: String(number), qos: 1 }, packetIdOf(number));
  }
}

function packetIdOf(number: number): number {
  return ((number - 1) % 65_535) + 1;
}
