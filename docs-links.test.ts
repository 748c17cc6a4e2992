import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

// What the documents point at is there: files, the tests that are said to prove something, and figures that are quoted.

const root = import.meta.dirname;
const documents = globSync('**/*.md', {
  cwd: root,
  exclude: (name) => /(^|\/)(node_modules|dist|data|\.\w+)$/.test(name),
});

/** The text without what stands in code, where brackets mean something else. */
function read(path: string): string {
  const text = readFileSync(join(root, path), 'utf8');
  return text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '`');
}

/** Relative links of a document, `[text](path)` and `[name]: path`, without what follows #. */
function links(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm)]
    .map((match) => match[1] ?? match[2])
    .filter((target) => !/^(#|[a-z]+:)/.test(target))
    .map((target) => target.replace(/#.*/, ''));
}

test('relative links in documents lead to files', () => {
  expect(documents).toContain('README.md');
  const broken = documents.flatMap((path) =>
    links(read(path))
      .filter((target) => !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test('the comparison in README.md is quoted from docs/benchmarks.md', () => {
  // Cells are padded in one of the two.
  const linesOf = (path: string): string[] => readFileSync(join(root, path), 'utf8').replaceAll(/ +/g, ' ').split('\n');
  const measured = linesOf('docs/benchmarks.md');
  const lines = linesOf('README.md');
  // A row begins with its name; no other table there has as many columns.
  const rows = lines.filter((line) => /^\| `[a-z0-9-]+` \|/.test(line) && line.split(' | ').length === 10);
  expect(rows.length).toBeGreaterThan(5);
  expect(rows.filter((line) => !measured.includes(line))).toEqual([]);
});

/** Of "[name] "title", "title"" in docs/guarantees.md: where the file called so is, and the titles. */
function proofs(text: string): { name: string; path: string | undefined; titles: string[] }[] {
  const paths = new Map([...text.matchAll(/^\[([\w-]+)\]: (\S+)$/gm)].map((match) => [match[1], match[2]]));
  return [...text.matchAll(/\[([\w-]+)\](?![(:])((?:,? "[^"]+")*)/g)].map(([, name, quoted]) => ({
    name,
    path: paths.get(name),
    titles: [...quoted.matchAll(/"([^"]+)"/g)].map((match) => match[1].replaceAll('\n', ' ')),
  }));
}

test('the tests that docs/guarantees.md names exist, under the titles it quotes', () => {
  const named = proofs(read('docs/guarantees.md').replaceAll(/\[MQTT-[\d.-]+\]/g, ''));
  expect(named.length).toBeGreaterThan(50);
  const missing = named.flatMap(({ name, path, titles }) => {
    if (path === undefined) return [`[${name}] is no file`];
    const source = readFileSync(join(root, 'docs', path), 'utf8');
    return titles.filter((title) => !source.includes(title)).map((title) => `${path}: ${title}`);
  });
  expect(missing).toEqual([]);
});
