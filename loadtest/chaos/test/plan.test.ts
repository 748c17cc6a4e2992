import { expect, test } from 'vitest';
import { type FaultKind, faultTable } from '../src/fault.ts';
import { makePlan, type PlanOptions } from '../src/plan.ts';

const options: PlanOptions = {
  seed: 7,
  minutes: 30,
  nodes: ['a', 'b', 'c'],
  clients: 40,
  everyMilliseconds: 2000,
  freezes: true,
  olderStore: true,
};

test('the same seed gives the same plan, another seed another one', () => {
  expect(makePlan(options)).toEqual(makePlan(options));
  expect(makePlan({ ...options, seed: 8 })).not.toEqual(makePlan(options));
});

test('a longer run begins with the same faults', () => {
  const short = makePlan({ ...options, minutes: 1 });
  expect(makePlan(options).slice(0, short.length)).toEqual(short);
});

test('every kind comes up, at the pace that was asked for, within the time', () => {
  const plan = makePlan(options);
  expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(faultTable.map(({ kind }) => kind)));
  expect(plan.length).toBeGreaterThan(800);
  expect(plan.length).toBeLessThan(1000);
  const times = plan.map(({ atMilliseconds }) => atMilliseconds);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times.at(-1)).toBeLessThan(30 * 60_000);
});

test('without freezes no connection is frozen', () => {
  const kinds = new Set<FaultKind>(makePlan({ ...options, freezes: false }).map(({ kind }) => kind));
  expect([...kinds].filter((kind) => kind.startsWith('freeze-'))).toEqual([]);
});

test('without older stores Redis keeps what it has', () => {
  expect(makePlan({ ...options, olderStore: false }).some(({ kind }) => kind === 'older-redis')).toBe(false);
});

test('durations are within the table, and nothing falls on what is broken already', () => {
  const rows = new Map(faultTable.map((row) => [row.kind, row]));
  const whole = new Map<string, number>();
  for (const fault of makePlan(options)) {
    if (!('forMilliseconds' in fault) || fault.kind === 'older-redis') continue;
    const row = rows.get(fault.kind);
    expect(fault.forMilliseconds).toBeGreaterThanOrEqual(row?.shortestMilliseconds ?? Number.NaN);
    expect(fault.forMilliseconds).toBeLessThanOrEqual(row?.longestMilliseconds ?? Number.NaN);
    const target = `${fault.node} ${fault.kind === 'pause-node' ? '' : fault.kind.split('-')[1]}`;
    expect(whole.get(target) ?? 0).toBeLessThanOrEqual(fault.atMilliseconds);
    whole.set(target, fault.atMilliseconds + fault.forMilliseconds);
  }
});

test('clients move to addresses that exist', () => {
  for (const fault of makePlan(options)) {
    if (fault.kind !== 'move-clients') continue;
    expect(fault.moves.length).toBeGreaterThan(0);
    for (const { client, address } of fault.moves) {
      expect(client).toBeLessThan(options.clients);
      expect(address).toBeLessThanOrEqual(options.nodes.length);
    }
  }
});
