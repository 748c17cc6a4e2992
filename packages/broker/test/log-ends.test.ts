/** Cost of a lost frame for a durable session: a delay, never a message (ARCHITECTURE.md, section 6). */
import { expect, test } from 'vitest';
import { FrameType } from '../src/cluster/frames.ts';
import type { StoreMethod } from '../src/ports/store-methods.ts';
import { publish, subscribe } from './support/client.ts';
import { frameType } from './support/lossy-backplane.ts';
import { drain, lossy } from './support/lossy-world.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;

function calls(worker: Worker, method: StoreMethod): number {
  return worker.gate.calls.filter((call) => call === method).length;
}

const isMessages = (bytes: Uint8Array): boolean =>
  frameType(bytes) === FrameType.passing || frameType(bytes) === FrameType.broadcast;

/** Fails when LogEnds.everySecond returns at once. */
test('the frame is lost and nothing follows: the message arrives all the same', async () => {
  const { world, workers, hub } = await lossy(2);
  const client = await workers[0].connect('c', durable);
  await client.subscribe('t', 1);
  const publisher = await workers[1].connect('p');
  hub.loses = (_from, _to, bytes) => isMessages(bytes);
  await publisher.send(publish('t', 'lost', 1, 1));
  expect(publisher.said()).toEqual(['puback #1']);
  await world.clock.pass(500);
  expect(await drain(client)).toEqual([]);
  await world.clock.pass(10_500);
  expect(await drain(client)).toEqual(['lost']);
  expect(workers[0].broker.metrics.logsBehind).toBe(1);
});

test('the same when the set of durable filters was loaded meanwhile, and its ends with it', async () => {
  const { world, workers, hub } = await lossy(2);
  const client = await workers[0].connect('c', durable);
  await client.subscribe('t', 1);
  const publisher = await workers[1].connect('p');
  hub.loses = (_from, _to, bytes) => isMessages(bytes);
  await publisher.send(publish('t', 'lost', 1, 1));
  await workers[0].broker.durableFilters.load();
  await world.clock.pass(11_000);
  expect(await drain(client)).toEqual(['lost']);
});

test('the carrier is back: all logs are looked at, in one read, without waiting for their turn', async () => {
  const { world, workers, hub } = await lossy(2);
  const client = await workers[0].connect('c', durable);
  for (let i = 0; i < 20; i++) await client.subscribe(`t/${i}`, 1);
  const publisher = await workers[1].connect('p');
  await world.clock.pass(20_000);
  hub.loses = (_from, _to, bytes) => isMessages(bytes);
  for (let i = 0; i < 20; i++) await publisher.send(publish(`t/${i}`, `m${i}`, 1, i + 1));
  workers[0].broker.cluster.reconnected();
  const before = calls(workers[0], 'logs.ends');
  await world.clock.pass(1000);
  expect(calls(workers[0], 'logs.ends') - before).toBe(1);
  await world.clock.pass(1000);
  expect((await drain(client)).sort()).toEqual(Array.from({ length: 20 }, (_, i) => `m${i}`).sort());
});

test('busy logs and a worker that is alone ask nothing; messages on their way are not read twice', async () => {
  const { world, workers } = await lossy(2);
  const client = await workers[0].connect('c', durable);
  await client.subscribe('t', 1);
  const publisher = await workers[1].connect('p');
  await world.clock.pass(10_000);
  const reads = calls(workers[0], 'logs.read');
  for (let i = 1; i <= 40; i++) {
    await publisher.send(publish('t', `m${i}`, 1, i));
    await world.clock.pass(250);
  }
  expect(await drain(client)).toHaveLength(40);
  expect(calls(workers[0], 'logs.read')).toBe(reads);
  const { world: lone, worker } = await World.alone();
  const other = await worker.connect('c', durable);
  await other.subscribe('t', 1);
  await lone.clock.pass(30_000);
  expect(calls(worker, 'logs.ends')).toBe(0);
});

test('a worker dies between append and frame: the others look at once', async () => {
  const { world, workers } = await lossy(2);
  const client = await workers[0].connect('c', durable);
  await client.subscribe('t', 1);
  const publisher = await workers[1].connect('p');
  const before = calls(workers[0], 'logs.durableFilters');
  await world.clock.pass(20_000);
  workers[1].gate.holdAnswers('logs.append');
  await publisher.send(publish('t', 'stored', 1, 1));
  await workers[1].crash();
  await world.clock.pass(2500);
  expect(await drain(client)).toEqual(['stored']);
  // Not by reading all that is durable.
  expect(calls(workers[0], 'logs.durableFilters')).toBe(before);
});

test('a store that cannot be asked is asked again', async () => {
  const { world, workers, hub } = await lossy(2);
  const client = await workers[0].connect('c', durable);
  await client.subscribe('t', 1);
  const publisher = await workers[1].connect('p');
  hub.loses = (_from, _to, bytes) => isMessages(bytes);
  await publisher.send(publish('t', 'lost', 1, 1));
  workers[0].gate.refused = ['logs.ends'];
  await world.clock.pass(12_000);
  expect(await drain(client)).toEqual([]);
  workers[0].gate.refused = 'none';
  await world.clock.pass(11_000);
  expect(await drain(client)).toEqual(['lost']);
});

/** Fails when durable filters are neither announced again with the changes nor compared. */
test('P5: SUBACK of a durable subscription waits until every worker knows its log', async () => {
  const { world, workers, hub } = await lossy(2);
  const publisher = await workers[1].connect('p');
  const client = await workers[0].connect('c', durable);
  let lost = 0;
  hub.loses = (_from, _to, bytes) => frameType(bytes) === FrameType.routes && ++lost <= 1;
  await client.send(subscribe('t', 1));
  expect(client.said()).toEqual([]);
  expect(workers[1].view.hasLog('t')).toBe(false);
  await world.clock.pass(1000);
  expect(client.said()).toEqual(['suback 0x01']);
  await client.drop();
  await publisher.send(publish('t', 'kept', 1, 1));
  expect(publisher.said()).toEqual(['puback #1']);
  const again = await workers[0].dial('c', durable);
  expect(again.said()).toEqual(['connack 0x00 present', 'publish t kept q1 #1']);
});

test('durable filters that differ are loaded again, and less often when that does not help', async () => {
  const { world, workers } = await lossy(2);
  const [one, other] = workers;
  one.broker.durableFilters.add('known/here/alone', 0);
  await world.clock.pass(6000);
  expect(one.view.durableFilters).toBe(0); // the store does not know it
  expect(one.view.hasNoFilters).toBe(true);
  const before = calls(other, 'logs.durableFilters');
  await world.clock.pass(60_000);
  expect(calls(other, 'logs.durableFilters')).toBe(before);
  one.broker.durableFilters.load = async () => {}; // it never learns
  one.broker.durableFilters.add('known/here/alone', 0);
  await world.clock.pass(128_000);
  const loads = calls(other, 'logs.durableFilters') - before;
  expect(loads).toBeGreaterThan(2);
  expect(loads).toBeLessThan(9);
});

/** Seen to fail before: every durable session of the worker was sent away (0x8B). */
test('a session that a clean start at another worker ends is no store that has gone back', async () => {
  const { world, workers, hub } = await lossy(2);
  const [bystander, client] = [await workers[0].connect('b', durable), await workers[0].connect('c', durable)];
  await bystander.subscribe('other', 1);
  await client.subscribe('t', 1);
  const publisher = await workers[1].connect('p');
  await publisher.send(publish('t', 'heard of', 1, 1));
  expect(await drain(client)).toEqual(['heard of']);
  await world.clock.pass(1000);
  hub.loses = (_from, _to, bytes) => frameType(bytes) === FrameType.request;
  await workers[1].dial('c', { cleanStart: true });
  // As Redis tells it of a log that has gone: no store needs to remember where it ended.
  workers[0].gate.intercept = (method, run) =>
    method === 'logs.ends' ? run().then((ends) => (ends as number[]).map(() => 0)) : null;
  workers[0].broker.logEnds.wantRound();
  await world.clock.pass(1500);
  hub.loses = () => false;
  await world.clock.pass(5000);
  expect(client.said()).toContain('disconnect 0x8e');
  expect(bystander.isClosed).toBe(false);
  expect(workers[0].broker.metrics.storeSetbacks).toBe(0);
});
