import { DeadlineError, withDeadline } from '@dunlin/testkit';
import { connect, connectAsync, type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt';
import type { RealClient, RealSubscriber, ShownMessage, Subscribing } from './real-client.ts';

/** The CONNACK of a client that connects: rejects when it is refused. */
export function connected(client: MqttClient): Promise<IConnackPacket> {
  return new Promise((resolve, reject) => {
    client.once('connect', resolve);
    client.once('error', reject);
  });
}

class MqttJsSubscriber implements RealSubscriber {
  readonly #client: MqttClient;
  readonly #messages: ShownMessage[];
  #came = Promise.withResolvers<void>();

  constructor(client: MqttClient, messages: ShownMessage[]) {
    this.#client = client;
    this.#messages = messages;
    client.on('message', () => {
      this.#came.resolve();
      this.#came = Promise.withResolvers<void>();
    });
  }

  async next(): Promise<ShownMessage> {
    while (this.#messages.length === 0) await withDeadline(this.#came.promise, () => 'no message came', 20_000);
    return this.#messages.shift() as ShownMessage;
  }

  async leave(): Promise<void> {
    await this.#client.endAsync();
  }
}

/** MQTT.js. */
export class MqttJsClient implements RealClient {
  readonly name: string;
  readonly #version: 4 | 5;

  constructor(version: 4 | 5) {
    this.name = `MQTT.js, level ${version}`;
    this.#version = version;
  }

  async publish(url: string, { topic, payload, qos, retain }: ShownMessage): Promise<void> {
    const client = await connectAsync(url, this.#options({ clientId: 'publisher' }));
    await client.publishAsync(topic, payload, { qos: qos as 0 | 1 | 2, retain });
    await client.endAsync();
  }

  async subscribe(url: string, { filter, qos, clientId, isDurable }: Subscribing): Promise<RealSubscriber> {
    const durable = this.#version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {};
    const session = isDurable === true ? { clean: false, ...durable } : {};
    const messages: ShownMessage[] = [];
    // A durable session's messages come with CONNACK: whoever listens must be there before.
    const client = connect(url, this.#options({ clientId, ...session }));
    client.on('message', (topic, payload, packet) => {
      messages.push({ topic, payload: payload.toString(), qos: packet.qos, retain: packet.retain });
    });
    const subscriber = new MqttJsSubscriber(client, messages);
    await connected(client);
    const [granted] = await client.subscribeAsync(filter, { qos });
    if (granted.qos !== qos) throw new DeadlineError(`granted ${granted.qos}`);
    return subscriber;
  }

  async dieLeavingWill(url: string, { topic, payload, qos, retain }: ShownMessage): Promise<void> {
    const will = { topic, payload: Buffer.from(payload), qos: qos as 0 | 1 | 2, retain };
    const client = await connectAsync(url, this.#options({ clientId: 'mortal', will }));
    client.stream.destroy();
    await client.endAsync(true);
  }

  #options(more: IClientOptions): IClientOptions {
    return { protocolVersion: this.#version, reconnectPeriod: 0, ...more };
  }
}
