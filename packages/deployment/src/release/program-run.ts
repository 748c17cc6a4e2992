import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const outputBytesMax = 64 * 1024 * 1024;

/** Runs a program in a folder; resolves with what it prints. @throws with its error output when it ends with anything but 0 */
export async function run(directory: string, file: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env };
  // As from a shell: npm within npm would read the settings of the outer one from them.
  for (const name of Object.keys(env))
    if (/^npm_(package|lifecycle|command|config_(workspace|prefix))/.test(name)) delete env[name];
  const { stdout } = await promisify(execFile)(file, [...args], { cwd: directory, env, maxBuffer: outputBytesMax });
  return stdout;
}
