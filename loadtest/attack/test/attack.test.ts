import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { RowResult } from '../src/row-result.ts';

/** The quiet time, the attack, what came late, and the start of a node on a busy machine. */
const timeoutMilliseconds = 90_000;
const main = join(import.meta.dirname, '..', 'src', 'main.ts');

/** Runs the command with a temporary folder of its own. */
async function attack(...args: string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'attack-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: directory },
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
  const [code] = await once(child, 'close');
  return { code, lines: output.trimEnd().split('\n'), errors, left: await readdir(directory) };
}

test('one row runs: healthy clients lose nothing, the attacker is answered, and nothing is left behind', {
  timeout: timeoutMilliseconds,
}, async () => {
  const { lines, errors, left } = await attack('--rows', 'long-reasons', '--after', '1', '--json');
  expect(lines.length, errors).toBe(2);
  const row: RowResult = JSON.parse(lines[0]);
  expect(row.attack).toBe('long-reasons');
  // Ten CONNECT a second for four seconds, each larger than a CONNECT may be.
  expect(row.answers).toMatch(/^connack 0x95 × \d+/);
  expect(row.lost).toMatchObject({ qos1: 0, disconnected: 0 });
  expect(row.during.sent).toBeGreaterThan(0);
  expect(row.workersReplaced).toBe(0);
  expect(row.memory.peak).toBeGreaterThanOrEqual(row.memory.before / 2);
  expect(lines[1]).toMatch(/^[01] of 1 rows within their ceilings$/);
  expect(left).toEqual([]);
});

test('a row that does not exist is an error with those that do', async () => {
  const { code, errors } = await attack('--rows', 'floods');
  expect(code).toBe(2);
  expect(errors).toMatch(/--rows must be of .*silent-connections, connect-byte-by-byte/);
  expect(errors).toContain("not 'floods'");
});

test('a document is measured as it says, whatever else is asked', async () => {
  const { code, errors } = await attack('--document', '--short');
  expect(code).toBe(2);
  expect(errors).toContain('not with --short or --after');
});
