import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

/** The start of a cluster, a few faults, and at most a minute until all is told. */
const timeoutMilliseconds = 180_000;

test('nothing acknowledged is lost in a short run, and nothing is left of it', {
  timeout: timeoutMilliseconds,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'chaos-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const main = join(import.meta.dirname, '..', 'src', 'main.ts');
  const child = spawn(process.execPath, ['--conditions=source', main, '--minutes', '0.2', '--seed', '5'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: directory },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  const lines = output.trimEnd().split('\n');
  expect(lines.at(-1), output).toMatch(
    /^acknowledged [1-9]\d*, delivered [1-9]\d*, lost 0, duplicates qos1 \d+ qos2 0, out of order 0, clients back 40\/40$/,
  );
  expect(code).toBe(0);
  expect(await readdir(directory)).toEqual([]);
});
