import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Names } from '../src/names.ts';

test('stars, against an expression', () => {
  const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 6 }).map((letters) => letters.join(''));
  const pattern = fc
    .array(fc.constantFrom('a', 'b', '*'), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(pattern, text, (name, given) => {
      expect(new Names([name]).test(given)).toBe(new RegExp(`^${name.replace(/\*+/g, '.*')}$`).test(given));
    }),
    { numRuns: 3000 },
  );
});

test('dots and brackets mean themselves', () => {
  expect(new Names(['a.b', '[x]']).test('axb')).toBe(false);
  expect(new Names(['a.b', '[x]']).test('[x]')).toBe(true);
});
