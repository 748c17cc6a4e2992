/** Locks of a data directory: one node each, also where each has a network of its own, as containers have. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DataInUseError, lockData, widerThanNeeded } from '../src/store/data-lock.ts';

let directory: string;
/** Advice in the error of a directory that is in use. */
const advice = 'stop it, or give this node another store.path';

const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-lock-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

const module = fileURLToPath(new URL('../src/store/data-lock.ts', import.meta.url));

/** A process that takes the directory and stays; what it says first: `taken`, or why not. */
async function holder(path: string, isApart: boolean): Promise<{ child: ChildProcess; said: string }> {
  const program = `const { lockData } = await import(${JSON.stringify(module)});
    await lockData(${JSON.stringify(path)}).then(() => console.log('taken'), (error) => console.log(error.message));
    setInterval(() => undefined, 1000);`;
  const words = ['--conditions=source', '--input-type=module', '-e', program];
  const child = isApart
    ? spawn('unshare', ['-n', process.execPath, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
    : spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { child, said: String(said).trim() };
}

function mayUnshare(): boolean {
  try {
    execFileSync('unshare', ['-n', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.for([false, true])('a second process does not get it, in another network: %s', async (isApart, { skip }) => {
  if (isApart && !mayUnshare()) return skip('a network of its own is not allowed here');
  expect((await holder(directory, false)).said).toBe('taken');
  expect((await holder(directory, isApart)).said).toBe(`another node uses the data directory ${directory}; ${advice}`);
});

test('the next one gets it at once when the process was killed, and nothing is left to clean', async () => {
  for (let round = 0; round < 5; round++) {
    const { child, said } = await holder(directory, false);
    expect(said).toBe('taken');
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const unlock = await lockData(directory);
  await expect(lockData(directory)).rejects.toThrow(DataInUseError);
  unlock();
  (await lockData(directory))();
  expect(statSync(join(directory, 'node.lock')).size).toBe(0);
  expect(statSync(join(directory, 'node.lock')).mode & 0o777).toBe(0o600);
});

test('a file that may not grow fails the write, and does not end the process', () => {
  const program = `const { lockData } = await import(${JSON.stringify(module)});
    const { writeFileSync } = await import('node:fs');
    await lockData(${JSON.stringify(directory)});
    try { writeFileSync(${JSON.stringify(join(directory, 'large'))}, Buffer.alloc(5_000_000)); } catch (error) { console.log(error.code); }
    process.exit();`;
  const script = 'ulimit -f 2000; exec "$0" --conditions=source --input-type=module -e "$1"';
  expect(execFileSync('bash', ['-c', script, process.execPath, program], { encoding: 'utf8' })).toBe('EFBIG\n');
});

test('paths longer than any socket may have are as good', async () => {
  const path = join(directory, 'a'.repeat(120), 'b'.repeat(120));
  const unlock = await lockData(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect((await holder(path, false)).said).toBe(`another node uses the data directory ${path}; ${advice}`);
  unlock();
});

test('a directory that cannot be locked is said with the reason', async () => {
  mkdirSync(join(directory, 'node.lock'));
  await expect(lockData(directory)).rejects.toThrow(`cannot lock the data directory ${directory} by `);
});

test.each([
  [0o700, 0o600, false],
  [0o700, 0o644, false],
  [0o755, 0o600, false],
  [0o755, 0o644, true],
  [0o750, 0o640, true],
  [0o770, 0o600, true],
])('directory %o, file %o: told that others can get at it: %s', (directoryMode, fileMode, isTold) => {
  const file = join(directory, 'main.mdb');
  writeFileSync(file, '');
  chmodSync(file, fileMode);
  chmodSync(directory, directoryMode);
  const digits = (mode: number): string => `0${mode.toString(8)}`;
  expect(widerThanNeeded(directory)).toEqual(
    isTold ? { directory: digits(directoryMode), file: digits(fileMode) } : null,
  );
  chmodSync(directory, 0o700);
});
