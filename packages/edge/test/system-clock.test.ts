import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SystemClock } from '../src/system-clock.ts';

const toFake = ['setTimeout', 'clearTimeout', 'performance'] as const;

beforeEach(() => void vi.useFakeTimers({ toFake: [...toFake] }));
afterEach(() => void vi.useRealTimers());

function countedTimers(): { wakes: number[]; restore: () => void } {
  const wakes: number[] = [];
  const original = globalThis.setTimeout;
  const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((callback: () => void, milliseconds: number) =>
    original(() => {
      wakes.push(Math.round(performance.now()));
      callback();
    }, milliseconds)) as typeof setTimeout);
  return { wakes, restore: () => spy.mockRestore() };
}

/** Fails when every timer keeps the phase in which it was made. */
test('timers that were made at different times wake the thread together, each as often as it was asked to', () => {
  const { wakes, restore } = countedTimers();
  const clock = new SystemClock();
  const calls = { fast: 0, slow: 0, second: 0 };
  const cancels = [clock.every(250, () => void calls.fast++)];
  vi.advanceTimersByTime(37);
  cancels.push(clock.every(500, () => void calls.slow++));
  vi.advanceTimersByTime(21);
  cancels.push(clock.every(1000, () => void calls.second++));
  vi.advanceTimersByTime(9_942);
  for (const cancel of cancels) cancel();
  expect(calls.fast).toBeGreaterThanOrEqual(38);
  expect(calls.fast).toBeLessThanOrEqual(40);
  expect(calls.slow).toBeGreaterThanOrEqual(18);
  expect(calls.second).toBeGreaterThanOrEqual(8);
  expect(wakes.length).toBeLessThanOrEqual(43);
  expect(vi.getTimerCount()).toBe(0);
  restore();
});

test('the first call is exact, and no later one comes early', () => {
  const clock = new SystemClock();
  const spans = [20, 130, 250, 500, 999];
  for (const milliseconds of spans) {
    vi.advanceTimersByTime(13);
    const at = [performance.now()];
    const cancel = clock.every(milliseconds, () => void at.push(performance.now()));
    vi.advanceTimersByTime(milliseconds * 6);
    cancel();
    const waits = at.slice(1).map((time, i) => time - at[i]);
    expect(waits[0]).toBeLessThanOrEqual(milliseconds + 1);
    expect(waits.length).toBeGreaterThanOrEqual(5);
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(milliseconds - 3);
  }
});

test('after a stall each is called once, and goes on', () => {
  const clock = new SystemClock();
  let calls = 0;
  const cancel = clock.every(100, () => void calls++);
  vi.advanceTimersByTime(200);
  const before = calls;
  const now = performance.now.bind(performance);
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now() + 5000);
  vi.advanceTimersByTime(100);
  expect(calls - before).toBe(1);
  vi.advanceTimersByTime(200);
  expect(calls - before).toBe(3);
  spy.mockRestore();
  cancel();
});

test('what is cancelled by another callback of the same moment is not called', () => {
  const clock = new SystemClock();
  let calls = 0;
  const cancels: (() => void)[] = [];
  cancels.push(clock.every(200, () => cancels[1]()));
  cancels.push(clock.every(200, () => void calls++));
  vi.advanceTimersByTime(1000);
  cancels[0]();
  expect(calls).toBe(0);
});
