import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { newSharedCounts, SharedCounts } from '../src/guards/shared-counts.ts';
import { newSharedRates, SharedRates } from '../src/guards/shared-rates.ts';

test('workers count together, and what a worker had is forgotten when another takes its place', () => {
  const memory = newSharedCounts(2);
  const [first, second] = [new SharedCounts(memory, 0), new SharedCounts(memory, 1)];
  expect([first.enter('a'), second.enter('a'), second.enter('a')]).toEqual([1, 2, 3]);
  expect([first.count('a'), first.count('b')]).toEqual([3, 0]);
  second.leave('a');
  expect(first.count('a')).toBe(2);
  const successor = new SharedCounts(memory, 1);
  expect([successor.count('a'), successor.enter('a')]).toEqual([1, 2]);
});

test('of 2,000 networks with a connection each none counts as if it had many', () => {
  const counts = new SharedCounts(newSharedCounts(1), 0);
  for (let index = 0; index < 2000; index++) counts.enter(`198.51.${index >> 8}.${index & 255}`);
  const most = Array.from({ length: 2000 }, (_, index) => counts.count(`198.51.${index >> 8}.${index & 255}`));
  expect(Math.max(...most)).toBeLessThan(5);
});

test('of 100,000 networks with a connection each hardly one counts as if it had two, where there may be so many', () => {
  const counts = new SharedCounts(newSharedCounts(1, 100_000), 0);
  const networks = Array.from({ length: 100_000 }, (_, i) => `198.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  for (const network of networks) counts.enter(network);
  const wrong = networks.filter((network) => counts.count(network) > 3);
  expect(wrong.length).toBeLessThan(100);
  for (const network of networks) counts.leave(network);
  expect(networks.filter((network) => counts.count(network) !== 0)).toEqual([]);
});

test('a bucket has so many tokens at once, then as many a second as they come', () => {
  const rates = new SharedRates(newSharedRates());
  const now = 1_800_000_000_000;
  const takes = (times: number, at: number) =>
    Array.from({ length: times }, () => rates.take('a', 10, 5, at)).filter(Boolean).length;
  expect(takes(20, now)).toBe(5);
  expect(takes(20, now + 100)).toBe(1);
  expect(takes(20, now + 350)).toBe(2);
  expect(takes(20, now + 60_000)).toBe(5);
  rates.giveBack('a', 10, now + 60_000);
  expect(takes(20, now + 60_000)).toBe(1);
});

test('what was spent beyond the tokens is waited for, a minute at the most', () => {
  const rates = new SharedRates(newSharedRates());
  const now = 1_800_000_000_000;
  expect(rates.spend('a', 50, 10, 50, now)).toBe(0);
  expect(rates.has('a', 10, 50, now)).toBe(false);
  expect(rates.spend('a', 20, 10, 50, now)).toBe(2000);
  expect([rates.has('a', 10, 50, now), rates.take('a', 10, 50, now)]).toEqual([false, false]);
  expect(rates.spend('a', 0, 10, 50, now + 1900)).toBeCloseTo(100, 0);
  expect(rates.spend('a', 1_000_000, 10, 50, now + 2100)).toBe(60_000);
  expect(rates.spend('b', 1, 10, 50, now)).toBe(0);
});

test('no two of 2,000 accounts share tokens', () => {
  const rates = new SharedRates(newSharedRates());
  const now = 1_800_000_000_000;
  const took = Array.from({ length: 2000 }, (_, index) => rates.take(`account-${index}`, 1, 1, now));
  expect(took.filter(Boolean).length).toBe(2000);
});

test('whoever spent much is not forgotten for others who come behind, on whatever day of the year', () => {
  const forgotten: string[] = [];
  for (let hours = 0; hours < 96; hours += 4) {
    const rates = new SharedRates(newSharedRates());
    const now = 1_700_000_000_000 + hours * 3_600_000;
    const guessed = Array.from({ length: 50 }, (_, index) => `guessed-${index}`);
    for (const account of guessed) rates.spend(account, 101, 1 / 3, 100, now);
    for (let other = 0; other < 2000; other++) rates.spend(`other-${other}`, 1, 1, 5, now);
    const found = guessed.filter((account) => rates.has(account, 1 / 3, 100, now));
    if (found.length > 0) forgotten.push(`${found.length} after ${hours} h`);
  }
  expect(forgotten).toEqual([]);
});

test('buckets of days ago have given their places to those of today', () => {
  const rates = new SharedRates(newSharedRates());
  const start = 1_700_000_000_000;
  for (let old = 0; old < 60_000; old++) rates.spend(`old-${old}`, 1, 1, 5, start);
  const forgotten: string[] = [];
  for (let hours = 4; hours < 96; hours += 4) {
    const now = start + hours * 3_600_000;
    const guessed = Array.from({ length: 50 }, (_, index) => `guessed-${hours}-${index}`);
    for (const account of guessed) rates.spend(account, 101, 1 / 3, 100, now);
    for (let other = 0; other < 1000; other++) rates.spend(`other-${hours}-${other}`, 1, 1, 5, now);
    const found = guessed.filter((account) => rates.has(account, 1 / 3, 100, now));
    if (found.length > 0) forgotten.push(`${found.length} after ${hours} h`);
  }
  expect(forgotten).toEqual([]);
});

test('a clock that was set back, and a bucket of days ago, do not lock anybody out', () => {
  const rates = new SharedRates(newSharedRates());
  const now = 1_800_000_000_000;
  for (let i = 0; i < 5; i++) rates.take('a', 1, 5, now);
  expect(rates.take('a', 1, 5, now)).toBe(false);
  expect(rates.take('a', 1, 5, now - 3_600_000)).toBe(true);
  for (let days = 0; days < 30; days++) expect(rates.take('b', 1, 1, now + days * 86_400_000)).toBe(true);
});

test('threads that take at the same time take no token twice', async () => {
  const memory = newSharedRates();
  const module = new URL('../src/guards/shared-rates.ts', import.meta.url).href;
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ SharedRates }) => {
      const rates = new SharedRates(workerData.memory);
      let taken = 0;
      for (let i = 0; i < 20000; i++) if (rates.take('a', 1, 10000, 1.8e12)) taken++;
      parentPort.postMessage(taken);
    });`;
  const taken = await Promise.all(
    [0, 1].map(
      () =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(code, {
            eval: true,
            execArgv: ['--conditions=source'],
            workerData: { memory, module },
          });
          worker.once('message', resolve).once('error', reject);
        }),
    ),
  );
  expect(taken[0] + taken[1]).toBe(10_000);
});
