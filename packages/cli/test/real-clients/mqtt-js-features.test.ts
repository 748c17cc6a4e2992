import { type BrokerProcess, startDunlin, withDeadline } from '@dunlin/testkit';
import { connect, type IClientOptions, type IPublishPacket, type MqttClient, type Packet } from 'mqtt';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connected } from './mqtt-js-client.ts';

let broker: BrokerProcess;
beforeAll(async () => {
  broker = await startDunlin({ store: 'memory', workers: 2 });
});
afterAll(async () => {
  await broker.kill();
});

const clients: MqttClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
});

/** A connected MQTT.js client, and every PUBLISH that comes to it. */
class Listener {
  readonly client: MqttClient;
  readonly #packets: IPublishPacket[] = [];
  #came = Promise.withResolvers<void>();

  constructor(client: MqttClient) {
    this.client = client;
    client.on('message', (_topic, _payload, packet) => {
      this.#packets.push(packet);
      this.#came.resolve();
      this.#came = Promise.withResolvers<void>();
    });
  }

  async next(): Promise<IPublishPacket> {
    while (this.#packets.length === 0) await withDeadline(this.#came.promise, () => 'no message came', 15_000);
    return this.#packets.shift() as IPublishPacket;
  }
}

async function listen(options: IClientOptions = {}): Promise<Listener> {
  const client = connect(broker.url, { protocolVersion: 5, reconnectPeriod: 0, ...options });
  clients.push(client);
  const listener = new Listener(client);
  await connected(client);
  return listener;
}

test('shared subscriptions: each message to one of the group, and all to who subscribes alone', async () => {
  const members = await Promise.all([1, 2, 3, 4].map(() => listen()));
  const alone = await listen();
  for (const { client } of members) {
    await client.subscribeAsync('$share/group/shared/#', { qos: 1 });
    await client.subscribeAsync('shared-end', { qos: 1 });
  }
  await alone.client.subscribeAsync('shared/#', { qos: 1 });
  const publisher = await listen();
  const texts = Array.from({ length: 40 }, (_, number) => `${number}`);
  for (const text of texts) await publisher.client.publishAsync('shared/a', text, { qos: 1 });
  await publisher.client.publishAsync('shared-end', 'end', { qos: 1 });
  const shares: string[][] = [];
  for (const member of members) {
    const share: string[] = [];
    let packet = await member.next();
    for (; packet.topic !== 'shared-end'; packet = await member.next()) share.push(packet.payload.toString());
    shares.push(share);
  }
  expect(shares.flat().sort()).toEqual([...texts].sort());
  for (const share of shares) expect(share.length).toBeGreaterThan(0);
  for (const text of texts) expect((await alone.next()).payload.toString()).toBe(text);
});

test('request and response, at the place that CONNACK names', async () => {
  const responder = await listen();
  await responder.client.subscribeAsync('service/double', { qos: 1 });
  responder.client.on('message', (_topic, payload, { properties }) => {
    if (properties?.responseTopic === undefined) return;
    const { correlationData } = properties;
    const answer = String(2 * Number(payload));
    responder.client.publish(properties.responseTopic, answer, { qos: 1, properties: { correlationData } });
  });
  const requester = connect(broker.url, {
    protocolVersion: 5,
    clientId: 'requester',
    reconnectPeriod: 0,
    properties: { requestResponseInformation: true },
  });
  clients.push(requester);
  const answers = new Listener(requester);
  const connack = await connected(requester);
  const place = connack.properties?.responseInformation ?? '';
  expect(place).not.toBe('');
  await requester.subscribeAsync(`${place}#`, { qos: 1 });
  for (const number of [1, 21, 300]) {
    const correlationData = Buffer.from(`request ${number}`);
    const properties = { responseTopic: `${place}double`, correlationData };
    await requester.publishAsync('service/double', String(number), { qos: 1, properties });
    const answer = await answers.next();
    expect(answer.topic).toBe(`${place}double`);
    expect(answer.payload.toString()).toBe(String(2 * number));
    expect(answer.properties?.correlationData).toEqual(correlationData);
  }
});

test('topic aliases both ways: the name travels once', async () => {
  const topic = 'a/long/name/that/travels/once';
  const subscriber = await listen({ properties: { topicAliasMaximum: 10 } });
  const onWire: Packet[] = [];
  subscriber.client.on('packetreceive', (packet) => {
    // MQTT.js puts the name back into the packet itself: what was on the wire is copied.
    if (packet.cmd === 'publish') onWire.push({ ...packet });
  });
  await subscriber.client.subscribeAsync('a/#', { qos: 1 });
  const publisher = await listen({ autoAssignTopicAlias: true });
  const sent: Packet[] = [];
  publisher.client.on('packetsend', (packet) => {
    if (packet.cmd === 'publish') sent.push({ ...packet });
  });
  for (const text of ['one', 'two', 'three']) {
    await publisher.client.publishAsync(topic, text, { qos: 1 });
    const message = await subscriber.next();
    expect(message.payload.toString()).toBe(text);
  }
  for (const packets of [sent, onWire] as IPublishPacket[][]) {
    expect(packets.map((packet) => packet.topic)).toEqual([topic, '', '']);
    expect(packets.map((packet) => packet.properties?.topicAlias)).toEqual([1, 1, 1]);
  }
});

test('user properties, content type and payload format go through unaltered, repeated names in their order', async () => {
  const subscriber = await listen();
  await subscriber.client.subscribeAsync('properties', { qos: 2 });
  const publisher = await listen();
  const properties = {
    userProperties: { colour: ['red', 'green', 'red'], place: 'Zürich' },
    contentType: 'text/plain; charset=utf-8',
    payloadFormatIndicator: true,
  };
  for (const qos of [0, 1, 2] as const) {
    await publisher.client.publishAsync('properties', 'grüezi', { qos, properties });
    const message = await subscriber.next();
    expect(message.payload.toString()).toBe('grüezi');
    expect({ ...message.properties?.userProperties }).toEqual(properties.userProperties);
    expect(message.properties).toMatchObject({ contentType: properties.contentType, payloadFormatIndicator: true });
  }
});

test('subscription identifiers say which subscriptions a message came for', async () => {
  const subscriber = await listen();
  await subscriber.client.subscribeAsync('ids/+/x', { qos: 1, properties: { subscriptionIdentifier: 7 } });
  await subscriber.client.subscribeAsync('ids/#', { qos: 1, properties: { subscriptionIdentifier: 268_435_455 } });
  const publisher = await listen();
  await publisher.client.publishAsync('ids/b', 'one', { qos: 1 });
  expect([(await subscriber.next()).properties?.subscriptionIdentifier].flat()).toEqual([268_435_455]);
  await publisher.client.publishAsync('ids/a/x', 'both', { qos: 1 });
  // One message with both, or one for each: both are allowed (MQTT 5, section 3.3.4).
  const seen: unknown[] = [];
  while (seen.length < 2) seen.push(...[(await subscriber.next()).properties?.subscriptionIdentifier].flat());
  expect(seen.map(Number).sort((a, b) => a - b)).toEqual([7, 268_435_455]);
});

test('message expiry: what is left of it is sent on, and what has expired does not come', async () => {
  const durable = { clientId: 'sleeper', clean: false, properties: { sessionExpiryInterval: 3600 } };
  const before = await listen(durable);
  await before.client.subscribeAsync('news/#', { qos: 1 });
  await before.client.endAsync();
  const watcher = await listen();
  await watcher.client.subscribeAsync('news/later', { qos: 1 });
  const publisher = await listen();
  const publish = (topic: string, messageExpiryInterval: number) =>
    publisher.client.publishAsync(topic, topic, { qos: 1, properties: { messageExpiryInterval } });
  await publish('news/short', 1);
  await publish('news/long', 1000);
  // The broker's own clock tells that two seconds have passed: a publish that it delays.
  await publisher.client.publishAsync('$delayed/2/news/later', 'later', { qos: 1 });
  expect((await watcher.next()).payload.toString()).toBe('later');
  const after = await listen(durable);
  const long = await after.next();
  expect(long.topic).toBe('news/long');
  const remaining = long.properties?.messageExpiryInterval ?? 0;
  expect(remaining).toBeLessThanOrEqual(999);
  expect(remaining).toBeGreaterThan(900);
  expect((await after.next()).topic).toBe('news/later');
});

/**
 * MQTT.js has no flow control: all of it is written before the first acknowledgement is read, three times our Receive
 * Maximum.
 */
test.each([
  [1, 'nobody'],
  [2, 'nobody'],
  [1, 'a durable subscriber'],
  [2, 'a durable subscriber'],
] as const)('a burst of 3,000 messages of QoS %i for %s goes through on one connection', async (qos, whom) => {
  const topic = `burst/${qos}/${whom}`;
  const subscriber = await listen({ clientId: `of ${topic}`, clean: false, properties: { sessionExpiryInterval: 60 } });
  if (whom !== 'nobody') await subscriber.client.subscribeAsync(topic, { qos });
  const publisher = await listen({ clean: false, clientId: `to ${topic}`, properties: { sessionExpiryInterval: 60 } });
  const closed = new Promise((_resolve, reject) => publisher.client.once('close', () => reject(new Error('cut off'))));
  closed.catch(() => {});
  const numbers = Array.from({ length: 3000 }, (_, number) => number);
  await Promise.race([
    Promise.all(numbers.map((number) => publisher.client.publishAsync(topic, String(number), { qos }))),
    closed,
  ]);
  if (whom === 'nobody') return;
  for (const number of numbers) expect((await subscriber.next()).payload.toString()).toBe(String(number));
});
