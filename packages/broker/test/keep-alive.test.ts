import { expect, test } from 'vitest';
import { KeepAlive, type KeepAliveEntry } from '../src/connection/keep-alive.ts';

/** A clock whose only timer is fired by hand. */
class HandClock {
  seconds = 1_700_000_000;
  tick: () => void = () => {};
  now(): number {
    return this.seconds * 1000;
  }
  every(_milliseconds: number, callback: () => void): () => void {
    this.tick = callback;
    return () => {};
  }
  nextTurn(): void {}
  pass(seconds: number): void {
    this.seconds += seconds;
    this.tick();
  }
}

class Entry implements KeepAliveEntry {
  checkAtSecond = 0;
  looks = 0;
  next = 0;
  checkDeadline(): number {
    this.looks++;
    return this.next;
  }
}

test('an entry is looked at in its second, once, and again when it says so', () => {
  const clock = new HandClock();
  const keepAlive = new KeepAlive(clock);
  const entry = new Entry();
  entry.next = clock.seconds + 20;
  keepAlive.watch(entry, clock.seconds + 10);
  clock.pass(9);
  expect(entry.looks).toBe(0);
  clock.pass(1);
  expect(entry.looks).toBe(1);
  entry.next = 0;
  clock.pass(9);
  expect(entry.looks).toBe(1);
  clock.pass(2);
  expect(entry.looks).toBe(2);
  clock.pass(1000);
  expect(entry.looks).toBe(2);
});

test('a forgotten entry leaves nothing behind', () => {
  const clock = new HandClock();
  const keepAlive = new KeepAlive(clock);
  for (let i = 1; i <= 100; i++) {
    const entry = new Entry();
    keepAlive.watch(entry, clock.seconds + i);
    keepAlive.watch(entry, clock.seconds + 2 * i);
    keepAlive.forget(entry);
  }
  expect((keepAlive as unknown as { buckets: Map<number, unknown> }).buckets.size).toBe(0);
});

test('a clock that is set back does not lose a deadline, one set far forward does not count every second', () => {
  const clock = new HandClock();
  const keepAlive = new KeepAlive(clock);
  clock.pass(-3600);
  const entry = new Entry();
  keepAlive.watch(entry, clock.seconds + 10); // a second that was looked at before the clock went back
  clock.pass(3700);
  expect(entry.looks).toBe(1);
  const late = new Entry();
  keepAlive.watch(late, clock.seconds + 10);
  clock.pass(100_000_000_000);
  expect(late.looks).toBe(1);
});
