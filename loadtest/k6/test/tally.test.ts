import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Pace } from '../src/pace.ts';
import { payloadOf, readStamp, stampBytes, writeStamp } from '../src/stamp.ts';
import { Tally } from '../src/tally.ts';

describe('tally', () => {
  test('each audience should get each message that it hears', () => {
    const tally = new Tally(3, (audience, stream) => stream === 0 || audience === stream);
    tally.sent(0);
    expect(tally.outstanding).toBe(3);
    tally.sent(2);
    expect(tally.outstanding).toBe(4);
    expect(tally.received(0, 0, 0)).toBe('inOrder');
    expect(tally.received(2, 2, 0)).toBe('inOrder');
    expect(tally.outstanding).toBe(2);
    expect([0, 1, 2].map((audience) => tally.receivedOf(audience))).toEqual([1, 0, 1]);
  });

  test('what comes again, late, or to the wrong one', () => {
    const tally = new Tally(2, (audience, stream) => audience === stream);
    for (let count = 0; count < 4; count++) tally.sent(1);
    expect(tally.received(1, 1, 0)).toBe('inOrder');
    expect(tally.received(1, 1, 0)).toBe('doubled');
    expect(tally.received(1, 1, 3)).toBe('inOrder');
    expect(tally.received(1, 1, 1)).toBe('outOfOrder');
    expect(tally.received(1, 1, 3)).toBe('doubled');
    expect(tally.received(1, 1, 1)).toBe('doubled');
    expect(tally.received(0, 1, 2)).toBe('stray');
    expect(tally.received(1, 1, 4)).toBe('stray');
    expect(tally.received(1, 7, 0)).toBe('stray');
    expect(tally.outstanding).toBe(1);
    expect(tally.received(1, 1, 2)).toBe('outOfOrder');
    expect(tally.outstanding).toBe(0);
  });

  test('whatever is lost, doubled and shuffled is counted', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 49 }), { maxLength: 200 }), (arrivals) => {
        const tally = new Tally(1, () => true);
        for (let sent = 0; sent < 50; sent++) tally.sent(0);
        const doubled = arrivals.filter((sequence) => tally.received(0, 0, sequence) === 'doubled').length;
        const different = new Set(arrivals).size;
        expect(doubled).toBe(arrivals.length - different);
        expect(tally.outstanding).toBe(50 - different);
        expect(tally.receivedOf(0)).toBe(different);
      }),
    );
  });
});

describe('pace', () => {
  test.each([
    { rate: 10, phase: 0, at: 0, count: 1 },
    { rate: 10, phase: 0, at: 99, count: 1 },
    { rate: 10, phase: 0, at: 100, count: 2 },
    { rate: 10, phase: 0.5, at: 49, count: 0 },
    { rate: 10, phase: 0.5, at: 50, count: 1 },
    { rate: 0.5, phase: 0, at: 1999, count: 1 },
    { rate: 1000, phase: 0.25, at: 10_000, count: 10_000 },
  ])('$rate a second, phase $phase: $count after $at ms', ({ rate, phase, at, count }) => {
    const pace = new Pace(rate, phase, 5000);
    expect(pace.dueCount(5000 + at)).toBe(count);
    if (count > 0) expect(pace.dueAt(count - 1)).toBeLessThanOrEqual(5000 + at);
    expect(pace.dueAt(count)).toBeGreaterThan(5000 + at);
  });
});

describe('stamp', () => {
  test('is read as it was written, wherever it lies', () => {
    const payload = payloadOf(40);
    writeStamp(payload, 7, 0xffffffff, 1.79e12 + 0.125);
    const bytes = new Uint8Array([9, 9, 9, ...payload, 9]);
    expect(readStamp(bytes, 3, 43)).toEqual({ stream: 7, sequence: 0xffffffff, sentAt: 1.79e12 + 0.125 });
    expect([...payload.subarray(stampBytes)]).toEqual(Array.from({ length: 24 }, (_, index) => index + stampBytes));
  });

  test('a shorter payload has none', () => {
    expect(readStamp(new Uint8Array(20), 0, stampBytes - 1)).toBeNull();
  });
});
