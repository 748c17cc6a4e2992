import { FaultProxy, type NatsProcess, startNats } from '@dunlin/testkit';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EnvelopeWriter } from '../src/envelope.ts';
import { Subjects } from '../src/subjects.ts';
import { Endpoints, fastTimings, StoppableClock, type TestEndpoint, text } from './endpoints.ts';

let nats: NatsProcess;
let endpoints: Endpoints;
let proxies: FaultProxy[];
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());
beforeEach(() => {
  endpoints = new Endpoints();
  proxies = [];
});
afterEach(async () => {
  await endpoints.close();
  await Promise.all(proxies.map((proxy) => proxy.close()));
});

/** An endpoint whose connection to NATS can be cut. */
async function startBehindProxy(): Promise<TestEndpoint & { proxy: FaultProxy }> {
  const proxy = await FaultProxy.start(nats);
  proxies.push(proxy);
  return { ...(await endpoints.start(`nats://127.0.0.1:${proxy.port}`)), proxy };
}

/** Waits until so many of its renewals have gone by: time in which it would have been found dead. */
async function renewals(endpoint: TestEndpoint, count: number): Promise<void> {
  const end = endpoint.leases.renewals + count;
  const observer = await endpoints.start(nats.url, { clusterName: 'a clock', connected: undefined });
  const timer = setInterval(() => observer.ear.events.changed(), 20);
  await observer.ear.events.until(`${count} renewals`, () => endpoint.leases.renewals >= end);
  clearInterval(timer);
}

const longerThanDead = Math.ceil((3 * fastTimings.lostMilliseconds) / fastTimings.renewMilliseconds);

describe('several endpoints in one process', () => {
  test('twelve that start at once all know each other, once', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => endpoints.start(nats.url)));
    for (const one of all) {
      for (const other of all) {
        if (other !== one) await one.ear.until('joined', other.backplane.self);
      }
      expect(one.ear.count('joined')).toBe(11);
      expect(one.backplane.memberCount).toBe(11);
    }
    all[0].backplane.broadcast(text('to all'));
    for (const { ear } of all.slice(1)) await ear.untilText('to all');
  });

  test('two clusters on one NATS do not see each other', async () => {
    const [a1, b1] = [
      await endpoints.start(nats.url, { clusterName: 'a' }),
      await endpoints.start(nats.url, { clusterName: 'b' }),
    ];
    const [a2, b2] = [
      await endpoints.start(nats.url, { clusterName: 'a' }),
      await endpoints.start(nats.url, { clusterName: 'b' }),
    ];
    a1.backplane.broadcast(text('in a'));
    b1.backplane.broadcast(text('in b'));
    a1.backplane.send(b1.backplane.self, text('across'));
    a1.backplane.send(a2.backplane.self, text('end'));
    b1.backplane.send(b2.backplane.self, text('end'));
    await a2.ear.untilText('end');
    await b2.ear.untilText('end');
    expect(a2.ear.texts()).toEqual(['in a', 'end']);
    expect(b2.ear.texts()).toEqual(['in b', 'end']);
    expect(b1.ear.texts()).toEqual([]);
    expect([a1.ear.count('joined'), b1.ear.count('joined')]).toEqual([1, 1]);
  });

  test('endpoints of the own node are left to message ports', async () => {
    const ignores = (endpoint: string) => endpoint.startsWith('same/');
    const [one, two] = [
      await endpoints.start(nats.url, { self: 'same/0#1', ignores }),
      await endpoints.start(nats.url, { self: 'same/1#1', ignores }),
    ];
    const other = await endpoints.start(nats.url);
    other.backplane.broadcast(text('from outside'));
    two.backplane.broadcast(text('from two'));
    await one.ear.untilText('from outside');
    await two.ear.untilText('from outside');
    await other.ear.untilText('from two');
    for (const { ear } of [one, two]) {
      expect(ear.heard.filter((heard) => 'endpoint' in heard && heard.endpoint !== other.backplane.self)).toEqual([]);
    }
    await one.backplane.stop();
    await other.ear.until('left', 'same/0#1');
    expect(two.ear.count('left')).toBe(0);
  });
});

describe('an endpoint that goes silent', () => {
  test('stays a member while its lease is renewed', async () => {
    const [one, cut] = [await endpoints.start(nats.url), await startBehindProxy()];
    await one.ear.until('joined', cut.backplane.self);
    cut.proxy.cut();
    await cut.ear.until('disconnected');
    await renewals(cut, longerThanDead);
    expect(one.ear.count('left')).toBe(0);
    expect([cut.ear.count('left'), cut.ear.count('leaseLost'), cut.ear.count('evicted')]).toEqual([0, 0, 0]);
    cut.proxy.heal();
    await cut.ear.until('reconnected');
    cut.backplane.send(one.backplane.self, text('back'));
    await one.ear.untilText('back');
    one.backplane.send(cut.backplane.self, text('welcome'));
    await cut.ear.untilText('welcome');
    expect(one.ear.count('joined', cut.backplane.self)).toBe(1);
  });

  test('with a broken cable suspects no endpoint itself, and is back when the cable is', async () => {
    const [one, frozen] = [await endpoints.start(nats.url), await startBehindProxy()];
    await one.ear.until('joined', frozen.backplane.self);
    frozen.proxy.freeze();
    await frozen.ear.until('disconnected');
    await renewals(frozen, longerThanDead);
    expect([one.ear.count('left'), frozen.ear.count('left')]).toEqual([0, 0]);
    frozen.proxy.thaw();
    await frozen.ear.until('reconnected');
    one.backplane.send(frozen.backplane.self, text('again'));
    await frozen.ear.untilText('again');
  });

  test('cut off from NATS and the store loses its lease, leaves for the others, and is evicted when it is back', async () => {
    const [one, two, cut] = [
      await endpoints.start(nats.url),
      await endpoints.start(nats.url),
      await startBehindProxy(),
    ];
    await one.ear.until('joined', cut.backplane.self);
    cut.proxy.cut();
    cut.leases.state = 'rejects';
    await cut.ear.until('leaseLost');
    for (const { ear } of [one, two]) await ear.until('left', cut.backplane.self);
    expect(cut.ear.count('left')).toBe(0);
    cut.proxy.heal();
    await cut.ear.until('evicted');
    expect(cut.ear.count('leaseRegained')).toBe(0);
    expect(cut.ear.count('leaseLost')).toBe(1);
    cut.backplane.broadcast(text('of a dead one'));
    one.backplane.send(two.backplane.self, text('end'));
    await two.ear.untilText('end');
    expect(two.ear.texts()).toEqual(['end']);
    expect(one.ear.count('joined', cut.backplane.self)).toBe(1);
  });

  test('alone, cut off from NATS and the store, has its lease again when the store is back', async () => {
    const cut = await startBehindProxy();
    cut.proxy.cut();
    cut.leases.state = 'rejects';
    await cut.ear.until('leaseLost');
    cut.leases.state = 'works';
    await cut.ear.until('leaseRegained');
    cut.leases.state = 'hangs';
    await cut.ear.until('leaseLost', undefined, 2);
    cut.proxy.heal();
    await cut.ear.until('leaseRegained', undefined, 2);
    expect(cut.ear.count('evicted')).toBe(0);
  });

  test('stops when the store alone says that it was evicted', async () => {
    const one = await endpoints.start(nats.url);
    await endpoints.leases.evict(one.backplane.self, true);
    await one.ear.until('evicted');
    const renewalsThen = one.leases.renewals;
    const two = await endpoints.start(nats.url);
    await renewals(two, longerThanDead);
    expect(one.leases.renewals).toBe(renewalsThen);
    expect([one.ear.count('evicted'), two.ear.count('joined')]).toEqual([1, 0]);
  });

  test.each(['rejects', 'hangs'] as const)('has left after a longer time when the store %s', async (state) => {
    const [one, two] = [await endpoints.start(nats.url), await endpoints.start(nats.url)];
    const clock = new StoppableClock();
    const dying = await endpoints.start(nats.url, { clock });
    for (const { leases } of [one, two]) leases.state = state;
    clock.die();
    const silentAt = Date.now();
    await one.ear.until('left', dying.backplane.self);
    expect(Date.now() - silentAt).toBeGreaterThan(fastTimings.lostMilliseconds - fastTimings.heartbeatMilliseconds * 2);
    await two.ear.until('left', dying.backplane.self);
    // It could be told at once.
    await dying.ear.until('evicted');
    expect(endpoints.leases.evicted.size).toBe(0);
  });

  test('has left after silence alone where there is no store', async () => {
    const clock = new StoppableClock();
    const one = await endpoints.start(nats.url, { leases: null });
    const dying = await endpoints.start(nats.url, { leases: null, clock });
    clock.die();
    await one.ear.until('left', dying.backplane.self);
    await dying.ear.until('evicted');
  });

  test('is dead for everybody once one has found it dead', async () => {
    const slow = { ...fastTimings, suspectMilliseconds: 3_600_000 };
    const clock = new StoppableClock();
    const [patient, one] = [await endpoints.start(nats.url, { timings: slow }), await endpoints.start(nats.url)];
    const dying = await endpoints.start(nats.url, { clock });
    await patient.ear.until('joined', dying.backplane.self);
    clock.die();
    await patient.ear.until('left', dying.backplane.self);
    await one.ear.until('left', dying.backplane.self);
    await dying.ear.until('evicted');
  });

  test('a report that an endpoint is dead is not enough while its lease is valid', async () => {
    const [one, two] = [await endpoints.start(nats.url), await endpoints.start(nats.url)];
    const liar = await connect({ servers: nats.url });
    liar.publish(new Subjects('dunlin').bye, new EnvelopeWriter('liar/0#1').bye('nobody/0#1'));
    // Only the one that is meant believes it; the others ask the store. This one hears it first.
    const clock = new StoppableClock();
    const third = await endpoints.start(nats.url, { clock });
    await one.ear.until('joined', third.backplane.self);
    liar.publish(new Subjects('dunlin').bye, new EnvelopeWriter('liar/0#1').bye(third.backplane.self));
    await third.ear.until('evicted');
    expect(one.ear.count('left', third.backplane.self)).toBe(0);
    // Nobody stopped it for the store: its lease runs out by itself.
    await two.ear.until('left', third.backplane.self);
    await liar.close();
  });
});

describe('incarnations', () => {
  test('a newer one ends the older at once, whatever its lease says', async () => {
    const observer = await endpoints.start(nats.url);
    const old = await endpoints.start(nats.url, { self: 'place/0#1' });
    const young = await endpoints.start(nats.url, { self: 'place/0#2' });
    await old.ear.until('evicted');
    await observer.ear.until('left', 'place/0#1');
    await observer.ear.until('joined', 'place/0#2');
    expect(endpoints.leases.evicted.has('place/0#1')).toBe(true);
    expect(observer.log.matching(/replaced by a newer/)).toHaveLength(1);
    expect(young.ear.count('joined', 'place/0#1')).toBe(0);
    observer.backplane.send('place/0#2', text('hello'));
    await young.ear.untilText('hello');
  });

  test('an older one that comes after a newer is sent away', async () => {
    const young = await endpoints.start(nats.url, { self: 'place/0#2' });
    const observer = await endpoints.start(nats.url);
    const old = endpoints.make(nats.url, { self: 'place/0#1' });
    await expect(old.backplane.start(old.ear)).rejects.toMatchObject({ code: 'evicted' });
    expect(old.ear.count('evicted')).toBe(1);
    expect(observer.ear.count('joined', 'place/0#1')).toBe(0);
    expect(young.ear.count('evicted')).toBe(0);
    expect(endpoints.leases.evicted.has('place/0#1')).toBe(true);
  });

  test('a name that has left does not come back', async () => {
    const observer = await endpoints.start(nats.url);
    const first = await endpoints.start(nats.url, { self: 'place/0#7' });
    await first.backplane.stop();
    await observer.ear.until('left', 'place/0#7');
    const again = endpoints.make(nats.url, { self: 'place/0#7' });
    await expect(again.backplane.start(again.ear)).rejects.toMatchObject({ code: 'evicted' });
    expect(observer.ear.count('joined', 'place/0#7')).toBe(1);
  });
});

describe('stopping', () => {
  test('gives the lease up', async () => {
    const one = await endpoints.start(nats.url);
    expect(endpoints.leases.held.has(one.backplane.self)).toBe(true);
    await one.backplane.stop();
    expect(endpoints.leases.held.has(one.backplane.self)).toBe(false);
    // Twice is the same as once, and nothing can be sent any more.
    await one.backplane.stop();
    one.backplane.broadcast(text('nothing'));
  });

  test('takes a bounded time when neither NATS nor the store answers', async () => {
    const cut = await startBehindProxy();
    cut.proxy.freeze();
    cut.leases.state = 'hangs';
    await cut.backplane.stop();
  });
});
