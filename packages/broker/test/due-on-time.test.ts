/**
 * Items that the store keeps for later come at their time, not before, and not when somebody happens to look: a store
 * that is asked once a second tells what is due until then.
 */
import { describe, expect, test } from 'vitest';
import { type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1 as const, retain: false };

function withWill(worker: Worker, clientId: string, delay: number, expiry: number): Promise<Client> {
  return worker.connect(clientId, { expiry, will: { ...will, properties: { willDelayInterval: delay } } });
}

async function watch(worker: Worker): Promise<Client> {
  const watcher = await worker.connect('watcher');
  await watcher.subscribe('#', 1);
  return watcher;
}

/** Two workers, so that another one may be the one that does it. */
describe.each([0, 1, 137, 499, 750, 999])('something begins %i ms after a look', (offset) => {
  async function begun(): Promise<{ world: World; workers: Worker[]; watcher: Client }> {
    const { world, workers } = await World.of(2);
    const watcher = await watch(workers[1]);
    await world.clock.pass(5000 + offset);
    return { world, workers, watcher };
  }

  test.each([1, 2, 7])('a will with a delay of %i s', async (delay) => {
    const { world, workers, watcher } = await begun();
    const client = await withWill(workers[1], 'c', delay, 100);
    await client.drop();
    await world.clock.pass(delay * 1000 - 1);
    expect(watcher.said()).toEqual([]);
    await world.clock.pass(101);
    expect(watcher.said()).toEqual(['publish will gone q1 #1']);
  });

  test('the end of a session, and its will with a longer delay', async () => {
    const { world, workers, watcher } = await begun();
    const client = await withWill(workers[0], 'c', 50, 3);
    await client.subscribe('t', 1);
    await client.drop();
    await world.clock.pass(2999);
    expect(await world.store.sessions.count()).toBe(1);
    expect(watcher.said()).toEqual([]);
    await world.clock.pass(101);
    expect(await world.store.sessions.count()).toBe(0);
    expect(watcher.said()).toEqual(['publish will gone q1 #1']);
  });

  test('a delayed message', async () => {
    const { world, workers, watcher } = await begun();
    await workers[0].connect('p').then((publisher) => publisher.send(publish('$delayed/2/t', 'x', 1, 1)));
    await world.clock.pass(1999);
    expect(watcher.said()).toEqual([]);
    await world.clock.pass(101);
    expect(watcher.said()).toEqual(['publish t x q1 #1']);
  });
});

test('more than are taken at once', async () => {
  const { world, worker } = await World.alone();
  const watcher = await worker.connect('watcher');
  await watcher.subscribe('#', 0);
  await world.clock.pass(5137);
  for (let i = 0; i < 1200; i++) await (await withWill(worker, `c${i}`, 2, 2)).drop();
  await world.clock.pass(1999);
  expect(watcher.said()).toEqual([]);
  await world.clock.pass(101);
  expect(watcher.received()).toHaveLength(1200);
  expect(await world.store.sessions.count()).toBe(0);
});

test('what is due at a thousand times of a second is done together, ten times a second at most', async () => {
  const { world, worker } = await World.alone();
  const watcher = await watch(worker);
  await world.clock.pass(5000);
  for (let i = 0; i < 200; i++) {
    await (await withWill(worker, `c${i}`, 2, 100)).drop();
    await world.clock.pass(5);
  }
  worker.gate.calls.length = 0;
  const came: number[] = [];
  for (let passed = 0; passed < 20; passed++) {
    await world.clock.pass(100);
    came.push(watcher.received().length);
  }
  expect(came.reduce((sum, count) => sum + count)).toBe(200);
  expect(Math.max(...came)).toBeLessThanOrEqual(40);
  const asked = worker.gate.calls.filter((method) => /wills.nextDue|takeDue/.test(method));
  expect(asked.length).toBeLessThanOrEqual(2 * 22);
});

test('while nothing is due the store is asked once a second, also when much waits for later', async () => {
  const { world, worker } = await World.alone();
  for (let i = 0; i < 100; i++) await (await withWill(worker, `c${i}`, 50, 100)).drop();
  worker.gate.calls.length = 0;
  await world.clock.pass(10_000);
  const asked = worker.gate.calls.filter((method) => /due|sessions.expire/i.test(method));
  expect(asked).toEqual(
    Array.from({ length: 10 }, () => ['sessions.nextDue', 'wills.nextDue', 'delayed.nextDue']).flat(),
  );
});
