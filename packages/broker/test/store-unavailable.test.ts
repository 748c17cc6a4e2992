/** The store cannot be reached for a while (ARCHITECTURE.md, section 7). */
import { expect, test } from 'vitest';
import { ack, publish, subscribe } from './support/client.ts';
import { World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;

test.each([
  ['durable, MQTT 5', { expiry: 10 }, 0x88],
  ['durable, MQTT 3.1.1', { version: 4 as const, cleanStart: false }, 3],
  ['may have a session there', { cleanStart: false }, 0x88],
])('CONNECT is refused: %s', async (_what, options, reasonCode) => {
  const { worker } = await World.alone();
  worker.gate.refused = 'all';
  const client = await worker.dial('c', options);
  expect(client.one('connack')).toMatchObject({ sessionPresent: false, reasonCode });
  expect(client.isClosed).toBe(true);
  expect(worker.view.sessions).toBe(0);
});

/** Seen to fail before: the worker could not start, and a node ended with it. */
test('a worker that starts waits for the store, which was there and has gone', async () => {
  const { world, workers } = await World.of(1);
  const client = await workers[0].connect('c', durable);
  await client.subscribe('t', 1);
  const next = world.make();
  next.gate.refused = 'all';
  let isStarted = false;
  const started = next.broker.start().then(() => {
    isStarted = true;
  });
  await world.clock.pass(5000);
  expect(isStarted).toBe(false);
  next.gate.refused = 'none';
  await world.clock.pass(1000);
  await started;
  const publisher = await next.connect('p');
  await publisher.send(publish('t', 'x', 1, 1));
  expect(client.said()).toEqual(['publish t x q1 #1']);
});

test('ephemeral clients are served, are unique, and are claimed when the store is back', async () => {
  const { world, workers } = await World.of(2);
  for (const worker of workers) worker.gate.refused = 'all';
  const will = { topic: 'w', payload: Buffer.from('gone'), qos: 0 as const, retain: false, properties: {} };
  const first = await workers[0].connect('c');
  const second = await workers[1].connect('c', { will });
  expect(first.said()).toEqual(['disconnect 0x8e']);
  await second.subscribe('t', 1);
  const publisher = await workers[0].connect('p', { version: 4 });
  await publisher.send(publish('t', 'x', 1, 1));
  expect(publisher.said()).toEqual(['puback #1']);
  expect(second.said()).toEqual(['publish t x q1 #1']);
  for (const worker of workers) worker.gate.refused = 'none';
  await world.clock.pass(2000);
  expect((await world.store.sessions.owners()).sort()).toEqual(workers.map((worker) => worker.broker.self).sort());
  const watcher = await workers[0].connect('watcher');
  await watcher.subscribe('w', 0);
  const third = await workers[0].connect('c');
  expect(second.said()).toEqual(['disconnect 0x8e']);
  expect(watcher.said()).toEqual(['publish w gone q0']);
  await third.drop();
  expect(await world.store.sessions.owners()).toEqual([workers[0].broker.self]);
});

test('a session that ends meanwhile is written back when the store is back, its will kept', async () => {
  const { world, worker } = await World.alone();
  const will = {
    topic: 'w',
    payload: Buffer.from('gone'),
    qos: 0 as const,
    retain: false,
    properties: { willDelayInterval: 30 },
  };
  const client = await worker.connect('c', { ...durable, will });
  const watcher = await worker.connect('watcher');
  await watcher.subscribe('w', 0);
  worker.gate.refused = 'all';
  await client.drop();
  await world.clock.pass(5000);
  worker.gate.refused = 'none';
  await world.clock.pass(2000);
  expect(watcher.said()).toEqual([]);
  await world.clock.pass(30_000);
  expect(watcher.said()).toEqual(['publish w gone q0']);
  await world.clock.pass(1_000_000);
  expect(await world.store.sessions.count()).toBe(0);
});

test('a client that connects anew and is refused still has its session', async () => {
  const { world, worker } = await World.alone();
  const first = await worker.connect('c', durable);
  await first.subscribe('t', 1);
  worker.gate.refused = ['sessions.claim'];
  expect((await worker.dial('c', durable)).said()).toEqual(['connack 0x88']);
  worker.gate.refused = 'none';
  await world.clock.settle();
  expect((await worker.dial('c', durable)).said()).toEqual(['connack 0x00 present']);
});

test('QoS 2 handshakes of durable sessions wait, in order, and go on', async () => {
  const { world, worker } = await World.alone();
  const client = await worker.connect('c', durable);
  await client.subscribe('t', 2);
  const publisher = await worker.connect('p');
  await publisher.send(publish('t', 'a', 2, 1));
  expect(client.said()).toEqual(['publish t a q2 #1']);
  worker.gate.refused = ['sessions.update'];
  await client.send(ack('pubrec', 1));
  await publisher.send(publish('t', 'b', 2, 2));
  worker.gate.refused = 'none';
  await publisher.send(publish('t', 'c', 2, 3));
  expect(client.said()).toEqual([]);
  await world.clock.pass(1000);
  expect(client.said()).toEqual(['pubrel #1', 'publish t b q2 #2', 'publish t c q2 #3']);
});

test('a page that could not be read is read later', async () => {
  const { world, worker } = await World.alone();
  const first = await worker.connect('c', durable);
  await first.subscribe('t', 1);
  await first.drop();
  const publisher = await worker.connect('p');
  await publisher.send(publish('t', 'a', 1, 1));
  worker.gate.refused = ['logs.read'];
  const second = await worker.connect('c', durable);
  worker.gate.refused = 'none';
  await world.clock.pass(1000);
  expect(second.said()).toEqual(['publish t a q1 #1']);
});

test('SUBSCRIBE of a durable session ends with 0x89; an ephemeral one is served, and gets what is retained when it can be read', async () => {
  const { world, worker } = await World.alone();
  const kept = await worker.connect('c', durable);
  const ephemeral = await worker.connect('e');
  await ephemeral.send(publish('t', 'kept', 0, 0, { retain: true }));
  worker.gate.refused = ['sessions.subscribe', 'retained.read'];
  await kept.send(subscribe('t', 1));
  expect(kept.said()).toEqual(['disconnect 0x89']);
  await ephemeral.send(subscribe('t', 1));
  expect(ephemeral.said()).toEqual(['suback 0x01']);
  worker.gate.refused = 'none';
  await world.clock.pass(1000);
  expect(ephemeral.said()).toEqual(['publish t kept q0 retain']);
});

test('retained messages: the newest of a topic is what is stored in the end', async () => {
  const { world, worker } = await World.alone();
  const publisher = await worker.connect('p');
  worker.gate.refused = ['retained.set'];
  await publisher.send(publish('r', 'old', 1, 1, { retain: true }));
  worker.gate.refused = 'none';
  await publisher.send(publish('r', 'new', 1, 2, { retain: true }));
  await world.clock.pass(1000);
  expect(publisher.said()).toEqual(['puback #1', 'puback #2']);
  const reader = await worker.connect('reader');
  await reader.subscribe('r', 0);
  expect(reader.said()).toEqual(['publish r new q0 retain']);
});

test('delayed messages are acknowledged when they are kept, and published when due', async () => {
  const { world, worker } = await World.alone();
  const client = await worker.connect('c');
  await client.subscribe('t', 1);
  worker.gate.refused = ['delayed.add'];
  await client.send(publish('$delayed/5/t', 'later', 1, 1));
  expect(client.said()).toEqual([]);
  worker.gate.refused = 'none';
  await world.clock.pass(1500);
  expect(client.said()).toEqual(['puback #1']);
  await world.clock.pass(6000);
  expect(client.said()).toEqual(['publish t later q1 #1']);
});
