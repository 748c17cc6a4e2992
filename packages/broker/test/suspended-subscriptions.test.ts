/** Subscriptions that the rules do not allow now: not in force, not forgotten. */
import { describe, expect, test } from 'vitest';
import type { Authorizer } from '../src/ports/authorizer.ts';
import { ack, publish } from './support/client.ts';
import { World } from './support/world.ts';

/** Allows what is not in the list; publishes always. */
class Rules implements Authorizer {
  readonly denied = new Set<string>();
  /** Answers come a moment later. */
  isLate = false;

  authorize(_client: unknown, action: string, topic: string): boolean | Promise<boolean> {
    const answer = action === 'publish' || !this.denied.has(topic);
    return this.isLate ? Promise.resolve().then(() => answer) : answer;
  }
}

const durable = { cleanStart: false, expiry: 3600 };

describe.each([false, true])('a subscription that is not allowed any more (late answers: %s)', (isLate) => {
  async function begin() {
    const rules = new Rules();
    rules.isLate = isLate;
    const { world, worker } = await World.alone({ authorizer: rules });
    const operator = await worker.connect('operator');
    const client = await worker.connect('s', durable);
    await client.subscribe('a', 1);
    await client.subscribe('b', 2);
    await client.subscribe('ok', 1);
    let packetId = 0;
    const say = async (topic: string, payload: string, qos: 1 | 2 = 1): Promise<void> => {
      const id = ++packetId;
      await operator.send(publish(topic, payload, qos, id));
      if (qos === 2) await operator.send(ack('pubrel', id));
      operator.received();
    };
    const changed = async (): Promise<void> => {
      worker.broker.rulesChanged();
      await world.clock.settle();
    };
    return { rules, world, worker, client, say, changed };
  }

  test('gets nothing at a reconnect: neither what was in flight nor what waits; and all of it when it is allowed again', async () => {
    const { rules, worker, client, say } = await begin();
    await say('a', '1');
    await say('b', '1', 2);
    await say('ok', '1');
    expect(client.said()).toEqual(['publish a 1 q1 #1', 'publish b 1 q2 #2', 'publish ok 1 q1 #3']);
    await client.drop();
    await say('a', '2');
    await say('b', '2', 2);
    rules.denied.add('a').add('b');
    const second = await worker.dial('s', durable);
    await say('a', '3');
    await say('ok', '2');
    expect(second.said()).toEqual(['connack 0x00 present', 'publish ok 1 q1 #3 dup', 'publish ok 2 q1 #4']);
    await second.send(ack('puback', 3), ack('puback', 4));
    await second.drop();
    rules.denied.clear();
    const third = await worker.dial('s', durable);
    expect(third.said().toSorted()).toEqual(
      [
        'connack 0x00 present',
        'publish a 1 q1 #1 dup',
        'publish b 1 q2 #2 dup',
        'publish a 2 q1 #3',
        'publish a 3 q1 #4',
        'publish b 2 q2 #5',
      ].toSorted(),
    );
  });

  test('does not get a packet identifier mixed up with a message that is withheld', async () => {
    const { rules, worker, client, say } = await begin();
    await say('b', '1', 2);
    expect(client.said()).toEqual(['publish b 1 q2 #1']);
    await client.drop();
    rules.denied.add('b');
    const second = await worker.connect('s', durable);
    for (let i = 0; i < 3; i++) await say('ok', `${i}`);
    expect(second.said()).toEqual(['publish ok 0 q1 #2', 'publish ok 1 q1 #3', 'publish ok 2 q1 #4']);
  });

  test('completes a handshake that has no content any more', async () => {
    const { rules, worker, client, say } = await begin();
    await say('b', '1', 2);
    client.received();
    await client.send(ack('pubrec', 1));
    expect(client.said()).toEqual(['pubrel #1']);
    await client.drop();
    rules.denied.add('b');
    const second = await worker.dial('s', durable);
    expect(second.said()).toEqual(['connack 0x00 present', 'pubrel #1']);
    await second.send(ack('pubcomp', 1));
    await second.drop();
    rules.denied.clear();
    const third = await worker.dial('s', durable);
    expect(third.said()).toEqual(['connack 0x00 present']);
  });

  test('is suspended while connected, and comes back with what it missed, once', async () => {
    const { rules, client, say, changed, worker } = await begin();
    await say('a', '1');
    await say('b', '1', 2);
    expect(client.said()).toEqual(['publish a 1 q1 #1', 'publish b 1 q2 #2']);
    rules.denied.add('a').add('b');
    await changed();
    await say('a', '2');
    await say('b', '2', 2);
    await client.send(ack('puback', 1));
    expect(client.said()).toEqual([]);
    rules.denied.clear();
    await changed();
    expect(client.said().toSorted()).toEqual(['publish a 2 q1 #3', 'publish b 2 q2 #4'].toSorted());
    await client.send(ack('pubrec', 2), ack('puback', 3));
    expect(client.said()).toEqual(['pubrel #2']);
    await client.send(ack('pubcomp', 2));
    await client.drop();
    const again = await worker.dial('s', durable);
    expect(again.said()).toEqual(['connack 0x00 present', 'publish b 2 q2 #4 dup']);
  });

  test('what the client acknowledged while it was suspended stays acknowledged', async () => {
    const { rules, client, say, changed, worker } = await begin();
    await say('a', '1');
    client.received();
    rules.denied.add('a');
    await changed();
    await client.send(ack('puback', 1));
    await client.drop();
    rules.denied.clear();
    const again = await worker.dial('s', durable);
    expect(again.said()).toEqual(['connack 0x00 present']);
  });

  test('comes back with what it missed when the client subscribes anew', async () => {
    const { rules, client, say, changed } = await begin();
    rules.denied.add('a');
    await changed();
    await say('a', '1');
    rules.denied.clear();
    expect(await client.subscribe('a', 1)).toEqual([1]);
    expect(client.said()).toEqual(['publish a 1 q1 #1']);
  });

  test('ends by UNSUBSCRIBE', async () => {
    const { rules, client, say, changed, world } = await begin();
    rules.denied.add('a');
    await changed();
    await say('a', '1');
    await client.send({ type: 'unsubscribe', packetId: 9, filters: ['a'], properties: {} });
    expect(client.said()).toEqual(['unsuback 0x00']);
    expect((await world.store.logs.durableFilters()).map(({ filter }) => filter).toSorted()).toEqual(['b', 'ok']);
    rules.denied.clear();
    await changed();
    await say('a', '2');
    expect(client.said()).toEqual([]);
  });
});

test('no message passes between new rules and their look at a subscription', async () => {
  const rules = new Rules();
  const { world, worker } = await World.alone({ authorizer: rules });
  const subscribers = [];
  for (let i = 0; i < 450; i++) subscribers.push(await worker.connect(`s${i}`));
  for (const subscriber of subscribers) await subscriber.subscribe('a', 0);
  const publisher = await worker.connect('p');
  rules.denied.add('a');
  worker.broker.rulesChanged();
  publisher.put(publish('a', 'secret'));
  await world.clock.settle();
  expect(subscribers.flatMap((subscriber) => subscriber.said())).toEqual([]);
});

describe('new rules for many sessions', () => {
  /** Each question about a subscription takes a millisecond. */
  class SlowRules implements Authorizer {
    isAllowed = true;
    mayPublish = true;
    asked = 0;
    clock: { time: number } = { time: 0 };

    authorize(_client: unknown, action: string): boolean {
      if (action === 'publish') return this.mayPublish;
      this.asked++;
      this.clock.time++;
      return this.isAllowed;
    }
  }

  async function begin(sessions: number, filters: number) {
    const rules = new SlowRules();
    const { world, worker } = await World.alone({ authorizer: rules });
    rules.clock = world.clock;
    const publisher = await worker.connect('p');
    const clients = [];
    for (let i = 0; i < sessions; i++) {
      const client = await worker.connect(`s${i}`);
      for (let j = 0; j < filters; j++) await client.subscribe(`t/${j}`, 0);
      clients.push(client);
    }
    /** Returns how many questions were asked at once. */
    const changed = (isAllowed: boolean): number => {
      rules.isAllowed = isAllowed;
      rules.asked = 0;
      worker.broker.rulesChanged();
      return rules.asked;
    };
    /** The most questions of a turn of the event loop, until there are none. */
    const mostOfTurn = async (): Promise<number> => {
      let most = 0;
      for (let quiet = 0; quiet < 4; quiet++) {
        rules.asked = 0;
        await world.clock.turnOnce();
        if (rules.asked > 0) quiet = 0;
        most = Math.max(most, rules.asked);
      }
      return most;
    };
    const inForce = (): number => {
      worker.broker.observe();
      return worker.broker.metrics.subscriptions;
    };
    return { world, rules, worker, publisher, clients, changed, mostOfTurn, inForce };
  }

  test('look at some of them in each turn, and at all of them', async () => {
    const { publisher, clients, changed, mostOfTurn, inForce } = await begin(40, 3);
    expect(changed(false)).toBeLessThanOrEqual(6);
    expect(inForce()).toBeGreaterThan(100);
    expect(await mostOfTurn()).toBeLessThanOrEqual(6);
    expect(inForce()).toBe(0);
    expect(changed(true)).toBeLessThanOrEqual(6);
    expect(await mostOfTurn()).toBeLessThanOrEqual(6);
    expect(inForce()).toBe(120);
    await publisher.send(publish('t/1', 'x'));
    for (const client of clients) expect(client.said()).toEqual(['publish t/1 x q0']);
  });

  test('that change again meanwhile are looked at anew', async () => {
    const { changed, mostOfTurn, inForce } = await begin(40, 1);
    changed(false);
    expect(inForce()).toBeLessThan(40);
    changed(true);
    await mostOfTurn();
    expect(inForce()).toBe(40);
  });

  test('hold for the topic that a client publishes to, whatever is left to be looked at', async () => {
    const { worker, rules, publisher, changed } = await begin(40, 1);
    await publisher.send(publish('t/0', '1'));
    rules.mayPublish = false;
    changed(false);
    publisher.put(publish('t/0', '2'));
    expect(worker.broker.metrics.dropped['not-authorized']).toBe(1);
  });

  test('let no message pass to a session whose turn has not come: live, from a log, out of a queue', async () => {
    const { world, worker, publisher, clients, changed } = await begin(40, 1);
    const say = (payload: string, qos: 0 | 1): void => publisher.put(publish('t/0', payload, qos, qos));
    const durable = await worker.connect('durable', { expiry: 100, properties: { receiveMaximum: 1 } });
    const queued = await worker.connect('queued', { properties: { receiveMaximum: 1 } });
    for (const client of [durable, queued]) await client.subscribe('t/0', 1);
    await publisher.send(publish('t/0', '1', 1, 1), publish('t/0', '2', 1, 2));
    for (const client of [durable, queued]) expect(client.said()).toEqual(['publish t/0 1 q1 #1']);
    publisher.received();
    for (const client of clients) client.received();
    // The youngest come first.
    for (let i = 0; i < 20; i++) await worker.connect(`young${i}`).then((client) => client.subscribe('y', 0));
    expect(changed(false)).toBeLessThan(20);
    for (const client of [durable, queued]) client.put(ack('puback', 1));
    say('3', 0);
    say('4', 1);
    await world.clock.settle();
    for (const client of [...clients, durable, queued]) expect(client.said()).toEqual([]);
    changed(true);
    await world.clock.settle();
    expect(durable.said()).toEqual(['publish t/0 2 q1 #2']);
    for (const client of [...clients, queued]) expect(client.said()).toEqual([]);
  });

  test('look at a session with many filters in several turns', async () => {
    const { changed, mostOfTurn, inForce } = await begin(1, 800);
    expect(changed(false)).toBeLessThanOrEqual(250);
    expect(await mostOfTurn()).toBeLessThanOrEqual(250);
    expect(inForce()).toBe(0);
  });
});
