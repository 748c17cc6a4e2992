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

/** Words that documents used for what the trade has a word for: pattern, and that word. */
const replaced: readonly [RegExp, string][] = [
  [/\b(buried|bury|burials?)\b/i, 'evicted, declared dead'],
  [/\bheld for dead\b/i, 'declared dead'],
  [/\boutbox\b(?!-full)/i, 'output buffer'],
  [/\bdut(y|ies)\b/i, 'housekeeping'],
  [/\btakers\b/i, 'logged members'],
  [/\bdoors?\b/i, 'listener, access policy, handshake stage'],
  [/\bsent away\b/i, 'disconnected'],
  [/\b(who|whoever) (is|are) asked\b|\bwho they are\b/i, 'authenticate'],
  [/\bthrow (each other|them) out\b/i, 'disconnect'],
  [/\bmend(s|ed)?\b/i, 'correct, repair'],
];

test('documents use the words of the trade', () => {
  const paths = [
    ...globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'loadtest/*/*.md', 'packages/*/*.md'], {
      cwd: root,
      exclude: (name) => name === 'node_modules',
    }).filter((path) => path !== 'CHANGELOG.md'),
    'charts/dunlin/README.md',
    'charts/dunlin/rules/dunlin.yaml',
  ];
  // What stands in code is quoted, and so are titles of tests.
  const found = paths.flatMap((path) => {
    const text = read(path).replaceAll(/^```[\s\S]*?^```|`[^`\n]*`|"[^"]*"|\[[\w-]+\]/gm, '');
    return text
      .split('\n')
      .flatMap((line) =>
        replaced
          .filter(([word]) => word.test(line))
          .map(([word, better]) => `${path}: "${word.exec(line)?.[0]}": ${better}; in: ${line.slice(0, 80)}`),
      );
  });
  expect(found).toEqual([]);
});
