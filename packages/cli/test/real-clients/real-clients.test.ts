import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BrokerProcess, startDunlin } from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MosquittoClient } from './mosquitto-client.ts';
import { MqttJsClient } from './mqtt-js-client.ts';
import { ProgramClient } from './program-client.ts';
import type { RealClient, RealSubscriber, Subscribing } from './real-client.ts';
import { compilePahoC, pythonPath } from './test-programs.ts';

let pahoC: Promise<string> | null = null;
afterAll(async () => {
  if (pahoC !== null) await rm(dirname(await pahoC), { recursive: true, force: true });
});

/** Compiled for the first test that needs it. */
async function pahoCCommand(): Promise<string[]> {
  pahoC ??= compilePahoC();
  return [await pahoC];
}

async function pahoPythonCommand(): Promise<string[]> {
  return [pythonPath(), join(import.meta.dirname, 'paho_client.py')];
}

const clients: readonly RealClient[] = [
  new MosquittoClient('mqttv31'),
  new MosquittoClient('mqttv311'),
  new MosquittoClient('mqttv5'),
  new ProgramClient('Paho for Python, level 4', 4, pahoPythonCommand),
  new ProgramClient('Paho for Python, level 5', 5, pahoPythonCommand),
  new ProgramClient('Paho for C, level 4', 4, pahoCCommand),
  new ProgramClient('Paho for C, level 5', 5, pahoCCommand),
  new MqttJsClient(4),
  new MqttJsClient(5),
];

let broker: BrokerProcess;
let dataDirectory: string;
beforeAll(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'dunlin-real-'));
  broker = await startDunlin({ store: 'lmdb', dataDirectory, workers: 2 });
});
afterAll(async () => {
  await broker.kill();
  await rm(dataDirectory, { recursive: true, force: true });
});

const left: RealSubscriber[] = [];
afterEach(async () => {
  await Promise.all(left.splice(0).map((subscriber) => subscriber.leave()));
});

describe.each(clients)('$name', (client) => {
  const topic = client.name.replaceAll(/[ ,']+/g, '-');
  const message = { topic: `${topic}/a`, payload: 'hello', qos: 0, retain: false } as const;

  async function subscribe(subscribing: Partial<Subscribing> = {}): Promise<RealSubscriber> {
    const subscriber = await client.subscribe(broker.url, {
      filter: `${topic}/#`,
      qos: 2,
      clientId: 'subscriber',
      ...subscribing,
    });
    left.push(subscriber);
    return subscriber;
  }

  test.each([0, 1, 2] as const)('publishes and receives at QoS %s', async (qos) => {
    const subscriber = await subscribe();
    await client.publish(broker.url, { ...message, qos });
    expect(await subscriber.next()).toEqual({ ...message, qos });
  });

  test.each([0, 1, 2] as const)('subscribes at QoS %s, and gets no more', async (qos) => {
    const subscriber = await subscribe({ qos });
    await client.publish(broker.url, { ...message, qos: 2 });
    expect(await subscriber.next()).toEqual({ ...message, qos });
  });

  test('a retained message is set, comes on subscribing, and is deleted', async () => {
    await client.publish(broker.url, { ...message, payload: 'kept', qos: 1, retain: true });
    const first = await subscribe();
    expect(await first.next()).toEqual({ ...message, payload: 'kept', qos: 1, retain: true });
    await client.publish(broker.url, { ...message, payload: '', qos: 1, retain: true });
    const second = await subscribe({ clientId: 'second' });
    await client.publish(broker.url, { ...message, payload: 'live', qos: 1 });
    expect(await second.next()).toEqual({ ...message, payload: 'live', qos: 1 });
  });

  test('the will of a client that dies', async () => {
    const subscriber = await subscribe();
    const will = { ...message, payload: 'gone', qos: 1 };
    await client.dieLeavingWill(broker.url, will);
    expect(await subscriber.next()).toEqual(will);
  });

  test('a durable session over a restart of the broker', async () => {
    const durable = { clientId: `durable-${topic}`.slice(0, 23), isDurable: true };
    const before = await subscribe(durable);
    await before.leave();
    left.pop();
    for (const qos of [1, 2]) await client.publish(broker.url, { ...message, payload: `before ${qos}`, qos });
    expect(await broker.stop()).toBe(0);
    broker = await startDunlin({ store: 'lmdb', dataDirectory, workers: 2, port: broker.port });
    for (const qos of [1, 2]) await client.publish(broker.url, { ...message, payload: `after ${qos}`, qos });
    const after = await subscribe(durable);
    const came = [];
    while (came.length < 4) came.push(await after.next());
    for (const qos of [1, 2]) {
      const inOrder = ['before', 'after'].map((when) => ({ ...message, payload: `${when} ${qos}`, qos }));
      expect(came.filter((one) => one.qos === qos)).toEqual(inOrder);
    }
  });
});

describe('together', () => {
  test('mosquitto_sub -t "#" -v shows what all of them publish', async () => {
    const watcher = await new MosquittoClient('mqttv5').watchEverything(broker.url);
    left.push(watcher);
    for (const [index, client] of clients.entries()) {
      const message = { topic: `all/${index}`, payload: client.name, qos: index % 3, retain: false };
      await client.publish(broker.url, message);
      expect(await watcher.next()).toMatchObject({ topic: message.topic, payload: message.payload });
    }
  });

  test('and every client receives what every other publishes', async () => {
    const everyone = clients.map((client, index) =>
      client.subscribe(broker.url, { filter: 'mixed/+', qos: 2, clientId: `everyone-${index}` }),
    );
    const subscribers = await Promise.all(everyone);
    left.push(...subscribers);
    for (const [index, client] of clients.entries()) {
      const message = { topic: `mixed/${index}`, payload: client.name, qos: 2, retain: false };
      await client.publish(broker.url, message);
      for (const subscriber of subscribers) expect(await subscriber.next()).toEqual(message);
    }
  });
});
