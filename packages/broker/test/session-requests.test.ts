/** Takeover over a carrier that loses: questions are asked again, and answered alike each time. */
import { expect, test } from 'vitest';
import { FrameType } from '../src/cluster/frames.ts';
import { ack, connect, publish } from './support/client.ts';
import { frameType } from './support/lossy-backplane.ts';
import { lossy } from './support/lossy-world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;

/**
 * Fails when questions are not asked again (the first two), and when answers are not remembered (the last): then the second answer says that nothing was held,
 * and what the client had acknowledged comes again.
 */
test.each([
  ['the question', FrameType.request, 1],
  ['the question, three times', FrameType.request, 3],
  ['the answer', FrameType.response, 1],
])('%s is lost: the session moves with what it held', async (_what, type, times) => {
  const { world, workers, hub } = await lossy(2);
  const first = await workers[0].connect('c', durable);
  await first.subscribe('t', 1);
  const publisher = await workers[1].connect('p');
  await publisher.send(publish('t', 'a', 1, 1), publish('t', 'b', 1, 2));
  expect(first.said()).toEqual(['publish t a q1 #1', 'publish t b q1 #2']);
  await first.send(ack('puback', 1)); // not yet in the store
  workers[0].gate.block('sessions.update');
  let lost = 0;
  hub.loses = (_from, _to, bytes) => frameType(bytes) === type && ++lost <= times;
  const next = workers[1].socket();
  await next.send(connect('c', { cleanStart: false, expiry: 1000 }));
  expect(next.said()).toEqual([]);
  await world.clock.pass(times * 750);
  expect(first.said()).toEqual(['disconnect 0x8e']);
  expect(next.said()).toEqual(['connack 0x00 present', 'publish t b q1 #2 dup']);
});

test('an owner that never answers is waited for a bounded time', async () => {
  const { world, workers, hub } = await lossy(2);
  const first = await workers[0].connect('c', durable);
  hub.loses = (_from, _to, bytes) => frameType(bytes) === FrameType.request;
  const next = await workers[1].dial('c', durable);
  await world.clock.pass(4500);
  expect(next.said()).toEqual([]);
  await world.clock.pass(1000);
  expect(next.said()).toEqual(['connack 0x00 present']);
  expect(first.isClosed).toBe(false); // its writes are refused from now on
  expect(hub.lost).toBeGreaterThan(5);
});
