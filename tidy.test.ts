import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keys } from './packages/config/src/keys.ts';
import { metricRows } from './packages/telemetry/src/metric-names.ts';

// The style of the house as a test. Each check names what it found and where, so that a failure reads like a review.

const root = import.meta.dirname;
const functionLinesMax = 70;
const fileLinesMax = 400;
/** Files that may be longer, each with the reason. */
const longFilesAllowed: Record<string, string> = {
  'packages/protocol/test/refusals.ts': 'one table: bytes that break a rule, and how they are refused',
};
/** Files with a function that may be longer, each with the reason. */
const longFunctionsAllowed: Record<string, string> = {
  'packages/store-lmdb/bench/append.ts': 'one list of measurements, in the order of the port',
};
/** Files that know each other in a circle, types included. Biome's `noImportCycles` looks at values alone, which form none. */
const circleFilesMax = 4;
/** Production dependencies, all of them together: every one is somebody else's code in the broker. */
const dependenciesMax = 80;

/** Packages that each package may import: the direction of the architecture. Tests may also use the test kit. */
const mayImport: Record<string, readonly string[]> = {
  protocol: [],
  broker: ['protocol'],
  'store-lmdb': ['broker', 'protocol'],
  'store-redis': ['broker', 'protocol'],
  'backplane-nats': ['broker', 'protocol'],
  auth: ['broker'],
  telemetry: ['broker'],
  config: ['protocol'],
  edge: ['auth', 'backplane-nats', 'broker', 'config', 'protocol', 'store-lmdb', 'store-redis', 'telemetry'],
  // The page speaks HTTP to nodes; it is tried on a whole cluster.
  dashboard: ['cluster'],
  cli: ['auth', 'edge', 'config', 'protocol'],
  testkit: ['protocol'],
  conformance: ['protocol', 'testkit'],
  // Dashboard and alerts are tried on a whole cluster.
  deployment: ['cluster', 'config', 'testkit'],
  attack: ['protocol', 'testkit'],
  bench: ['broker', 'cluster', 'testkit'],
  chaos: ['cluster', 'protocol', 'testkit'],
  clients: ['cluster', 'testkit'],
  cluster: ['testkit'],
  k6: ['cluster', 'protocol', 'testkit'],
};

/** Packages that imports may reach from these, directly or not: `turbo.json` lists them for each. */
function reachable(names: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    open.push(...mayImport[name]);
  }
  return reached;
}

/** The rooms of packages/broker/src from low to high: a file imports its own room and those before it, types included. The top has no folder. */
const rooms = [
  ...[
    'ports',
    'work',
    'guards',
    'message',
    'output',
    'session',
    'subscriptions',
    'logs',
    'cluster',
    'delivery',
    'groups',
  ],
  ...['takeover', 'connection', 'handlers', 'queries', 'top'],
];
/** Rooms that only tests and whoever puts a node together look into. */
const asideRooms = ['memory', 'contract'];

const skipped = new Set(['node_modules', 'dist', 'data', '.git', '.turbo', '.cache', 'LICENSE', 'package-lock.json']);

function walk(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (skipped.has(entry.name)) return [];
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() ? [path] : [];
  });
}

interface File {
  path: string;
  text: string;
  lines: string[];
}

function read(path: string): File {
  const text = readFileSync(path, 'utf8');
  return { path: relative(root, path), text, lines: text.trimEnd().split('\n') };
}

const textEndings = /\.(tsx?|css|html|js|mjs|json|md|yaml|yml|c|sh)$|^\.(ci\/|npmrc|gitignore)/;
const files = walk(root)
  .filter((path) => textEndings.test(relative(root, path)))
  .map(read);
const typeScript = files.filter(({ path }) => /\.tsx?$/.test(path));
const isTest = ({ path }: File) => /\.test\.ts$|\/test\/|\/contract\/|\/conversations\//.test(path);

const header = /^(\s*).*(\)|=>)[^;]*\{$/;
const noFunction = /^\s*(\} )?(if|for|while|switch|catch|else|do|try|return \{|class|interface)\b/;

/** Functions with more lines than fit on a screen. Formatted code closes a block at the indentation it began with. */
function longFunctions({ path, lines }: File): string[] {
  const found: string[] = [];
  for (const [index, line] of lines.entries()) {
    const match = header.exec(line);
    if (match === null || noFunction.test(line)) continue;
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${match[1]}}`));
    if (end - index > functionLinesMax) found.push(`${path}:${index + 1} has ${end - index} lines: ${line.trim()}`);
  }
  return found;
}

/** Every module that a file imports, with the line it stands in. */
function imports({ text }: File): string[] {
  return [
    ...text.matchAll(/^\s*(?:import|export)\b[^'"]*?from '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gm),
  ].map((match) => match[1] ?? match[2] ?? match[3]);
}

const packageOf = ({ path }: File) => /^(?:packages|loadtest)\/([^/]+)\//.exec(path)?.[1];

function againstDirection(file: File): string[] {
  const name = packageOf(file);
  const allowed = name === undefined ? undefined : mayImport[name];
  if (name === undefined || allowed === undefined) return [];
  return imports(file)
    .map((module) => /^@dunlin\/([^/]+)/.exec(module)?.[1])
    .filter((other) => other !== undefined && other !== name && !allowed.includes(other))
    .filter((other) => !(isTest(file) && other === 'testkit'))
    .map(
      (other) =>
        `${file.path} imports @dunlin/${other}; ${name} may import: ${allowed.join(', ') || 'no other package'}`,
    );
}

/** Entries beside an index for threads that would otherwise load a whole broker or codec: they are read by everybody. */
const smallEntries =
  /^@dunlin\/(broker\/(guards|memory|ports)|edge\/control|protocol\/(coded-error|fnv|reason-codes|topic))$/;

/** Packages meet at their index; tests and the bench also at what the broker exports for them, and docs/log.md at what log lines mean. */
function pastTheIndex(file: File): string[] {
  const name = packageOf(file);
  if (name === undefined) return [];
  const folder = file.path.split('/').slice(0, 2).join('/');
  return imports(file)
    .filter((module) => {
      if (/^@dunlin\/[^/]+\//.test(module))
        return (
          !smallEntries.test(module) &&
          !((isTest(file) || name === 'bench') && /\/(contract|testing)$/.test(module)) &&
          !(file.path === 'packages/edge/src/log-document.ts' && module.endsWith('/log-meanings'))
        );
      if (!module.startsWith('.')) return false;
      const target = relative(root, resolve(root, dirname(file.path), module));
      return !target.startsWith(`${folder}/`);
    })
    .map((module) => `${file.path} imports ${module}`);
}

const roomOf = (path: string) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : 'top');

/** Imports of packages/broker/src that run from a room to one above it. */
function upwardImports(): string[] {
  const source = 'packages/broker/src';
  const own = typeScript.filter((file) => file.path.startsWith(`${source}/`) && !isTest(file));
  return own.flatMap((file) => {
    const path = relative(source, file.path);
    const from = roomOf(path);
    if (asideRooms.includes(from)) return [];
    return imports(file)
      .filter((module) => module.startsWith('.'))
      .map((module) => relative(resolve(root, source), resolve(root, dirname(file.path), module)))
      .filter((to) => !(from === 'top' && asideRooms.includes(roomOf(to))))
      .filter((to) => rooms.indexOf(from) < rooms.indexOf(roomOf(to)) || !rooms.includes(roomOf(to)))
      .map((to) => `${path} -> ${to}`);
  });
}

/** Groups of files in which each reaches every other by imports, types included: circles, largest first. */
function circles(): string[][] {
  const arrows = new Map(
    typeScript
      .filter((file) => !isTest(file))
      .map((file) => {
        const relatives = imports(file).filter((module) => module.startsWith('.'));
        return [file.path, relatives.map((module) => relative(root, resolve(root, dirname(file.path), module)))];
      }),
  );
  const reach = (from: string): Set<string> => {
    const reached = new Set<string>();
    const open = [...(arrows.get(from) ?? [])];
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      if (reached.has(path)) continue;
      reached.add(path);
      open.push(...(arrows.get(path) ?? []));
    }
    return reached;
  };
  const reached = new Map([...arrows.keys()].map((path) => [path, reach(path)]));
  const found: string[][] = [];
  const placed = new Set<string>();
  for (const [path, others] of reached) {
    if (placed.has(path) || !others.has(path)) continue;
    const circle = [...others].filter((other) => reached.get(other)?.has(path));
    for (const other of circle) placed.add(other);
    found.push(circle.sort());
  }
  return found.sort((a, b) => b.length - a.length);
}

/** Words that begin no doc comment: a reader has to guess the noun behind them (CONTRIBUTING.md, "Doc comments"). */
const nounless =
  /^(What|Whatever|How|Who|Whom|Whose|Whoever|Whether|Which|Why|Where|When|Whenever|Those|Others|Such|It|They|There|Nobody|Nothing|As|Of|From|Until|Like|So)\b/;

/** Doc comments that begin with such a word, each with its first line. */
function withoutNoun({ path, text }: File): string[] {
  return [...text.matchAll(/^[ \t]*\/\*\*[\s*]*(?=([^\n]*))/gm)]
    .filter(([, first]) => nounless.test(first))
    .map((match) => `${path}:${text.slice(0, match.index + match[0].length).split('\n').length}: ${match[1].trim()}`);
}

/** Words that have no place here; put together so that this file does not contain them. */
const leftovers = ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].map((word) => new RegExp(`\\b${word}\\b`));
const foreign = [
  /\bA[I]\b/,
  new RegExp('\\bL' + 'LMs?\\b'),
  new RegExp('\\bco' + 'pilot\\b', 'i'),
  new RegExp('shared/' + 'design'),
  new RegExp('["\'`(\\s]/(work|home|root|Users)/' + '\\w'),
  new RegExp('registry\\.' + '(npmjs|yarnpkg)'),
];

function containing(patterns: readonly RegExp[]): string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) =>
      patterns.some((pattern) => pattern.test(line)) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
    ),
  );
}

describe('tidy', () => {
  test('functions fit on a screen, but for those of a table with reasons', () => {
    const long = typeScript.filter((file) => !isTest(file)).flatMap(longFunctions);
    const allowed = (found: string) => Object.keys(longFunctionsAllowed).some((path) => found.startsWith(`${path}:`));
    expect(long.filter((found) => !allowed(found))).toEqual([]);
    const unused = Object.keys(longFunctionsAllowed).filter(
      (path) => !long.some((found) => found.startsWith(`${path}:`)),
    );
    expect(unused, 'files that need no exemption any more').toEqual([]);
  });

  test('files are short, but for those of a table with reasons', () => {
    const long = typeScript.filter(({ lines }) => lines.length > fileLinesMax);
    const unexpected = long.filter(({ path }) => longFilesAllowed[path] === undefined);
    expect(unexpected.map(({ path, lines }) => `${path} has ${lines.length} lines`)).toEqual([]);
    const unused = Object.keys(longFilesAllowed).filter((path) => !long.some((file) => file.path === path));
    expect(unused, 'files that need no exemption any more').toEqual([]);
  });

  test('tests lie in the folder test of their package, conversations of the specifications in conversations', () => {
    const places = /^((packages|loadtest)\/[^/]+\/test\/|packages\/conformance\/conversations\/|examples\/|[^/]+$)/;
    const elsewhere = typeScript.filter(({ path }) => path.endsWith('.test.ts') && !places.test(path));
    expect(elsewhere.map(({ path }) => path)).toEqual([]);
  });

  test('imports follow the direction of the architecture', () => {
    expect(typeScript.flatMap(againstDirection)).toEqual([]);
  });

  test('every package has a direction', () => {
    const entries = ['packages', 'loadtest'].flatMap((path) => readdirSync(join(root, path), { withFileTypes: true }));
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(folders.sort()).toEqual(Object.keys(mayImport).sort());
  });

  test('turbo.json allows what the table lets a package reach, and the test kit', () => {
    const { tags } = JSON.parse(readFileSync(join(root, 'turbo.json'), 'utf8')).boundaries;
    expect(Object.keys(tags).sort()).toEqual(Object.keys(mayImport).sort());
    const differences = Object.keys(mayImport).flatMap((name) => {
      const allowed: string[] = tags[name].dependencies.allow;
      const missing = [...reachable(mayImport[name])].filter((other) => !allowed.includes(other));
      const most = reachable([...mayImport[name], 'testkit']);
      const tooMany = allowed.filter((other) => !most.has(other));
      return [...missing.map((other) => `${name} lacks ${other}`), ...tooMany.map((other) => `${name} has ${other}`)];
    });
    expect(differences).toEqual([]);
  });

  test('every package says in at most 15 lines what it is', () => {
    const lengths = readdirSync(join(root, 'packages')).map((name): [string, number] => {
      const readme = files.find(({ path }) => path === `packages/${name}/README.md`);
      return [name, readme?.lines.length ?? 0];
    });
    expect(lengths.filter(([, length]) => length === 0 || length > 15)).toEqual([]);
  });

  test('packages meet at their index', () => {
    expect(typeScript.flatMap(pastTheIndex)).toEqual([]);
  });

  test('no import between the rooms of the broker runs upward', () => {
    expect(upwardImports()).toEqual([]);
  });

  test(`circles of imports lie within one folder and have at most ${circleFilesMax} files`, () => {
    const found = circles();
    const told = (circle: string[]) => `${circle.length} files: ${circle.join(', ')}`;
    expect(found.filter(({ length }) => length > circleFilesMax).map(told)).toEqual([]);
    expect(found.filter((circle) => new Set(circle.map(dirname)).size > 1).map(told)).toEqual([]);
  });

  test('every room of the broker says what is in it, and has its place', () => {
    const found = readdirSync(join(root, 'packages/broker/src'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    const placed = [...rooms.filter((room) => room !== 'top'), ...asideRooms];
    expect(found.map(({ name }) => name).sort()).toEqual(placed.sort());
    const silent = found.filter(({ name }) => !existsSync(join(root, 'packages/broker/src', name, 'README.md')));
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  test('ARCHITECTURE.md lists the rooms from high to low, and names files where they are', () => {
    const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
    const section = text.slice(text.indexOf('## 12. The rooms of the broker'));
    const rows = [...section.matchAll(/^\| `([a-z]+)\/`/gm)].map((match) => match[1]);
    const expected = rooms.filter((room) => room !== 'top').reverse();
    expect(rows).toEqual([...expected, asideRooms[0]]);
    const named = [...section.matchAll(/`([a-z]+\/[a-z/-]+\.ts)`/g)].map((match) => match[1]);
    const missing = named.filter(
      (path) => !existsSync(join(root, path)) && !existsSync(join(root, 'packages/broker/src', path)),
    );
    expect(missing).toEqual([]);
    expect(named.length).toBeGreaterThan(5);
  });

  test('names say what a file is about', () => {
    const vague = typeScript.filter(({ path }) =>
      /(^|[/-])(utils?|helpers?|managers?|common|misc)(-|\.|\/)/.test(path),
    );
    expect(vague.map(({ path }) => path)).toEqual([]);
  });

  test('doc comments begin with a noun, or with the verb of a function', () => {
    expect(files.filter(({ path }) => /\.[mc]?[jt]sx?$/.test(path)).flatMap(withoutNoun)).toEqual([]);
  });

  test('nothing is left for later', () => {
    expect(containing(leftovers)).toEqual([]);
  });

  test('nothing of the machine it was written on, and no address of a registry', () => {
    expect(containing(foreign)).toEqual([]);
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved": "http/);
  });

  test('every configuration key is in the documents', () => {
    const reference = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
    expect(keys.filter((key) => !reference.includes(`\`${key.path}\``)).map((key) => key.path)).toEqual([]);
  });

  test('every metric is in the documents', () => {
    const reference = readFileSync(join(root, 'docs/metrics.md'), 'utf8');
    expect(metricRows.filter(({ name }) => !reference.includes(`\`${name}\``)).map(({ name }) => name)).toEqual([]);
  });

  test(`production has at most ${dependenciesMax} packages`, () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    const production = Object.entries<{ dev?: boolean; devOptional?: boolean; link?: boolean }>(lock.packages)
      .filter(([path, entry]) => path.includes('node_modules/') && !entry.dev && !entry.devOptional && !entry.link)
      .map(([path]) => path);
    expect(production.length).toBeGreaterThan(0);
    expect(production.length, production.join('\n')).toBeLessThanOrEqual(dependenciesMax);
  });
});
