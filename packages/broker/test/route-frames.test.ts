/** Frames with the routes of others are worked off so much a turn, in their order (cluster/route-frames.ts). */
import { beforeEach, expect, test } from 'vitest';
import { RouteFrames } from '../src/cluster/route-frames.ts';
import { FakeClock } from './support/fake-clock.ts';

const kibibytes = (count: number, first: number): Uint8Array => new Uint8Array(count * 1024).fill(first);
let clock: FakeClock;
let frames: RouteFrames;
let handled: string[];

beforeEach(() => {
  clock = new FakeClock();
  handled = [];
  frames = new RouteFrames(clock, (from, bytes) => handled.push(`${from}${bytes[0]}`));
});

test('a turn takes what it has time for, the next ones the rest, in its order', async () => {
  for (let i = 0; i < 7; i++) frames.received(i % 2 === 0 ? 'a' : 'b', kibibytes(6, i));
  expect(handled).toEqual(['a0', 'b1', 'a2']);
  await clock.turnOnce();
  expect(handled.slice(3)).toEqual(['b3', 'a4', 'b5']);
  frames.received('c', kibibytes(1, 9));
  expect(handled.slice(6)).toEqual([]);
  await clock.settle();
  expect(handled.slice(6)).toEqual(['a6', 'c9']);
});

test('what waits is a copy, and what an endpoint said that has left says nothing', async () => {
  frames.received('a', kibibytes(16, 0));
  const lent = kibibytes(1, 1);
  frames.received('a', lent);
  frames.received('b', kibibytes(1, 2));
  lent.fill(7);
  frames.received('c', kibibytes(1, 3));
  frames.left('b');
  await clock.settle();
  expect(handled).toEqual(['a0', 'a1', 'c3']);
});

test('memory is bounded: beyond it frames are worked off at once', () => {
  for (let i = 0; i < 40; i++) frames.received('a', kibibytes(1024, i));
  expect(handled.length).toBeGreaterThan(30);
  expect(handled).toEqual(Array.from({ length: handled.length }, (_, i) => `a${i}`));
});
