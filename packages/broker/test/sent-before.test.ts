/**
 * Packets that a client sent before it connects anew take effect before its session moves, within a bound
 * (takeover/sent-before.ts); its will as well.
 */
import { describe, expect, test } from 'vitest';
import type { Authorizer } from '../src/ports/authorizer.ts';
import { publish, subscribe } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;

/** Places: on one worker, and between two. */
const places = [
  ['on one worker', 0],
  ['between workers', 1],
] as const;

/**
 * Packets that were read before their client connected anew take effect before the session moves. Seen to be given up.
 */
describe('what still waits on the connection before', () => {
  /** Rules that take their time for the topic `slow`. */
  function slowRules(): { authorizer: Authorizer; answer: () => void } {
    const waiting: ((allowed: boolean) => void)[] = [];
    return {
      authorizer: {
        authorize: (_client, action, topic) =>
          action !== 'publish' || topic !== 'slow' || new Promise((resolve) => waiting.push(resolve)),
      },
      answer: () => {
        for (const resolve of waiting.splice(0)) resolve(true);
      },
    };
  }

  const givenUp = (workers: Worker[]): number[] => workers.map(({ broker }) => broker.metrics.packetsGivenUp);

  describe.each(places)('%s', (_where, second) => {
    test.each([
      ['a session that ends with its connection', {}],
      ['a durable session', durable],
    ] as const)('PUBLISH behind one that waits for an authorizer comes before CONNACK: %s', async (_what, options) => {
      const rules = slowRules();
      const { world, workers } = await World.of(2, { authorizer: rules.authorizer });
      const watcher = await workers[1].connect('watcher');
      await watcher.subscribe('#', 2);
      const first = await workers[0].connect('c', options);
      await first.send(publish('slow', 'a'), publish('t', 'b'), publish('t', 'c', 1, 1));
      expect(watcher.said()).toEqual([]);
      const next = await workers[second].dial('c', options);
      expect(next.said()).toEqual([]);
      rules.answer();
      await world.clock.settle();
      expect(watcher.said().sort()).toEqual(['publish slow a q0', 'publish t b q0', 'publish t c q1 #1']);
      expect(next.said().map((line) => line.slice(0, 12))).toEqual(['connack 0x00']);
      expect(first.said()).toEqual(['puback #1', 'disconnect 0x8e']);
      expect(givenUp(workers)).toEqual([0, 0]);
    });

    test('QoS 2, of a session that ends with its connection', async () => {
      const rules = slowRules();
      const { world, workers } = await World.of(2, { authorizer: rules.authorizer });
      const watcher = await workers[1].connect('watcher');
      await watcher.subscribe('#', 2);
      const first = await workers[0].connect('c');
      await first.send(publish('slow', 'a', 2, 1), publish('t', 'b', 2, 2));
      await workers[second].dial('c');
      rules.answer();
      await world.clock.settle();
      expect(watcher.said()).toEqual(['publish slow a q2 #1', 'publish t b q2 #2']);
    });

    test('after 3 s it is given up, counted and logged', async () => {
      const rules = slowRules();
      const { world, workers } = await World.of(2, { authorizer: rules.authorizer });
      const first = await workers[0].connect('c', durable);
      await first.send(publish('slow', 'a'), publish('t', 'b'));
      const next = await workers[second].dial('c', durable);
      await world.clock.pass(2900);
      expect(next.said()).toEqual([]);
      await world.clock.pass(200);
      expect(next.said()).toEqual(['connack 0x00 present']);
      expect(givenUp(workers)).toEqual([2, 0]);
      expect(workers[0].log.filter((line) => line.startsWith('packets of a client were given up'))).toHaveLength(1);
      rules.answer();
      await world.clock.settle();
      expect(givenUp(workers)).toEqual([2, 0]);
    });

    test('DISCONNECT behind it: the will is not published', async () => {
      const rules = slowRules();
      const { world, workers } = await World.of(2, { authorizer: rules.authorizer });
      const watcher = await workers[1].connect('watcher');
      await watcher.subscribe('w', 0);
      const will = { topic: 'w', payload: Buffer.from('gone'), qos: 0 as const, retain: false, properties: {} };
      const first = await workers[0].connect('c', { ...durable, will });
      await first.send(publish('slow', 'a'), { type: 'disconnect', reasonCode: 0, properties: {} });
      const next = await workers[second].dial('c', durable);
      rules.answer();
      await world.clock.settle();
      expect(next.said()).toEqual(['connack 0x00 present']);
      expect(watcher.said()).toEqual([]);
      expect(givenUp(workers)).toEqual([0, 0]);
    });
  });

  test('on one worker: SUBSCRIBE of a durable session is in force, and what comes behind it too', async () => {
    const { world, workers } = await World.of(2);
    const watcher = await workers[1].connect('watcher');
    await watcher.subscribe('#', 2);
    const first = await workers[0].connect('c', durable);
    workers[0].gate.block('sessions.subscribe');
    await first.send(subscribe('t', 1), subscribe('u', 1), publish('t', 'own', 2, 7));
    const next = await workers[0].dial('c', durable);
    workers[0].gate.open('sessions.subscribe');
    await world.clock.settle();
    expect(first.said()).toEqual(['suback 0x01', 'suback 0x01', 'publish t own q1 #1', 'pubrec #7', 'disconnect 0x8e']);
    expect(watcher.said()).toEqual(['publish t own q2 #1']);
    expect(next.said()).toEqual(['connack 0x00 present', 'publish t own q1 #1 dup']);
    expect(workers[0].view.session('c')?.filters).toEqual(['t', 'u']);
  });

  test('between workers: SUBSCRIBE and QoS 2 of a durable session are counted, what is behind them comes', async () => {
    const rules = slowRules();
    const { world, workers } = await World.of(2, { authorizer: rules.authorizer });
    const watcher = await workers[1].connect('watcher');
    await watcher.subscribe('#', 2);
    const first = await workers[0].connect('c', durable);
    await first.send(publish('slow', 'a'), subscribe('t', 1), publish('t', 'b', 2, 7), publish('t', 'c', 1, 8));
    const next = await workers[1].dial('c', durable);
    rules.answer();
    await world.clock.settle();
    expect(watcher.said().sort()).toEqual(['publish slow a q0', 'publish t c q1 #1']);
    expect(givenUp(workers)).toEqual([2, 0]);
    // It has no answer, and sends it again.
    await next.send(publish('t', 'b', 2, 7, { dup: true }));
    expect(next.said()).toEqual(['connack 0x00 present', 'pubrec #7']);
    expect(watcher.said()).toEqual(['publish t b q2 #2']);
  });
});

/** The store refuses a write under the claim before, and its answer is here before the new owner asks. Seen to be lost: the session was given up without a word. */
test.each([
  ['no delay', 0, false, ['publish w gone q0']],
  ['a delay and a session that goes on', 60, false, []],
  ['a delay and a clean start', 60, true, ['publish w gone q0']],
] as const)('the will of a session whose owner learns from the store that it has moved: %s', async (...all) => {
  const [, willDelayInterval, cleanStart, expected] = all;
  const { world, workers } = await World.of(2);
  const watcher = await workers[1].connect('watcher');
  await watcher.subscribe('w', 0);
  const will = {
    topic: 'w',
    payload: Buffer.from('gone'),
    qos: 0 as const,
    retain: false,
    properties: { willDelayInterval },
  };
  const first = await workers[0].connect('c', { ...durable, will });
  workers[0].gate.block('sessions.subscribe');
  await first.send(subscribe('t', 1));
  workers[1].gate.holdAnswers('sessions.claim');
  const next = await workers[1].dial('c', { ...durable, cleanStart });
  workers[0].gate.open('sessions.subscribe');
  await world.clock.settle();
  expect(first.said()).toEqual(['disconnect 0x8e']);
  workers[1].gate.openAnswers('sessions.claim');
  await world.clock.settle();
  expect(next.said()).toEqual([cleanStart ? 'connack 0x00' : 'connack 0x00 present']);
  await world.clock.pass(120_000);
  expect(watcher.said()).toEqual(expected);
});
