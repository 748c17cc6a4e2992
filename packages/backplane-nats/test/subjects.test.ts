import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseIncarnation } from '../src/incarnation.ts';
import { escapeToken, Subjects, unescapeToken } from '../src/subjects.ts';

test('every name is one legal token and comes back as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
      const token = escapeToken(name);
      expect(token).toMatch(/^[A-Za-z0-9_=-]+$/);
      expect(unescapeToken(token)).toBe(name);
    }),
  );
});

test('two names have two tokens, and a text is the token of one name at most', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const name = unescapeToken(text);
      if (name !== null) expect(escapeToken(name)).toBe(text);
    }),
  );
});

test.each([
  ['n1/0#17', 'n1=2F0=2317'],
  ['edge.eu-1/3#1', 'edge=2Eeu-1=2F3=231'],
  ['a b*>=', 'a=20b=2A=3E=3D'],
  ['möwe/0#1', 'm=C3=B6we=2F0=231'],
])('%s is written %s', (name, token) => {
  expect(escapeToken(name)).toBe(token);
  expect(new Subjects('a.b').to(name)).toBe(`dunlin.a=2Eb.to.${token}`);
});

test.each(['', '=', '=2', '=2f', '=41', 'a.b', 'a b', '=FF', '=C3'])('"%s" is the token of nothing', (token) => {
  expect(unescapeToken(token)).toBeNull();
});

test.each([
  ['node/3#17', { place: 'node/3', number: 17 }],
  ['a#b/0#1700000000000', { place: 'a#b/0', number: 1_700_000_000_000 }],
  ['node/3', null],
  ['#1', null],
  ['node/3#', null],
  ['node/3#-1', null],
  ['node/3#9999999999999999', null],
])('the parts of %s', (name, parts) => {
  expect(parseIncarnation(name)).toEqual(parts);
});
