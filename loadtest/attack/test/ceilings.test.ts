import { expect, test } from 'vitest';
import { exceeded } from '../src/ceilings.ts';
import type { RowResult } from '../src/row.ts';

const phase = (p99: number) => ({ sent: 1000, p50: 1, p99 });

/** A row that cost nothing, but for what is named. */
function row(change: Partial<RowResult> = {}): RowResult {
  return {
    attack: 'flood',
    title: 'a flood',
    broker: 'dunlin',
    memory: { before: 100, peak: 512, after: 120 },
    quiet: phase(10),
    during: phase(60),
    after: phase(10),
    lost: { qos0: 10, qos1: 0, sentQos0: 1000, disconnected: 0 },
    newcomers: { tried: 10, failed: 0, slowest: 2000, refusedFilters: 0 },
    unhealthy: 0,
    workersReplaced: 0,
    ended: null,
    answers: '',
    ...change,
  };
}

test('a row at its ceilings is within them', () => {
  expect(exceeded(row(), 60)).toEqual([]);
});

const losses = row().lost;
const came = row().newcomers;

test.each<[string, Partial<RowResult>, string]>([
  ['memory', { memory: { before: 100, peak: 513, after: 100 } }, 'memory 513 MiB, at most 512'],
  ['memory that stays', { memory: { before: 100, peak: 200, after: 121 } }, 'memory left 121 MiB, at most 120'],
  ['latency', { during: phase(61) }, 'p99 61 ms, at most 60'],
  ['a QoS 1 message', { lost: { ...losses, qos1: 1 } }, '1 QoS 1 messages lost'],
  ['QoS 0 messages', { lost: { ...losses, qos0: 11 } }, '11 of 1000 QoS 0 messages lost, at most 10'],
  ['a connection', { lost: { ...losses, disconnected: 1 } }, '1 healthy clients disconnected'],
  ['a sign-in', { newcomers: { ...came, failed: 1 } }, '1 of 10 healthy clients did not get in'],
  [
    'a slow sign-in',
    { newcomers: { ...came, slowest: 2001 } },
    'a healthy client waited 2001 ms to get in, at most 2000',
  ],
  ['a subscription', { newcomers: { ...came, refusedFilters: 1 } }, '1 plain subscriptions refused'],
  ['health', { unhealthy: 2 }, '/healthz did not say 200 in 2 s'],
  ['a worker', { workersReplaced: 1 }, '1 workers died'],
  ['the broker', { ended: 'SIGKILL' }, 'the broker ended (SIGKILL)'],
])('%s beyond its ceiling is told', (_, change, text) => {
  expect(exceeded(row(change), 60)).toEqual([text]);
});

test('memory that stays is asked for a minute after the attack, no sooner', () => {
  expect(exceeded(row({ memory: { before: 100, peak: 200, after: 200 } }), 6)).toEqual([]);
});
