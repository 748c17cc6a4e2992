import { describe, expect, test } from 'vitest';
import { RatioSampler } from '../src/tracing/ratio-sampler.ts';
import { SpanAllowance } from '../src/tracing/span-allowance.ts';

/** Numbers from 0 up to 1 that are the same in every run (a linear congruential generator). */
function repeatable(): () => number {
  let state = 1;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

describe('a ratio', () => {
  test.each([0.5, 0.1, 0.01])('of %d picks so many, and not every so many', (ratio) => {
    const sampler = new RatioSampler(ratio, repeatable());
    const count = 200_000;
    const gaps = new Set<number>();
    let picked = 0;
    let last = 0;
    for (let at = sampler.draw(); at <= count; at += sampler.draw()) {
      expect(sampler.endsWithPick).toBe(true);
      picked++;
      gaps.add(at - last);
      last = at;
    }
    expect(picked / count / ratio).toBeGreaterThan(0.93);
    expect(picked / count / ratio).toBeLessThan(1.07);
    expect(gaps.size).toBeGreaterThan(8);
  });

  test('of 0 picks none, of 1 all', () => {
    const [none, all] = [new RatioSampler(0), new RatioSampler(1)];
    for (let i = 0; i < 1000; i++) expect([all.draw(), all.endsWithPick]).toEqual([1, true]);
    expect([none.draw() > 1_000_000_000, none.endsWithPick]).toEqual([true, false]);
  });
});

describe('an allowance of spans', () => {
  test('is so many a second; deliveries of what was begun may overdraw it once', () => {
    let now = 5000;
    const allowance = new SpanAllowance(10, () => now);
    const publishes = (): number => Array.from({ length: 50 }, () => allowance.takeForPublish()).filter(Boolean).length;
    const deliveries = (): number =>
      Array.from({ length: 50 }, () => allowance.takeForDelivery()).filter(Boolean).length;
    expect(allowance.hasLeft(now)).toBe(true);
    expect(publishes()).toBe(10);
    expect(allowance.hasLeft(now)).toBe(false);
    expect(deliveries()).toBe(10);
    now += 1000;
    expect(publishes()).toBe(0);
    now += 500;
    expect(publishes()).toBe(5);
    now += 3_600_000;
    expect(publishes()).toBe(10);
  });
});
