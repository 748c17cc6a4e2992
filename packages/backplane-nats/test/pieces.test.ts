import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Envelope, EnvelopeWriter, readEnvelope } from '../src/envelope.ts';
import { PieceBudget, PieceJoiner } from '../src/pieces.ts';

const writer = new EnvelopeWriter('n/0#1');

/** A message of so many pieces of four bytes. */
function piecesOf(number: number, count: number): Envelope[] {
  return Array.from({ length: count }, (_, index) =>
    readEnvelope(writer.piece(number, index, count, Buffer.from(`${number % 10}${String(index).padStart(3, '0')}`))),
  );
}

const wholeOf = (pieces: Envelope[]) => Buffer.concat(pieces.map(({ bytes }) => bytes)).toString();

describe('pieces', () => {
  test('are joined with the last', () => {
    const joiner = new PieceJoiner(new PieceBudget());
    const pieces = piecesOf(1, 3);
    expect(pieces.map((piece) => joiner.add(piece)).map(String)).toEqual(['more', 'more', '100010011002']);
    expect(joiner.isOpen).toBe(false);
  });

  test('of which any are lost make nothing, and what comes after is whole', () => {
    const lost = fc.record({
      counts: fc.array(fc.integer({ min: 2, max: 6 }), { minLength: 1, maxLength: 6 }),
      mask: fc.infiniteStream(fc.boolean()),
    });
    fc.assert(
      fc.property(lost, ({ counts, mask }) => {
        const budget = new PieceBudget(1000);
        const joiner = new PieceJoiner(budget);
        const expected: string[] = [];
        const joined: string[] = [];
        for (const [number, count] of counts.entries()) {
          const pieces = piecesOf(number, count);
          const heard = pieces.filter(() => !mask.next().value || number === counts.length - 1);
          if (heard.length === count) expected.push(wholeOf(pieces));
          for (const piece of heard) {
            const whole = joiner.add(piece);
            if (whole instanceof Buffer) joined.push(whole.toString());
          }
        }
        expect(joined).toEqual(expected);
        expect(budget.left).toBe(1000);
      }),
    );
  });

  test('of all senders share one bound, and give it back', () => {
    const budget = new PieceBudget(10);
    const [one, two] = [new PieceJoiner(budget), new PieceJoiner(budget)];
    const [first, second] = [piecesOf(1, 3), piecesOf(2, 2)];
    expect([one.add(first[0]), one.add(first[1])]).toEqual(['more', 'more']);
    expect(two.add(second[0])).toBe('dropped');
    expect(one.add(first[2])).toBe('dropped');
    expect(budget.left).toBe(10);
    expect([two.add(second[0]), two.add(second[1])].map(String)).toEqual(['more', wholeOf(second)]);
    one.add(first[0]);
    one.drop();
    expect([budget.left, one.isOpen]).toEqual([10, false]);
  });
});
