import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { allScripts } from '../src/scripts.ts';

const built = new URL('../dist/scripts.js', import.meta.url);

test('the build finds the scripts beside it, and they are the same', async (context) => {
  if (!existsSync(built)) return context.skip('there is no build: run `npm run build`');
  const program = `const { allScripts } = await import(${JSON.stringify(built.href)});
    console.log(allScripts.map(({ sha }) => sha).join());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  expect(stdout.trim()).toBe(allScripts.map(({ sha }) => sha).join());
});
