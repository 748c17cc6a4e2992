import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorReference, errorRows } from './errors-document.ts';

// The tables of errors against the sources, both ways.

const production = [
  ...['protocol', 'broker', 'auth', 'store-lmdb', 'store-redis', 'backplane-nats', 'telemetry', 'config', 'edge'],
  'cli',
];

interface Source {
  readonly package: string;
  readonly path: string;
  readonly text: string;
}

/** Sources that run: no tables for documents, and no contract suites, which are tests. */
const sources: readonly Source[] = production.flatMap((name) =>
  readdirSync(join(import.meta.dirname, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('error-table.ts') && !path.startsWith('contract/'))
    .map((path) => ({
      package: name,
      path: `packages/${name}/src/${path}`,
      text: readFileSync(join(import.meta.dirname, 'packages', name, 'src', path), 'utf8'),
    })),
);

/** Classes of errors that the sources declare: `package ClassName`. */
const declared = sources.flatMap(({ package: name, path, text }) =>
  [...text.matchAll(/\bclass (\w+)(?:<[^{]*?>)? extends (CodedError|\w*(?:Error|Exception|Failure))\b/g)].map(
    ([, className, base]) => ({ package: name, path, className, base }),
  ),
);

const classNames = [...new Set(errorRows.map(({ className }) => className))];
const codesOf = (wanted: string): string[] =>
  errorRows.filter(({ className }) => className === wanted).map(({ code }) => code);

/** Codes that the sources give to new errors of a class: to its constructor, or to a function of it that makes them. */
function codesGiven(className: string): string[] {
  const calls = className === 'BenchFailure' ? `(?:new ${className}|this\\.fail)` : `new ${className}`;
  const given = sources.flatMap(({ text }) => [
    ...[...text.matchAll(new RegExp(`\\b${calls}\\(\\s*'([^']+)'`, 'g'))].map(([, code]) => code),
    ...[...text.matchAll(new RegExp(`\\b${calls}\\(\\s*\\w+ \\? '([^']+)' : '([^']+)'`, 'g'))].flatMap(
      ([, one, other]) => [one, other],
    ),
  ]);
  return [...new Set(className === 'CommandError' ? given.map((exit) => `command-${exit}`) : given)].sort();
}

/** The one code of a class that gives it to its base. */
function codeOfBase(className: string): string[] {
  const body = new RegExp(`class ${className} extends CodedError<[^>]*>+ \\{[^}]*?super\\(\\s*'([^']+)'`);
  return sources.flatMap(({ text }) => body.exec(text)?.slice(1) ?? []);
}

describe('the tables of errors', () => {
  test('docs/errors.md is fresh (npm run docs), and has every code', () => {
    const text = readFileSync(join(import.meta.dirname, 'docs/errors.md'), 'utf8');
    expect(text).toBe(errorReference());
    expect(errorRows.filter(({ code }) => !text.includes(`\n### ${code}\n`))).toEqual([]);
  });

  test('each code once, as words joined by hyphens', () => {
    const codes = errorRows.map(({ code }) => code);
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
    const others = codes.filter((code) => !/^[a-z]+(-[a-z]+)*$/.test(code));
    expect(others.filter((code) => !codesOf('BenchFailure').includes(code))).toEqual([]);
  });

  test('every error class of the sources has the one base, and is in the table of its package', () => {
    expect(declared.length).toBeGreaterThan(15);
    const base = declared.filter(({ className }) => className === 'CodedError');
    expect(base.map(({ path }) => path)).toEqual(['packages/protocol/src/coded-error.ts']);
    const others = declared.filter(({ className }) => className !== 'CodedError');
    expect(others.filter((each) => each.base !== 'CodedError')).toEqual([]);
    const inTable = errorRows.map((row) => `${row.package} ${row.className}`);
    expect(others.map((each) => `${each.package} ${each.className}`).sort()).toEqual([...new Set(inTable)].sort());
  });

  test.each(classNames)('%s: the codes of the table are those that are thrown', (className) => {
    const ofBase = codeOfBase(className);
    expect(ofBase.length > 0 ? ofBase : codesGiven(className)).toEqual(codesOf(className).sort());
    const made = sources.filter(({ text }) => new RegExp(`\\bnew ${className}\\(`).test(text));
    expect(made.length, 'files that make one').toBeGreaterThan(0);
  });

  test('nothing that runs imports a table', () => {
    const importing = sources.filter(({ text }) => /from '[^']*error-table\.ts'/.test(text));
    expect(importing.map(({ path }) => path)).toEqual([]);
  });

  test('no failure is a plain Error, which has no code', () => {
    const plain = sources.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => (/\bnew Error\(/.test(line) ? [`${path}:${index + 1}: ${line}`] : [])),
    );
    expect(plain).toEqual([]);
  });

  test('texts are sentences where they are sentences, and parts of one where they are parts', () => {
    for (const { code, says, thrownWhen, remedy, surfaces } of errorRows) {
      expect(remedy, code).toMatch(/^[A-Z`].*\.$/);
      for (const part of [says, thrownWhen, surfaces]) expect(part, code).toMatch(/^\S.*[^.\s]$/);
      expect(`${says}${thrownWhen}${remedy}${surfaces}`, code).not.toMatch(/\||\n/);
    }
  });
});
