/** A worker that does not know whether others hold it for dead, one that is, and one that stops without its store (ARCHITECTURE.md, sections 7 and 9). */
import { describe, expect, test } from 'vitest';
import { publish } from './support/client.ts';
import { World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const will = { topic: 'w', payload: Buffer.from('gone'), qos: 0 as const, retain: false, properties: {} };

describe('without its lease', () => {
  test.each([
    ['durable, MQTT 5', { expiry: 10 }, 0x88],
    ['durable, MQTT 3.1.1', { version: 4 as const, cleanStart: false }, 3],
    ['may have a session', { cleanStart: false }, 0x88],
    ['ephemeral', {}, 0],
  ])('CONNECT of a client, %s', async (_what, options, reasonCode) => {
    const { worker } = await World.alone();
    worker.broker.giveUpDurableSessions();
    expect((await worker.dial('c', options)).one('connack').reasonCode).toBe(reasonCode);
    worker.broker.leaseRegained();
    expect((await worker.dial('c', options)).one('connack').reasonCode).toBe(0);
  });

  test('regained: sessions that were given up end as for any lost connection', async () => {
    const { world, workers } = await World.of(2);
    const watcher = await workers[1].connect('watcher');
    await watcher.subscribe('w', 0);
    await workers[0].connect('silent', { ...durable, will });
    await workers[0].connect('back', { ...durable, will });
    workers[0].broker.giveUpDurableSessions();
    await world.clock.pass(5000);
    expect(await world.store.sessions.owners()).toContain(workers[0].broker.self);
    // Whoever is elsewhere by then is left alone: the will of the connection before went with the claim.
    await workers[1].connect('back', durable);
    workers[0].broker.leaseRegained();
    await world.clock.pass(2000);
    expect(watcher.said()).toEqual(['publish w gone q0']);
    expect(await world.store.sessions.owners()).toEqual([workers[1].broker.self]);
    await world.clock.pass(1_001_000);
    expect(await world.store.sessions.count()).toBe(1);
  });
});

test('held for dead: every client is sent away, and nothing is written or published', async () => {
  const { world, workers } = await World.of(2);
  const watcher = await workers[1].connect('watcher');
  await watcher.subscribe('w', 0);
  const kept = await workers[0].connect('kept', { ...durable, will });
  const ephemeral = await workers[0].connect('ephemeral', { will });
  const stranger = workers[0].socket();
  workers[0].broker.giveUpAllSessions();
  await world.clock.pass(3000);
  expect(kept.said()).toEqual(['disconnect 0x89']);
  expect(ephemeral.said()).toEqual(['disconnect 0x89']);
  expect([kept.isClosed, ephemeral.isClosed, stranger.isClosed]).toEqual([true, true, true]);
  expect(watcher.said()).toEqual([]);
  expect(await world.store.sessions.owners()).toContain(workers[0].broker.self);
});

test('a stop waits a bounded time for a store that is away', async () => {
  const { world, worker } = await World.alone();
  const subscriber = await worker.connect('c', durable);
  await subscriber.subscribe('t', 1);
  const publisher = await worker.connect('p');
  worker.gate.refused = 'all';
  await publisher.send(publish('t', 'x', 1, 1));
  let isOver = false;
  void worker.broker.stop().then(() => {
    isOver = true;
  });
  await world.clock.pass(1000);
  expect(isOver).toBe(false);
  await world.clock.pass(1500);
  expect(isOver).toBe(true);
  expect(publisher.said()).toEqual(['disconnect 0x8b']);
  expect(worker.log.filter((line) => line.startsWith('the store did not take the last writes'))).toHaveLength(1);
});
