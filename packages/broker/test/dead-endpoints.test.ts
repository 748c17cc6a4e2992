/** Endpoints that die, or are cut off: who owns what they owned (ARCHITECTURE.md, sections 5 and 9; P6, P8). */
import { describe, expect, test } from 'vitest';
import type { Leases } from '../src/ports/leases.ts';
import { ack, publish } from './support/client.ts';
import { World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const will = {
  topic: 'w',
  payload: Buffer.from('gone'),
  qos: 0 as const,
  retain: false,
  properties: {},
};

/** Leases of endpoints that are valid until a test says otherwise. */
class FakeLeases implements Leases {
  readonly valid = new Set<string>();
  readonly evicted: string[] = [];

  async renew(): Promise<boolean> {
    return true;
  }
  async evict(owner: string): Promise<boolean> {
    if (this.valid.has(owner)) return false;
    this.evicted.push(owner);
    return true;
  }
  async end(owner: string): Promise<void> {
    this.valid.delete(owner);
  }
}

describe('dead endpoints', () => {
  test('what an endpoint owned is released when it has left and its lease has run out, by one of the others', async () => {
    const leases = new FakeLeases();
    const { world, workers } = await World.of(3, { leases });
    const dead = workers[1].broker.self;
    leases.valid.add(dead);
    const watcher = await workers[2].connect('watcher');
    await watcher.subscribe('w', 0);
    await workers[1].connect('c', { ...durable, will });
    await workers[1].crash();
    await world.clock.pass(5000);
    expect(watcher.said()).toEqual([]);
    expect(await world.store.sessions.owners()).toContain(dead);
    leases.valid.delete(dead);
    await world.clock.pass(3000);
    expect(watcher.said()).toEqual(['publish w gone q0']);
    expect(await world.store.sessions.owners()).not.toContain(dead);
    expect(leases.evicted).toEqual([dead]);
  });

  test('the leader dies itself: the next one finds what it left', async () => {
    const leases = new FakeLeases();
    const { world, workers } = await World.of(3, { leases });
    const watcher = await workers[2].connect('watcher');
    await watcher.subscribe('w', 0);
    await workers[0].connect('c', { ...durable, will });
    expect(workers[0].view.isLeader).toBe(true);
    await workers[0].crash();
    await world.clock.pass(3000);
    expect(watcher.said()).toEqual(['publish w gone q0']);
    expect(leases.evicted).toEqual([workers[0].broker.self]);
  });

  test('owners of an earlier life are released at the start, members and oneself never', async () => {
    const leases = new FakeLeases();
    const world = new World({ leases });
    await world.store.open();
    for (const owner of ['old/0#1', 'alive/0#1']) {
      const request = { clientId: owner, owner, cleanStart: false, sessionExpirySeconds: 100 };
      await world.store.sessions.claim(request, world.clock.now());
    }
    leases.valid.add('alive/0#1');
    const [one, two] = [await world.add({ leases }), await world.add({ leases })];
    await one.connect('a', durable);
    await two.connect('b', durable);
    await world.clock.pass(3000);
    expect((await world.store.sessions.owners()).sort()).toEqual(
      ['alive/0#1', one.broker.self, two.broker.self].sort(),
    );
    expect(leases.evicted).toEqual(['old/0#1']);
  });

  test('a store that cannot be reached is tried again', async () => {
    const leases = new FakeLeases();
    const { world, workers } = await World.of(2, { leases });
    await workers[1].connect('c', durable);
    await world.clock.pass(2000);
    workers[0].gate.refused = ['sessions.releaseOwner'];
    await workers[1].crash();
    await world.clock.pass(3000);
    expect(await world.store.sessions.owners()).toEqual([workers[1].broker.self]);
    workers[0].gate.refused = 'none';
    await world.clock.pass(2000);
    expect(await world.store.sessions.owners()).toEqual([]);
  });

  test('without leases no endpoint is evicted here: the node that started the workers does it', async () => {
    const { world, workers } = await World.of(2);
    await workers[1].connect('c', durable);
    await workers[1].crash();
    await world.clock.pass(5000);
    expect(await world.store.sessions.owners()).toEqual([workers[1].broker.self]);
  });
});

test('durable sessions given up: told, closed, nothing written, no will; ephemeral clients are served on', async () => {
  const { world, workers } = await World.of(2);
  const watcher = await workers[0].connect('watcher');
  await watcher.subscribe('#', 1);
  const kept = await workers[0].connect('kept', { ...durable, will });
  await kept.subscribe('t', 1);
  const old = await workers[0].connect('old', { version: 4, cleanStart: false });
  const publisher = await workers[1].connect('p');
  await publisher.send(publish('t', 'x', 1, 1));
  kept.received();
  expect(workers[0].broker.giveUpDurableSessions()).toBe(2);
  await world.clock.settle();
  expect(kept.said()).toEqual(['disconnect 0x89']);
  expect(old.said()).toEqual([]);
  expect([kept.isClosed, old.isClosed, watcher.isClosed]).toEqual([true, true, false]);
  expect(watcher.said()).toEqual(['publish t x q1 #1']);
  await watcher.send(ack('puback', 1));
  const { session } = await world.store.sessions.claim(
    { clientId: 'kept', owner: 'x', cleanStart: false, sessionExpirySeconds: 10 },
    world.clock.now(),
  );
  expect(session?.cursors).toEqual([{ filter: 't', acknowledged: 0, above: [] }]);
  await world.clock.pass(5000);
  expect(watcher.said()).toEqual([]);
});
