/** Work for clients that have not signed in: some in a turn, the rest later, by network in turn. */
import { describe, expect, test } from 'vitest';
import { NewcomerTurns, newcomerCosts } from '../src/guards/newcomer-turns.ts';
import { FakeClock } from './support/fake-clock.ts';

const { connect: connectCost, tlsHandshake } = newcomerCosts;

function world({ known = [] as string[] } = {}) {
  const clock = new FakeClock();
  const turns = new NewcomerTurns(clock, (network) => known.includes(network));
  /** Names of clients whose work was done, in its order. */
  const begun: string[] = [];
  const come = (name: string, address = '192.0.2.1:1', cost: number = connectCost) => {
    if (!turns.take(cost)) return turns.wait(address, cost, () => begun.push(name));
    begun.push(name);
    return null;
  };
  const many = (count: number, name: string, address = '192.0.2.1:1', cost: number = connectCost) =>
    Array.from({ length: count }, (_, i) => come(`${name}${i}`, address, cost));
  /** Work that is begun in the next turn. */
  const next = async (): Promise<number> => {
    const before = begun.length;
    await clock.turnOnce();
    return begun.length - before;
  };
  return { clock, turns, begun, come, many, next };
}

describe('turns of newcomers', () => {
  test('a few are served at once', () => {
    const { turns, begun, many } = world();
    many(32, 'c');
    expect([begun.length, turns.waiting]).toEqual([32, 0]);
  });

  test('of a thousand, so many are served in a turn, and all in the end', async () => {
    const { clock, turns, begun, many, next } = world();
    many(1000, 'c');
    expect(begun.length).toBe(32);
    expect([await next(), await next()]).toEqual([32, 32]);
    await clock.settle();
    expect([begun.length, turns.waiting]).toEqual([1000, 0]);
    expect(new Set(begun).size).toBe(1000);
  });

  test('work in the callback of a turn counts for that turn', async () => {
    const { begun, many, next } = world();
    many(40, 'c');
    expect(await next()).toBe(8);
    many(40, 'later');
    expect(begun.length).toBe(64);
  });

  test('after a late turn fewer are served', async () => {
    const { clock, many, next } = world();
    many(100, 'c');
    clock.time += 21;
    expect(await next()).toBe(8);
    expect(await next()).toBe(32);
  });

  test('a handshake of TLS counts as eight CONNECTs', async () => {
    const { begun, many, next } = world();
    many(20, 'h', '192.0.2.1:1', tlsHandshake);
    expect(begun.length).toBe(4);
    expect(await next()).toBe(4);
  });

  test('one network does not wait for the thousand of another, and a known one has its share', async () => {
    const { begun, many, come, next } = world({ known: ['203.0.113.7'] });
    many(1000, 'flood');
    come('other', '198.51.100.1:1');
    many(10, 'known', '203.0.113.7:1');
    await next();
    expect(begun.slice(32)).toContain('other');
    expect(begun.slice(32).filter((name) => name.startsWith('known'))).toHaveLength(10);
    expect(begun.slice(32)).toContain('flood32');
  });

  test('a /64 of IPv6 is one network', async () => {
    const { begun, come, many, next } = world();
    many(32, 'first');
    for (let i = 1; i <= 500; i++) come(`six${i}`, `[2001:db8::${i.toString(16)}]:1`);
    come('other', '[2001:db8:0:1::1]:1');
    await next();
    expect(begun).toContain('other');
  });

  test('who has gone takes no turn', async () => {
    const { begun, many, next, turns } = world();
    const waiting = many(100, 'c');
    for (const one of waiting.slice(32, 95)) one?.leave();
    expect(turns.waiting).toBe(5);
    expect(await next()).toBe(5);
    for (const one of waiting) one?.leave();
    expect(begun).toHaveLength(37);
  });
});
