/** Fate of a broker when the process ends through which it was started: npm, npx, an older Node. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { freePort, withDeadline } from '@dunlin/testkit';
import { afterEach, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const command = join(import.meta.dirname, '../bin/dunlin.js');
/** npm, a shell and a build that is looked through on a busy machine. */
const patienceMilliseconds = 25_000;

/** The first Node on the host's own PATH that is too old for the broker; null: there is none. */
function olderNode(): string | null {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(directory, 'node');
    if (!existsSync(file)) continue;
    const major = /^v(\d+)/.exec(String(spawnSync(file, ['--version']).stdout))?.[1];
    if (major !== undefined && Number(major) < 24) return file;
  }
  return null;
}

interface Started {
  child: ChildProcess;
  /** Process id of the broker itself, from its first line. */
  brokerPid: number;
  output: () => string;
  /** Resolves when nobody holds the other end of standard output: all processes are gone. */
  closed: Promise<unknown>;
}

let started: Started | null = null;
afterEach(() => {
  for (const pid of [started?.child.pid, started?.brokerPid]) {
    try {
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already, as it should be.
    }
  }
  started = null;
});

/** Starts a broker in the background, as `COMMAND &` does, and waits until it is ready. */
async function start(file: string, words: readonly string[]): Promise<Started> {
  const port = await freePort();
  const args = [...words, '--store', 'memory', '--workers', '1', '--listener', `tcp://127.0.0.1:${port}`];
  const env = { ...process.env };
  // As from a shell: not below the npm that runs these tests.
  for (const name of Object.keys(env)) if (name.startsWith('npm_')) delete env[name];
  const child = spawn(file, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout?.on('data', (data) => {
      text += data;
      if (text.includes('"event":"node.started"')) resolve();
    });
  });
  child.stderr?.on('data', (data) => {
    text += data;
  });
  const closed = once(child, 'close');
  await withDeadline(ready, () => `not ready:\n${text}`, patienceMilliseconds);
  const first = text.split('\n').find((line) => line.includes('"event":"node.launched"')) as string;
  started = { child, brokerPid: JSON.parse(first).pid, output: () => text, closed };
  return started;
}

function allEnded({ closed, output }: Started): Promise<unknown> {
  return withDeadline(closed, () => `goes on:\n${output()}`, patienceMilliseconds);
}

describe('a broker ends as it does at SIGTERM', { timeout: 60_000 }, () => {
  test('when `npm start` gets SIGTERM', async () => {
    const npm = await start('npm', ['start', '--']);
    npm.child.kill('SIGTERM');
    await allEnded(npm);
    expect(npm.output()).toContain('"event":"node.stopped"');
  });

  test('when `npx dunlin start` gets SIGTERM', async () => {
    const npx = await start('npx', ['dunlin', 'start']);
    npx.child.kill('SIGTERM');
    await allEnded(npx);
    expect(npx.output()).toContain('"event":"node.stopped"');
  });

  test.skipIf(olderNode() === null)('when the older Node that started it is killed', async () => {
    const older = await start(olderNode() as string, [command, 'start']);
    expect(older.brokerPid).not.toBe(older.child.pid);
    older.child.kill('SIGKILL');
    await allEnded(older);
    expect(older.output()).toContain('"event":"node.stopped"');
  });
});
