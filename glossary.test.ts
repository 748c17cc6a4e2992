import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

// The words of our own that a reader has to learn: few, each with one sentence, and used.

const termsMax = 25;

const root = import.meta.dirname;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Rows of the glossary: a term and its sentence. */
function glossary(): { term: string; meaning: string }[] {
  const [, section] = read('ARCHITECTURE.md').split(/^## 1\. Glossary$|^## 2\. /m);
  return [...section.matchAll(/^\| (.+?) +\| (.+?) +\|$/gm)]
    .map(([, term, meaning]) => ({ term, meaning }))
    .filter(({ term }) => term !== 'term' && !/^-+$/.test(term));
}

/** A term as it stands in prose, in code (`durableFilter`, `DurableFilter`) and in names of files, also as a plural or a past. */
function spelling(term: string): RegExp {
  return new RegExp(`\\b${term.replaceAll(' ', '[ -]?')}(s|ed|ion)?`, 'i');
}

test(`the glossary of ARCHITECTURE.md has at most ${termsMax} terms, each with one sentence`, () => {
  const terms = glossary();
  expect(terms.length).toBeGreaterThan(15);
  expect(terms.length).toBeLessThanOrEqual(termsMax);
  expect(terms.filter(({ meaning }) => !/^[A-Z][^.]*(`[^`]*`[^.]*)*\.$/.test(meaning))).toEqual([]);
});

test('each term of the glossary is used in the code or another document', () => {
  const paths = [
    ...globSync('packages/*/src/**/*.ts', { cwd: root }),
    ...globSync(['*.md', 'docs/**/*.md'], { cwd: root }).filter((path) => path !== 'ARCHITECTURE.md'),
  ];
  const texts = paths.map(read);
  const unused = glossary().filter(({ term }) => !texts.some((text) => spelling(term).test(text)));
  expect(unused.map(({ term }) => term)).toEqual([]);
});
