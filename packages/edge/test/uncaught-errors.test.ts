/**
 * Errors that nobody catches: an exception of a timer, a rejection that nobody waits for. Seen to fail without the net:
 * the process ends at the first of them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const module = fileURLToPath(new URL('../src/workers/uncaught-errors.ts', import.meta.url));

interface Ended {
  code: number;
  /** Messages with the first line of their stack and the function that threw. */
  logged: [message: string, error: string][];
  /** Value of the metric at the end. */
  counted: number;
}

/** A process with the net, that runs these words and tells at its end what was logged and counted. */
async function runs(words: string): Promise<Ended> {
  const program = `const { surviveUncaughtErrors } = await import(${JSON.stringify(module)});
    const logged = [], metrics = { errorsEscaped: 0 };
    surviveUncaughtErrors({ error: ({ message }, { error }) => logged.push([message, error instanceof Error ? error.stack : error]) }, metrics);
    process.on('exit', () => console.log(JSON.stringify({ logged, counted: metrics.errorsEscaped })));
    ${words}`;
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  const [code] = await once(child, 'close');
  return { code, ...JSON.parse(text) };
}

const faults = `const faultOfTimer = () => { throw new Error('of a timer'); };
  const faultOfPromise = async () => { throw new Error('of a promise'); };`;

test('is logged with its stack and counted, and the thread goes on', async () => {
  const { code, logged, counted } = await runs(`${faults}
    setTimeout(faultOfTimer);
    setTimeout(() => void faultOfPromise(), 1);
    setTimeout(() => void Promise.reject('a text'), 2);
    setTimeout(() => { process.exitCode = 7; }, 3);`);
  expect(code).toBe(7);
  expect(counted).toBe(3);
  expect(logged).toEqual([
    ['an error was caught by nobody', expect.stringMatching(/^Error: of a timer\n +at .*faultOfTimer/)],
    ['a failure was awaited by nobody', expect.stringMatching(/^Error: of a promise\n +at .*faultOfPromise/)],
    ['a failure was awaited by nobody', 'a text'],
  ]);
});

test('a stream of them is no accident: the thread ends', async () => {
  const { code, logged } = await runs(`${faults} setInterval(faultOfTimer, 1);`);
  expect(code).toBe(1);
  expect(logged).toHaveLength(21);
});

test('what the store is told anyway is not told twice', async () => {
  const { logged, counted } = await runs(`
    void Promise.reject(Object.assign(new Error('Commit failed'), { commitError: new Error('EIO') }));`);
  expect([logged, counted]).toEqual([[], 0]);
});
