import { ackPacket, type Conversation, DeadlineError, type Introduction, withDeadline } from '@dunlin/testkit';

const sessionTakenOver = 0x8e;
/** All connects are worked off, and all messages come, within this. */
const patienceMilliseconds = 20_000;

/** Connections that all say the same CONNECT at once. Whoever is connected acknowledges what comes (QoS 1) and is sent away by the next. */
export class ConnectedTwins {
  /** Texts of all messages, whichever connection they came on. */
  readonly delivered: string[] = [];
  readonly #left: Set<Conversation>;
  readonly #faults: string[] = [];
  #happened = Promise.withResolvers<void>();

  constructor(wires: readonly Conversation[], greeting: Introduction) {
    this.#left = new Set(wires);
    for (const wire of wires) {
      wire.sendConnect(greeting);
      void this.#live(wire);
    }
  }

  /** Resolves when all but one have been sent away. */
  untilOneIsLeft(): Promise<void> {
    return this.#until(() => this.#left.size === 1);
  }

  /** Resolves when every one of these texts has come. */
  untilDelivered(texts: readonly string[]): Promise<void> {
    return this.#until(() => texts.every((text) => this.delivered.includes(text)));
  }

  async #until(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      if (this.#faults.length > 0) throw new DeadlineError(this.#faults.join('\n'));
      const describe = () => `${this.#left.size} connections are left, ${this.delivered.length} messages came`;
      await withDeadline(this.#happened.promise, describe, patienceMilliseconds);
    }
  }

  async #live(wire: Conversation): Promise<void> {
    try {
      for (;;) {
        const packet = await wire.next(patienceMilliseconds);
        if (packet.type === 'publish') {
          this.delivered.push(packet.payload.toString());
          wire.send(ackPacket('puback', packet.packetId));
        } else if (packet.type === 'disconnect') {
          if (packet.reasonCode !== sessionTakenOver) this.#faults.push(`sent away with ${packet.reasonCode}`);
          this.#left.delete(wire);
        } else if (packet.type !== 'connack' || packet.reasonCode !== 0) {
          this.#faults.push(`unexpected: ${JSON.stringify(packet)}`);
        }
        this.#tell();
      }
    } catch (error) {
      // The end of a connection that was sent away, or of the test.
      if (this.#left.has(wire)) this.#faults.push(`closed without a word: ${error}`);
      this.#left.delete(wire);
      this.#tell();
    }
  }

  #tell(): void {
    this.#happened.resolve();
    this.#happened = Promise.withResolvers<void>();
  }
}
