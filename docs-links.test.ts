import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { auditEvents } from './packages/broker/src/ports/audit-events.ts';
import { keys } from './packages/config/src/keys.ts';
import { renamedKeys } from './packages/config/src/renamed-keys.ts';
import { eventTables } from './packages/edge/src/log-document.ts';
import { metricRows } from './packages/telemetry/src/metric-names.ts';

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

/** The anchors that GitHub gives the headings of a document. */
function anchors(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

test('links to headings in documents lead to headings', () => {
  const links = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\(([^)\s#:]*)#([^)\s]+)\)/g)].map(([, target, anchor]) => ({ path, target, anchor })),
  );
  expect(links.length).toBeGreaterThan(10);
  const broken = links.filter(({ path, target, anchor }) => {
    const document = target === '' ? path : join(dirname(path), target);
    return document.endsWith('.md') && existsSync(join(root, document)) && !anchors(document).includes(anchor);
  });
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

/** Cells of each row of docs/benchmarks.md. */
function measuredRows(): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  for (const line of readFileSync(join(root, 'docs/benchmarks.md'), 'utf8').split('\n')) {
    const [, name, cells] = /^\| `([\w-]+)` \|(.*)\|$/.exec(line) ?? [];
    if (name !== undefined) rows.set(name, [...(rows.get(name) ?? []), ...cells.split('|').map((cell) => cell.trim())]);
  }
  return rows;
}

test('figures that are quoted with the name of their row are those of docs/benchmarks.md', () => {
  const rows = measuredRows();
  const quotes = ['ARCHITECTURE.md', 'docs/operations.md'].flatMap((path) =>
    [
      ...readFileSync(join(root, path), 'utf8').matchAll(/(\d[\d.]*) (?:µs|bytes|messages a second) \(`([\w-]+)`\)/g),
    ].map(([quote, figure, row]) => ({ path, quote, figure, row })),
  );
  expect(quotes.length).toBeGreaterThan(14);
  expect(quotes.filter(({ figure, row }) => !rows.get(row)?.includes(figure))).toEqual([]);
});

test('README.md says how much slower MQTT 5 is, as the rows that it quotes say it', () => {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const perSecond = (row: string): number =>
    Number(new RegExp(`^\\| \`${row}\` .*\\| messages a second +\\| (\\d+) `, 'm').exec(text)?.[1]);
  const [, factor] = /MQTT 5 is ([\d.]+) times slower than 3\.1\.1/.exec(text) ?? [];
  expect(factor).toBe((perSecond('durable-qos1') / perSecond('v5-durable-qos1')).toFixed(1));
});

/** A number as documents write it: 10,000, 16 MiB, 25 s. */
function numberOf(text: string): number {
  const units: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
  const [, digits, unit] = /^([\d,.]+) ?([KMG]iB)?/.exec(text) ?? [];
  return Number(digits?.replaceAll(',', '')) * (units[unit] ?? 1);
}

test('defaults that documents quote are those of the keys', () => {
  const defaults = new Map(keys.map((key) => [key.path, key.defaultText.replaceAll('`', '')]));
  const pages = documents.filter((path) => /^(README|SECURITY|docs\/(?!configuration))/.test(path));
  const quotes = pages.flatMap((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    // `limits.delayMaxSeconds` (4,294,967 by default; and the table of operations.md: | `a`, `b` | 10,000, 16 MiB |
    const single = [...text.matchAll(/`([a-z]\w+\.[a-z]\w+)` \((\d[\d,]*(?: [KMG]iB)?)(?= by default| s\)|\)|; )/g)];
    const rows = [...text.matchAll(/^\| (`limits\.\w+`(?:, `limits\.\w+`)*) \| (\d[^|]*) \|/gm)];
    return [
      ...single.map(([, key, value]) => ({ path, key, value })),
      ...rows.flatMap(([, names, values]) => {
        const each = values.replace(/ per worker$/, '').split(/, /);
        return names.split(', ').map((name, index) => ({ path, key: name.replaceAll('`', ''), value: each[index] }));
      }),
    ];
  });
  expect(quotes.length).toBeGreaterThan(8);
  expect(quotes.filter(({ key, value }) => numberOf(value) !== Number(defaults.get(key)))).toEqual([]);
});

test('the versions of Node that documents name are those that package.json and the package ask for', () => {
  const text = (path: string): string => readFileSync(join(root, path), 'utf8');
  const oldest = (source: string): string => /"?node(?:Range|")\s*[:=] ["']>=(\d+)["']/.exec(source)?.[1] ?? 'none';
  const inCheckout = oldest(text('package.json'));
  const installed = oldest(text('packages/deployment/src/release/npm-package.ts'));
  for (const path of ['README.md', 'docs/operations.md']) {
    const named = [...text(path).matchAll(/Node (\d+) or newer/g)].map(([, version]) => version);
    expect([path, ...named]).toEqual([path, installed, inCheckout]);
  }
});

/** Texts in backquotes that match, with the document that has them. */
function quoted(pattern: RegExp): { path: string; name: string }[] {
  return documents
    .filter((path) => !path.startsWith('charts/') && path !== 'docs/metrics.md')
    .flatMap((path) =>
      [...readFileSync(join(root, path), 'utf8').matchAll(pattern)].map(([, name]) => ({ path, name })),
    );
}

/** Names of lines of the log, and of records of the audit log. */
const eventNames = [...eventTables.flatMap(({ events }) => Object.keys(events)), ...Object.keys(auditEvents)];

test('log events that documents name exist', () => {
  const nouns = new Set(eventNames.map((name) => name.split('.')[0]));
  const known = new Set([...keys.map((key) => key.path), ...eventNames]);
  const named = quoted(/`([a-z-]+\.[a-z-]+)`/g).filter(({ name }) => nouns.has(name.split('.')[0]));
  expect(named.filter(({ name }) => !known.has(name) && !/\.(ts|js|md|json|yaml|sh|conf|lock)$/.test(name))).toEqual(
    [],
  );
});

test('configuration keys that documents name exist', () => {
  const groups = new Set(keys.map((key) => key.path.split('.')[0]));
  const named = quoted(/`([a-z]\w+\.[a-z]\w+)`/g).filter(({ name }) => groups.has(name.split('.')[0]));
  expect(named.length).toBeGreaterThan(100);
  const known = new Set([...keys.map((key) => key.path), ...eventNames]);
  const tellsOldNames = (path: string): boolean => path === 'CHANGELOG.md' || path === 'docs/compatibility.md';
  const isKnown = (path: string, name: string): boolean =>
    known.has(name) || (tellsOldNames(path) && renamedKeys.has(name));
  expect(named.filter(({ path, name }) => !isKnown(path, name))).toEqual([]);
});

test('metrics that documents name exist', () => {
  const known = new Set<string>(metricRows.map(({ name }) => name));
  const named = quoted(/`(dunlin_[a-z_]+)/g);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ name }) => !known.has(name.replace(/_(bucket|sum|count)$/, '')))).toEqual([]);
});

test('docs/operations.md names all that Compose starts', () => {
  const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
  const [services] = /^services:\n[\s\S]*?(?=^\w)/m.exec(compose) ?? [''];
  const names = [...services.matchAll(/^ {2}([a-z]+):$/gm)].map(([, name]) => name);
  expect(names).toContain('redis');
  const row = readFileSync(join(root, 'docs/operations.md'), 'utf8')
    .split('\n')
    .find((line) => line.startsWith('| Compose |'));
  expect(names.filter((name) => !row?.toLowerCase().includes(name))).toEqual([]);
});

/** File and titles of each "[name] "title", "title"" in docs/guarantees.md. */
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
