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
