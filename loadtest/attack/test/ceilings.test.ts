import { expect, test } from 'vitest';
import { excesses } from '../src/ceilings.ts';
import type { RowResult } from '../src/row-result.ts';

const phase = (p99: number) => ({ sent: 1000, p50: 1, p99 });

/** A row that cost nothing, but for what is named. */
function row(change: Partial<RowResult> = {}): RowResult {
  return {
    attack: 'flood',
    broker: 'dunlin',
    memory: { before: 100, peak: 512, after: 120 },
    quiet: phase(10),
    during: phase(60),
    after: phase(10),
    backSeconds: 60,
    afterSeconds: 60,
    lost: { qos0: 10, qos1: 0, sentQos0: 1000, disconnected: 0 },
    newcomers: { tried: 10, refused: 0, late: 0, slowest: 2000, refusedFilters: 0 },
    unhealthy: 0,
    workersReplaced: 0,
    ended: null,
    answers: '',
    ...change,
  };
}

test('a row at its ceilings is within them', () => {
  expect(excesses(row())).toEqual([]);
});

const losses = row().lost;
const came = row().newcomers;
const texts = (given: RowResult, headroom?: number) => excesses(given, headroom).map(({ text }) => text);

test.each<[string, Partial<RowResult>, string]>([
  ['memory', { memory: { before: 100, peak: 513, after: 100 } }, 'memory 513 MiB, at most 512'],
  [
    'memory that stays',
    { memory: { before: 100, peak: 200, after: 121 }, backSeconds: null },
    'memory left 121 MiB, at most 120',
  ],
  ['a QoS 1 message', { lost: { ...losses, qos1: 1 } }, '1 QoS 1 messages lost'],
  ['QoS 0 messages', { lost: { ...losses, qos0: 11 } }, '11 of 1000 QoS 0 messages lost, at most 10'],
  ['a connection', { lost: { ...losses, disconnected: 1 } }, '1 healthy clients disconnected'],
  ['a sign-in', { newcomers: { ...came, refused: 1 } }, '1 of 10 healthy clients refused'],
  ['a subscription', { newcomers: { ...came, refusedFilters: 1 } }, '1 plain subscriptions refused'],
  ['a worker', { workersReplaced: 1 }, '1 workers died'],
  ['the broker', { ended: 'SIGKILL' }, 'the broker ended (SIGKILL)'],
])('%s beyond its ceiling is told, however busy the machine', (_, change, text) => {
  expect(excesses(row(change))).toEqual([{ text, isTime: false }]);
  expect(texts(row(change), 4)).toEqual([text]);
});

const slow = { newcomers: { ...came, slowest: 2001 } };

test.each<[string, Partial<RowResult>, string]>([
  ['latency', { during: phase(61) }, 'p99 61 ms, at most 60'],
  ['latency that stays', { after: phase(61), backSeconds: null }, 'p99 still 61 ms, at most 60'],
  ['a slow sign-in', slow, 'a healthy client waited 2001 ms to get in, at most 2000'],
  ['a client that gave up', { newcomers: { ...came, late: 1 } }, '1 of 10 healthy clients gave up before they were in'],
  ['health', { unhealthy: 2 }, '/healthz did not say 200 in 2 s'],
])('%s beyond its ceiling is told as a matter of time', (_, change, text) => {
  expect(excesses(row(change))).toEqual([{ text, isTime: true }]);
});

test('with headroom the times may be longer: those above what is quiet, and those of newcomers', () => {
  expect(texts(row({ during: phase(210), ...slow }), 4)).toEqual([]);
  expect(texts(row({ during: phase(211) }), 4)).toEqual(['p99 211 ms, at most 210']);
});

test('memory that stays is asked for a minute after the attack, no sooner; of Mosquitto after 20 s', () => {
  const stays = { memory: { before: 100, peak: 200, after: 200 }, backSeconds: null };
  expect(texts(row({ ...stays, afterSeconds: 59 }))).toEqual([]);
  expect(texts(row({ ...stays, broker: 'mosquitto', afterSeconds: 20 }))).toEqual(['memory left 200 MiB, at most 120']);
});
