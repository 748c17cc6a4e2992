import type { Packet } from '@dunlin/protocol';
import { ackPacket, publishPacket } from '@dunlin/testkit';
import { expect, onTestFinished, test } from 'vitest';
import type { World } from '../src/chaos-client.ts';
import { ChaosPublisher } from '../src/chaos-publisher.ts';
import { ChaosSubscriber } from '../src/chaos-subscriber.ts';
import { Chronicle } from '../src/chronicle.ts';
import { Ledger } from '../src/ledger.ts';
import type { PublisherIdentity, SubscriberIdentity } from '../src/roster.ts';
import { ScriptedBroker } from './scripted-broker.ts';

// The clients of a run are the measure: they must do what MQTT says a client does, or the count means nothing.

const topic = 'chaos/p/even';
const publisherIdentity: PublisherIdentity = {
  clientId: 'p',
  version: 5,
  qos: 2,
  isDurable: true,
  address: 0,
  topics: [topic],
};
const subscriberIdentity: SubscriberIdentity = {
  clientId: 's',
  version: 5,
  qos: 2,
  isDurable: true,
  address: 0,
  filters: ['chaos/#'],
  group: null,
  receiveMaximum: 7,
};

async function begin(changes: Partial<PublisherIdentity & SubscriberIdentity> = {}) {
  const publisher = { ...publisherIdentity, ...changes };
  const subscriber = { ...subscriberIdentity, ...changes, clientId: 's' };
  const broker = await ScriptedBroker.start(5);
  onTestFinished(() => broker.stop());
  const ledger = new Ledger({ publishers: [publisher], subscribers: [subscriber] });
  const world: World = {
    addresses: [{ name: 'broker', port: broker.port }],
    ledger,
    chronicle: new Chronicle(),
    seed: 1,
  };
  return { broker, ledger, world, publisher, subscriber };
}

async function beginPublisher(changes: Partial<PublisherIdentity> = {}) {
  const scene = await begin(changes);
  const client = new ChaosPublisher(scene.world, scene.publisher, 0, 5);
  onTestFinished(() => client.stop());
  client.start();
  client.startPublishing();
  const connection = await scene.broker.accept();
  await connection.welcome(false);
  return { ...scene, client, connection };
}

async function beginSubscriber(changes: Partial<SubscriberIdentity> = {}) {
  const scene = await begin(changes);
  const client = new ChaosSubscriber(scene.world, scene.subscriber, 1, scene.ledger.audienceOf(scene.subscriber));
  onTestFinished(() => client.stop());
  client.start();
  const connection = await scene.broker.accept();
  const connect = await connection.welcome(false);
  const { packetId } = await connection.expect('subscribe');
  connection.send({ type: 'suback', packetId, reasonCodes: [scene.subscriber.qos], properties: {} });
  for (let count = 0; count < 5; count++) scene.ledger.published(topic, count, 'broker');
  return { ...scene, client, connection, connect };
}

function message(sequence: number, packetId: number, dup = false): Packet {
  return publishPacket({ topic, payload: `p ${sequence} 0`, qos: 2, packetId, dup });
}

test('a QoS 2 publisher carries its handshakes on after a reconnect: PUBLISH with DUP and the same identifier, PUBREL', async () => {
  const { broker, ledger, client, connection, world } = await beginPublisher();
  const first = await connection.expect('publish');
  const second = await connection.expect('publish');
  expect([first.dup, second.dup]).toEqual([false, false]);
  client.stopPublishing();
  connection.send(ackPacket('pubrec', second.packetId));
  expect(await connection.skipTo('pubrel')).toMatchObject({ packetId: second.packetId });
  expect(ledger.verdict.acknowledged).toBe(1);
  connection.drop();

  const again = await broker.accept();
  expect(await again.welcome(true)).toMatchObject({ cleanStart: false });
  expect(await again.expect('publish')).toMatchObject({ dup: true, packetId: first.packetId, payload: first.payload });
  expect(await again.skipTo('pubrel')).toMatchObject({ packetId: second.packetId });
  expect(world.chronicle.failures).toEqual([]);
});

test('an acknowledgement with an error is none', async () => {
  const { ledger, client, connection } = await beginPublisher({ qos: 1 });
  const { packetId } = await connection.expect('publish');
  const next = await connection.expect('publish');
  connection.send(ackPacket('puback', packetId, 0x97), ackPacket('puback', next.packetId, 0x10));
  while (ledger.verdict.acknowledged === 0) await connection.expect('publish');
  expect(ledger.verdict.acknowledged).toBe(1);
  client.stopPublishing();
});

test('a lost session is a failure, and what was under way with it is given up', async () => {
  const { broker, client, connection, world } = await beginPublisher({ qos: 1 });
  await connection.expect('publish');
  client.stopPublishing();
  connection.drop();
  const again = await broker.accept();
  await again.welcome(false);
  client.startPublishing();
  expect(await again.expect('publish')).toMatchObject({ dup: false });
  expect(world.chronicle.failures).toEqual([expect.stringContaining('p: lost session')]);
});

test('an ephemeral publisher starts clean and sends nothing again', async () => {
  const { broker, connection, world } = await beginPublisher({ qos: 1, isDurable: false });
  const { payload } = await connection.expect('publish');
  connection.drop();
  const again = await broker.accept();
  expect(await again.welcome(false)).toMatchObject({ cleanStart: true, properties: { sessionExpiryInterval: 0 } });
  const next = await again.expect('publish');
  expect(next.dup).toBe(false);
  expect(next.payload.equals(payload)).toBe(false);
  expect(world.chronicle.failures).toEqual([]);
});

test('a QoS 2 subscriber takes a message that comes again under an unreleased identifier once', async () => {
  const { broker, ledger, connection, connect, world } = await beginSubscriber();
  expect(connect).toMatchObject({ cleanStart: false, properties: { receiveMaximum: 7 } });
  connection.send(message(1, 11));
  await connection.expect('pubrec');
  connection.drop();

  const again = await broker.accept();
  await again.welcome(true);
  again.send(message(1, 11, true));
  expect(await again.expect('pubrec')).toMatchObject({ packetId: 11 });
  again.send(ackPacket('pubrel', 11));
  expect(await again.expect('pubcomp')).toMatchObject({ packetId: 11 });
  expect(ledger.verdict).toMatchObject({ delivered: 1, duplicatesQos2: 0 });

  // Released: under this identifier comes another message now, and the same one would be a duplicate.
  again.send(message(2, 11));
  await again.expect('pubrec');
  again.send(message(1, 12));
  await again.expect('pubrec');
  expect(ledger.verdict).toMatchObject({ delivered: 2, duplicatesQos2: 1 });
  expect(world.chronicle.failures).toEqual([]);
});

test('another message under an unreleased identifier is a failure', async () => {
  const { connection, world } = await beginSubscriber();
  connection.send(message(1, 11), message(2, 11));
  await connection.expect('pubrec');
  await connection.expect('pubrec');
  expect(world.chronicle.failures).toEqual([expect.stringContaining('packet identifier 11')]);
});

/** Its first delivery was on its way when the connection ended. Seen to fail before: chaos called it a failure. */
test('after a store came back older another message under an unreleased identifier is a new one, with DUP only on a later connection', async () => {
  const { broker, ledger, connection, world } = await beginSubscriber();
  ledger.wentBack(0, 1);
  connection.send(message(1, 11), message(1, 12));
  await connection.expect('pubrec');
  await connection.expect('pubrec');
  connection.drop();
  const again = await broker.accept();
  await again.welcome(true);
  again.send(message(2, 11, true));
  await again.expect('pubrec');
  expect(ledger.verdict.delivered).toBe(2);
  expect(world.chronicle.failures).toEqual([]);
  again.send(message(3, 11, true));
  await again.expect('pubrec');
  expect(world.chronicle.failures).toEqual([expect.stringContaining('packet identifier 11')]);
});

test('a subscriber whose session is lost says so and subscribes again', async () => {
  const { broker, client, connection, world } = await beginSubscriber();
  connection.send(message(1, 11));
  await connection.expect('pubrec');
  expect(client.isBack).toBe(true);
  connection.drop();
  const again = await broker.accept();
  await again.welcome(false);
  await again.expect('subscribe');
  expect(client.isBack).toBe(false);
  expect(world.chronicle.failures).toEqual([expect.stringContaining('s: lost session')]);
});

test('takeover: the old connection serves until CONNACK comes on the new one, and not a moment longer', async () => {
  const { broker, ledger, client, connection } = await beginSubscriber();
  client.move('takeover', 0);
  const next = await broker.accept();
  await next.expect('connect');
  connection.send(message(1, 11));
  await connection.expect('pubrec');
  expect(ledger.verdict.delivered).toBe(1);
  next.send({ type: 'connack', sessionPresent: true, reasonCode: 0, properties: {} }, message(1, 11, true));
  expect(await next.expect('pubrec')).toMatchObject({ packetId: 11 });
  expect(client.isBack).toBe(true);
  connection.send(message(2, 12));
  next.send(message(2, 12));
  expect(await next.expect('pubrec')).toMatchObject({ packetId: 12 });
  expect(ledger.verdict).toMatchObject({ delivered: 2, duplicatesQos2: 0 });
});

test('a refused client comes again', async () => {
  const { broker, world } = await begin();
  const client = new ChaosSubscriber(world, subscriberIdentity, 1, world.ledger.audienceOf(subscriberIdentity));
  onTestFinished(() => client.stop());
  client.start();
  const refused = await broker.accept();
  await refused.expect('connect');
  refused.send({ type: 'connack', sessionPresent: false, reasonCode: 0x88, properties: {} });
  const again = await broker.accept();
  await again.welcome(false);
  await again.expect('subscribe');
});
