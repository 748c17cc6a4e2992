/**
 * `bench newcomer`: the way of somebody who has Node and npm and nothing else, from README's first command to a message that has arrived. A clone of what is committed,
 * an empty cache of npm: everything that is needed is downloaded.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { CHECKOUT } from './checkout.ts';

const run = promisify(execFile);

/** The whole way may take so many seconds. */
export const NEWCOMER_SECONDS_MAX = 120;
/** Port of `npm start`: README's commands choose none. */
const DEFAULT_PORT = 1883;

/** Step of the way. */
export interface NewcomerStep {
  readonly command: string;
  readonly seconds: number;
}

/**
 * Goes the way; the steps in their order.
 * @throws what a command that fails says; an Error when nothing arrives, or when somebody else listens at 1883
 */
export async function walkAsNewcomer(): Promise<NewcomerStep[]> {
  const place = await mkdtemp(join(tmpdir(), 'dunlin-newcomer-'));
  const clone = join(place, 'dunlin');
  const environment: NodeJS.ProcessEnv = { ...process.env, npm_config_cache: join(place, 'npm') };
  // What npm run has set for this process is not a newcomer's.
  for (const name of Object.keys(environment)) {
    if (/^npm_(package|lifecycle|command|execpath|node_execpath|config_local_prefix)/.test(name))
      Reflect.deleteProperty(environment, name);
  }
  environment.PATH = (environment.PATH ?? '')
    .split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':');
  const options = { cwd: clone, env: environment };
  const steps: NewcomerStep[] = [];
  const timed = async <T>(command: string, work: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const result = await work();
    steps.push({ command, seconds: (performance.now() - begun) / 1000 });
    return result;
  };
  let broker: ChildProcess | null = null;
  let subscriber: ChildProcess | null = null;
  try {
    await run('git', ['clone', '--quiet', CHECKOUT, clone]);
    await timed('npm ci', () => run('npm', ['ci'], { ...options, maxBuffer: 1 << 26 }));
    await timed('npm start', () => {
      broker = spawn('npm', ['start'], { ...options, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
      return lineWith(broker, `127.0.0.1:${DEFAULT_PORT}`, '"node.started"');
    });
    await timed('npx dunlin sub, npx dunlin pub: a message arrives', async () => {
      const topic = 'sensors/kitchen/temperature';
      // A retained message arrives whoever is first.
      const words = ['dunlin', 'sub', '-t', 'sensors/#', '-F', '%t %p', '-C', '1'];
      subscriber = spawn('npx', words, { ...options, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
      const arrived = lineWith(subscriber, `${topic} 21.5`);
      await run('npx', ['dunlin', 'pub', '-t', topic, '-m', '21.5', '-q', '1', '-r'], options);
      await arrived;
    });
    return steps;
  } finally {
    await Promise.all([end(broker), end(subscriber)]);
    await rm(place, { recursive: true, force: true });
  }
}

/** Resolves with a line that has all of these words; rejects when the process ends before. */
async function lineWith(child: ChildProcess, ...words: string[]): Promise<string> {
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    said.push(line);
    if (words.every((word) => line.includes(word))) return line;
  }
  throw new Error(`nothing was said with ${words.join(' and ')}, but:\n${said.join('\n')}`);
}

/** Ends a command of npm with all that it started, which npm does not do. */
async function end(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  process.kill(-(child.pid as number), 'SIGTERM');
  await ended;
}
