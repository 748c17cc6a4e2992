import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Dunlin, run } from './command.ts';

const directory = mkdtempSync(join(tmpdir(), 'data-'));
writeFileSync(join(directory, 'file'), '');
afterAll(() => rmSync(directory, { recursive: true }));

function startAt(path: string): string[] {
  return ['start', '--listener', 'tcp://127.0.0.1:0', '--store', 'lmdb', '--data', path];
}

describe('a data directory', () => {
  test.each([
    ['in /proc', '/proc/x', 'no such file or directory'],
    ['deep in /proc', '/proc/x/y/z', 'no such file or directory'],
    ['that is a file', join(directory, 'file'), 'is not a directory'],
    ['below a file', join(directory, 'file/x'), 'is not a directory'],
  ])('%s cannot be made: the start ends at once, and says which key and which path', async (_where, path, reason) => {
    const { code, errors } = await run(startAt(path));
    expect(code).toBe(1);
    expect(errors).toContain(`dunlin: store.path: the directory ${path} cannot be made: `);
    expect(errors).toContain(reason);
  });

  test('is made with those above it, for its owner alone', async () => {
    const path = join(directory, 'a/b/c');
    const broker = new Dunlin(startAt(path));
    await broker.until('"event":"node.started"');
    broker.child.kill();
    expect((await broker.finished).code).toBe(0);
    for (const made of [path, join(directory, 'a/b'), join(directory, 'a')])
      expect(statSync(made).mode & 0o777).toBe(0o700);
  });
});
