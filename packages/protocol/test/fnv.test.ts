import { expect, test } from 'vitest';
import { fnvOfBytes, fnvOfText, mixedHash } from '../src/fnv.ts';

// Values of the reference implementation (FNV test suite, 32 bits).
test.each([
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['foobar', 0xbf9cf968],
])('FNV-1a of "%s"', (text, hash) => {
  expect(fnvOfText(text)).toBe(hash);
  expect(fnvOfBytes(Buffer.from(`<${text}>`), 1, 1 + text.length)).toBe(hash);
});

test('a hash goes on where another one ended', () => {
  expect(fnvOfText('bar', fnvOfText('foo'))).toBe(fnvOfText('foobar'));
});

// The finaliser of MurmurHash3 with seed 0: an empty input stays 0, and 1 becomes this.
test('mixing', () => {
  expect(mixedHash(0)).toBe(0);
  expect(mixedHash(1)).toBe(0x514e28b7);
});
