import { DeadlineError, withDeadline } from '@dunlin/testkit';
import { connectAsync, type MqttClient } from 'mqtt';
import type { Message } from './line-protocol.ts';

const patienceMilliseconds = 20_000;

/** Messages that came at one topic, in order. */
interface Inbox {
  readonly messages: Message[];
  came: PromiseWithResolvers<void>;
}

/** The other side of every step: one client whose behaviour is known, MQTT.js in MQTT 5, which comes back by itself. */
export class ReferenceClient {
  readonly #client: MqttClient;
  readonly #inboxes = new Map<string, Inbox>();

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload, { qos, retain }) => {
      const inbox = this.#inbox(topic);
      inbox.messages.push({ topic, payload: payload.toString(), qos, retain });
      inbox.came.resolve();
      inbox.came = Promise.withResolvers();
    });
  }

  static async connect(port: number): Promise<ReferenceClient> {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, reconnectPeriod: 100 });
    return new ReferenceClient(client);
  }

  async subscribe(topic: string): Promise<void> {
    await this.#client.subscribeAsync(topic, { qos: 2 });
  }

  /** Publishes, and resolves when the handshake is through. */
  async publish({ topic, payload, qos, retain }: Message): Promise<void> {
    const published = this.#client.publishAsync(topic, payload, { qos: qos as 0 | 1 | 2, retain });
    await withDeadline(
      published,
      () => `the reference's publish to ${topic} is not acknowledged`,
      patienceMilliseconds,
    );
  }

  /** The next message at a topic that was subscribed to. */
  async next(topic: string): Promise<Message> {
    const inbox = this.#inbox(topic);
    const came = async () => {
      while (inbox.messages.length === 0) await inbox.came.promise;
    };
    await withDeadline(came(), () => `nothing came to the reference at ${topic}`, patienceMilliseconds);
    return inbox.messages.shift() as Message;
  }

  /** Resolves when it is connected: at once, or after the broker has come back. */
  async untilConnected(): Promise<void> {
    if (this.#client.connected) return;
    const connected = new Promise<void>((resolve) => this.#client.once('connect', () => resolve()));
    await withDeadline(connected, () => 'the reference has not come back', patienceMilliseconds);
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true).catch((error: unknown) => {
      throw new DeadlineError(`the reference cannot end: ${error}`);
    });
  }

  #inbox(topic: string): Inbox {
    const known = this.#inboxes.get(topic);
    if (known !== undefined) return known;
    const inbox = { messages: [], came: Promise.withResolvers<void>() };
    this.#inboxes.set(topic, inbox);
    return inbox;
  }
}
