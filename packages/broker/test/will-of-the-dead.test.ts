/**
 * A client is back before what its dead worker owned is released: its will is due [MQTT-3.1.2-8], whatever the new connection brings.
 * Seen to fail before: a new will, or a clean start, took the place of the old one, which nobody published.
 */
import { expect, test } from 'vitest';
import { World } from './support/world.ts';

const willOf = (payload: string, delay: number) => ({
  ...({ topic: 'will/c', payload: Buffer.from(payload), qos: 1, retain: false } as const),
  properties: delay > 0 ? { willDelayInterval: delay } : {},
});

const cases = [
  { back: 'with a new will', expiry: 0, delay: 0, clean: true, isNew: true, isDue: true },
  { back: 'without one', expiry: 0, delay: 0, clean: true, isNew: false, isDue: true },
  { back: 'with a new will, its session goes on', expiry: 100, delay: 0, clean: false, isNew: true, isDue: true },
  { back: 'with a clean start, its session ends', expiry: 100, delay: 5, clean: true, isNew: true, isDue: true },
  { back: 'within the delay, its session goes on', expiry: 100, delay: 50, clean: false, isNew: true, isDue: false },
  { back: 'within the delay, without a new one', expiry: 100, delay: 50, clean: false, isNew: false, isDue: false },
];

test.each(cases)('back $back: published $isDue', async ({ expiry, delay, clean, isNew, isDue }) => {
  const { world, workers } = await World.of(3);
  const watcher = await workers[2].connect('watcher');
  await watcher.subscribe('will/+', 1);
  await workers[0].connect('c', { cleanStart: clean, expiry, will: willOf('died with its node', delay) });
  await workers[0].crash();
  const again = await workers[1].connect('c', { cleanStart: clean, expiry, will: isNew ? willOf('new', 0) : null });
  expect(watcher.said()).toEqual(isDue ? ['publish will/c died with its node q1 #1'] : []);
  // It is evicted, and nothing comes of it any more.
  await world.store.sessions.releaseOwner(workers[0].broker.self, world.clock.now());
  await world.clock.pass(120_000);
  expect(watcher.said()).toEqual([]);
  await again.drop();
  expect(watcher.said().length).toBe(isNew ? 1 : 0);
});

/** Fails when the new owner publishes the will of an owner that is there. */
test('the owner is there: it publishes the will, once', async () => {
  const { world, workers } = await World.of(3);
  const watcher = await workers[2].connect('watcher');
  await watcher.subscribe('will/+', 1);
  await workers[0].connect('c', { will: willOf('taken over', 0) });
  await workers[1].connect('c', { will: willOf('new', 0) });
  await world.clock.pass(120_000);
  expect(watcher.said()).toEqual(['publish will/c taken over q1 #1']);
});
