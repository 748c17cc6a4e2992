/** Clients that are sent away because their node ends: how fast, what they are told, and what they have got by then. */
import { describe, expect, test } from 'vitest';
import { type DrainOptions, drainAnswerMilliseconds } from '../src/ports/drain-options.ts';
import { ack, type Client, connect, publish, subscribe } from './support/client.ts';
import { Random } from './support/random.ts';
import { type Worker, World } from './support/world.ts';

const shuttingDown = 'disconnect 0x8b';
const useAnother = 'disconnect 0x9c';
const durable = { cleanStart: false, expiry: 1000 } as const;

/** Begins it; what it says at once is said. */
async function drain(world: World, worker: Worker, options: Partial<DrainOptions>, random?: () => number) {
  const state = { isDone: false };
  const done = worker.broker.drain({ spreadMilliseconds: 0, serverReference: '', ...options }, random);
  void done.then(() => {
    state.isDone = true;
  });
  await world.clock.settle();
  return state;
}

async function crowd(worker: Worker, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  for (let at = 0; at < count; at++) clients.push(await worker.connect(`c${at}`));
  return clients;
}

function left(clients: readonly Client[]): number {
  return clients.filter((client) => !client.isClosed).length;
}

describe('the pace', () => {
  test.each([1, 2, 3])('is even, one client in each of its slots, at random moments (seed %s)', async (seed) => {
    const { world, worker } = await World.alone();
    const clients = await crowd(worker, 50);
    const begunAt = world.clock.now();
    const goneAt: number[] = [];
    const random = new Random(seed);
    const state = await drain(world, worker, { spreadMilliseconds: 10_000 }, () => random.next());
    for (let step = 0; step <= 1000; step++) {
      while (goneAt.length < clients.length - left(clients)) goneAt.push(world.clock.now() - begunAt);
      expect(state.isDone).toBe(left(clients) === 0);
      await world.clock.pass(10);
    }
    expect(goneAt).toHaveLength(50);
    // A slot is 200 ms; the clock ticks every 10.
    for (const [slot, at] of goneAt.entries()) {
      expect(at).toBeGreaterThanOrEqual(slot * 200);
      expect(at).toBeLessThanOrEqual((slot + 1) * 200 + 10);
    }
    const pauses = new Set(goneAt.slice(1).map((at, index) => at - goneAt[index]));
    expect(pauses.size).toBeGreaterThan(10);
    expect(worker.broker.metrics.drained).toBe(50);
    expect(worker.broker.connectionCount).toBe(0);
  });

  test('all at once', async () => {
    const { world, worker } = await World.alone();
    const clients = await crowd(worker, 20);
    const state = await drain(world, worker, {});
    expect(left(clients)).toBe(0);
    expect(state.isDone).toBe(true);
  });

  test('nobody is there', async () => {
    const { world, worker } = await World.alone();
    expect(await drain(world, worker, { spreadMilliseconds: 10_000 })).toEqual({ isDone: true });
  });

  test('who leaves by himself is not waited for, and not counted', async () => {
    const { world, worker } = await World.alone();
    const [first, second] = await crowd(worker, 2);
    const state = await drain(world, worker, { spreadMilliseconds: 1000 }, () => 0.5);
    await first.drop();
    await world.clock.pass(1000);
    expect(second.said()).toEqual([shuttingDown]);
    expect(state.isDone).toBe(true);
    expect(worker.broker.metrics.drained).toBe(1);
  });

  test('those whose turn has not come are served; nobody new is taken', async () => {
    const { world, worker } = await World.alone();
    const [first, second] = await crowd(worker, 2);
    await second.subscribe('t', 1);
    await drain(world, worker, { spreadMilliseconds: 1000 }, () => 0.9);
    await first.send(publish('t', 'still', 1, 1));
    expect(first.said()).toEqual(['puback #1']);
    expect(second.said()).toEqual(['publish t still q1 #1']);
    expect(worker.socket().isClosed).toBe(true);
  });

  test('a stop in the middle ends it: the rest is disconnected at once', async () => {
    const { world, worker } = await World.alone();
    const clients = await crowd(worker, 10);
    const state = await drain(world, worker, { spreadMilliseconds: 10_000 }, () => 0.5);
    await world.clock.pass(2000);
    expect(left(clients)).toBe(8);
    await worker.broker.stop();
    await world.clock.settle();
    expect(left(clients)).toBe(0);
    expect(state.isDone).toBe(true);
    expect(worker.broker.metrics.drained).toBe(2);
  });
});

describe('what a client is told', () => {
  test('MQTT 5 with a server reference: 0x9C and where to go', async () => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c');
    await drain(world, worker, { serverReference: 'b.example:1883 c.example' });
    expect(client.one('disconnect')).toMatchObject({
      reasonCode: 0x9c,
      properties: { serverReference: 'b.example:1883 c.example' },
    });
  });

  test('MQTT 5 without: 0x8B', async () => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c');
    await drain(world, worker, {});
    expect(client.one('disconnect')).toEqual({ type: 'disconnect', reasonCode: 0x8b, properties: {} });
  });

  test.each([3, 4] as const)('MQTT 3 (level %s): nothing, the connection is closed', async (version) => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c', { version });
    await drain(world, worker, { serverReference: 'b.example' });
    expect(client.said()).toEqual([]);
    expect(client.isClosed).toBe(true);
  });

  test('in the middle of CONNECT: CONNACK 0x88, MQTT 3 code 3; before it: nothing', async () => {
    const { world, worker } = await World.alone();
    worker.gate.block('sessions.claim');
    const late = await worker.dial('late');
    const old = await worker.dial('old', { version: 4 });
    const silent = worker.socket();
    const state = await drain(world, worker, {});
    expect(late.said()).toEqual(['connack 0x88']);
    expect(old.said()).toEqual(['connack 0x03']);
    expect([late, old, silent].map(({ isClosed }) => isClosed)).toEqual([true, true, true]);
    expect(state.isDone).toBe(true);
    // The claim that was under way is given back.
    worker.gate.open('sessions.claim');
    await worker.broker.stop();
    expect(await world.store.sessions.owners()).toEqual([]);
  });
});

/** Seen to fail with Drain.begin parting at once: the DISCONNECT is then all that comes. */
describe('what a client has sent before its turn is answered first', () => {
  test.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('a publish of QoS %s waits for the store', async (qos, answer) => {
    const { world, worker } = await World.alone();
    const reader = await worker.connect('reader', durable);
    await reader.subscribe('t', qos);
    await reader.drop();
    const publisher = await worker.connect('p', durable);
    worker.gate.block('logs.append');
    await publisher.send(publish('t', 'a', qos, 1), publish('t', 'b', qos, 2));
    const state = await drain(world, worker, { serverReference: 'b' });
    await world.clock.pass(500);
    expect(publisher.said()).toEqual([]);
    expect(publisher.transport.paused).toBe(true);
    worker.gate.open('logs.append');
    await world.clock.pass(20);
    expect(publisher.said()).toEqual([`${answer} #1`, `${answer} #2`, useAnother]);
    expect(publisher.isClosed).toBe(true);
    expect(state.isDone).toBe(true);
  });

  test('a subscription', async () => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c', durable);
    worker.gate.block('sessions.subscribe');
    await client.send(subscribe('t', 1));
    await drain(world, worker, {});
    expect(client.isClosed).toBe(false);
    worker.gate.open('sessions.subscribe');
    await world.clock.pass(20);
    expect(client.said()).toEqual(['suback 0x01', shuttingDown]);
  });

  test('but not for longer than a second: a store that is away does not keep the node', async () => {
    const { world, worker } = await World.alone();
    const reader = await worker.connect('reader', durable);
    await reader.subscribe('t', 1);
    const publisher = await worker.connect('p');
    worker.gate.block('logs.append');
    await publisher.send(publish('t', 'a', 1, 1));
    const state = await drain(world, worker, {});
    await world.clock.pass(drainAnswerMilliseconds - 20);
    expect(publisher.isClosed).toBe(false);
    await world.clock.pass(40);
    expect(publisher.said()).toEqual([shuttingDown]);
    expect(state.isDone).toBe(true);
  });

  test('its socket stays unread when room comes meanwhile', async () => {
    const { world, worker } = await World.alone({ limits: { receiveMaximum: 2 } });
    const reader = await worker.connect('reader', durable);
    await reader.subscribe('t', 1);
    const publisher = await worker.connect('p', { version: 4 });
    worker.gate.block('logs.append');
    await publisher.send(publish('t', 'a', 1, 1), publish('t', 'b', 1, 2), publish('t', 'c', 1, 3));
    expect(publisher.transport.paused).toBe(true); // above the window
    await drain(world, worker, {});
    worker.gate.open('logs.append');
    await world.clock.settle();
    expect(publisher.said()).toEqual(['puback #1', 'puback #2', 'puback #3']);
    expect(publisher.transport.paused).toBe(true);
  });
});

describe('sessions and wills', () => {
  test('a durable session is in the store when the broker has stopped, with what its client acknowledged', async () => {
    const { world, worker } = await World.alone();
    const client = await worker.connect('c', durable);
    await client.subscribe('t', 1);
    const publisher = await worker.connect('p');
    await publisher.send(publish('t', 'a', 1, 1), publish('t', 'b', 1, 2));
    await client.send(ack('puback', 1));
    worker.gate.block('sessions.release');
    await drain(world, worker, {});
    let isStopped = false;
    const stopped = worker.broker.stop().then(() => {
      isStopped = true;
    });
    await world.clock.settle();
    expect(isStopped).toBe(false);
    worker.gate.open('sessions.release');
    await stopped;
    const request = { clientId: 'c', owner: 'other', cleanStart: false, sessionExpirySeconds: 1000 };
    const { session, previousOwner } = await world.store.sessions.claim(request, world.clock.now());
    expect(previousOwner).toBe('');
    expect(session?.cursors).toEqual([{ filter: 't', acknowledged: 1, above: [] }]);
  });

  /**
   * Demands of MQTT 5 section 3.1.2.5 and [MQTT-3.1.2-8] on a server that closes a connection, and what they leave to
   * it.
   */
  test.each([
    { delay: 10, expiry: 100, isBack: true, comes: false, why: 'the client is back before the delay is over' },
    { delay: 10, expiry: 100, isBack: false, comes: true, why: 'the client does not come back' },
    { delay: 0, expiry: 100, isBack: true, comes: true, why: 'no delay was asked for' },
    { delay: 10, expiry: 0, isBack: true, comes: true, why: 'the session ends with the connection' },
  ])('delay $delay, expiry $expiry: will $comes, since $why', async ({ delay, expiry, isBack, comes }) => {
    const { world, workers } = await World.of(2);
    const [leaving, other] = workers;
    const watcher = await other.connect('watcher');
    await watcher.subscribe('will', 1);
    const properties = { willDelayInterval: delay };
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 1 as const, retain: false, properties };
    const client = await leaving.connect('c', { cleanStart: false, expiry, will });
    await drain(world, leaving, { serverReference: 'other' });
    expect(client.said()).toEqual([useAnother]);
    if (isBack) {
      const next = other.socket();
      await next.send(connect('c', { cleanStart: false, expiry }));
      expect(next.said()).toEqual([expiry > 0 ? 'connack 0x00 present' : 'connack 0x00']);
    }
    await leaving.broker.stop();
    await world.clock.pass(20_000);
    expect(watcher.said()).toEqual(comes ? ['publish will gone q1 #1'] : []);
  });
});
