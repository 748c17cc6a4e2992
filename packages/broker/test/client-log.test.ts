/** Log lines about refusals, and those left out when there are many. */
import { describe, expect, test } from 'vitest';
import { networkOf } from '../src/guards/network-of.ts';
import { RefusalAllowance, refusalMemoryBytes } from '../src/guards/refusal-allowance.ts';
import type { LogEvent } from '../src/ports/logger.ts';
import { type Worker, World } from './support/world.ts';

const handshakeFailed: LogEvent<'info', 'address'> = {
  name: 'handshake.failed',
  level: 'info',
  message: 'handshake failed',
  fields: ['address'],
};

/** Makes the broker refuse one client from this address. */
function refuse(worker: Worker, address: string): void {
  worker.broker.clientLog.refused(handshakeFailed, { address });
}

function said(worker: Worker, text: string): string[] {
  return worker.log.filter((line) => line.startsWith(text));
}

test('ten a second of an address are said; the others are counted, and told once when it is quiet', async () => {
  const { world, worker } = await World.alone();
  for (let i = 0; i < 250; i++) refuse(worker, `203.0.113.7:${50_000 + i}`);
  refuse(worker, '203.0.113.8:50000');
  expect(said(worker, 'handshake failed')).toHaveLength(11);
  await world.clock.pass(3000);
  expect(said(worker, 'further refusals')).toEqual([
    'further refusals were not logged one by one {"address":"203.0.113.7","refusals":240}',
  ]);
  refuse(worker, '203.0.113.7:60000');
  expect(said(worker, 'handshake failed')).toHaveLength(12);
  await world.clock.pass(60_000);
  expect(said(worker, 'further refusals')).toHaveLength(1);
});

test('an address that goes on is told of every ten seconds, and at the end', async () => {
  const { world, worker } = await World.alone();
  for (let tenths = 0; tenths < 250; tenths++) {
    for (let i = 0; i < 4; i++) refuse(worker, '203.0.113.7:50000');
    await world.clock.pass(100);
  }
  expect(said(worker, 'further refusals').length).toBeLessThanOrEqual(3);
  expect(said(worker, 'handshake failed').length).toBeLessThanOrEqual(26 * 10);
  await worker.broker.stop();
  const counted = said(worker, 'further refusals').reduce(
    (sum, line) => sum + Number(/"refusals":(\d+)/.exec(line)?.[1]),
    0,
  );
  expect(counted + said(worker, 'handshake failed').length).toBe(1000);
});

test('a hundred thousand addresses: 200 lines a second, and a bounded number of counts', async () => {
  const { world, worker } = await World.alone();
  for (let i = 0; i < 100_000; i++) refuse(worker, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:1`);
  expect(said(worker, 'handshake failed')).toHaveLength(200);
  await world.clock.pass(3000);
  const told = said(worker, 'further refusals');
  expect(told.length).toBeLessThanOrEqual(1001);
  expect(told.at(-1)).toMatch(/^further refusals .*other addresses/);
  expect(told.reduce((sum, line) => sum + Number(/"refusals":(\d+)/.exec(line)?.[1]), 0)).toBe(100_000 - 200);
});

describe('the allowance', () => {
  test('is one for all workers, also when one is behind by a second', () => {
    const memory = new SharedArrayBuffer(refusalMemoryBytes);
    const [one, other] = [new RefusalAllowance(memory), new RefusalAllowance(memory)];
    let taken = 0;
    for (let i = 0; i < 100; i++) {
      if (one.take('203.0.113.7', 1_700_000_001)) taken++;
      if (other.take('203.0.113.7', 1_700_000_000)) taken++;
    }
    expect(taken).toBe(10);
    expect(one.take('203.0.113.7', 1_700_000_002)).toBe(true);
  });

  test('goes on over the end of what a slot counts', () => {
    const allowance = new RefusalAllowance();
    const last = 2 ** 23 - 1;
    for (const second of [last - 10, last, last + 1]) {
      const taken = Array.from({ length: 20 }, () => allowance.take('203.0.113.7', second)).filter(Boolean);
      expect(taken).toHaveLength(10);
    }
  });
});

test.each([
  ['203.0.113.7:51034', '203.0.113.7'],
  ['[2001:db8:1:2:3:4:5:6]:1', '2001:db8:1:2::/64'],
  ['[2001:db8::1]:1', '2001:db8:0:0::/64'],
  ['[::1]:1', '0:0:0:0::/64'],
  ['[a::b:c:d:e:f:1]:1', 'a:0:b:c::/64'],
  ['[fe80::]:1', 'fe80:0:0:0::/64'],
  ['[::ffff:192.0.2.1]:1', '192.0.2.1'],
  ['[::ffff:c000:201]:1', '192.0.2.1'],
  ['[0:0:0:0:0:FFFF:C000:0201]:1', '192.0.2.1'],
  ['[2001:0DB8:0:0001::7]:1', '2001:db8:0:1::/64'],
  ['[fe80::1%eth0]:1', 'fe80:0:0:0::/64'],
  ['unix', 'unix'],
])('%s counts for %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
