import { ConfigurationError } from '@dunlin/config';
import { CommanderError } from 'commander';
import { CommandError, exitCodes } from './exit-code.ts';
import { buildProgram } from './program.ts';
import { starterGone } from './starter.ts';

/** Runs the command line and ends the process with the code that `exitCodes` explains. */
export async function main(words: readonly string[]): Promise<void> {
  // A broker ends in its own way (commands/start.ts).
  if (words[0] !== 'start') void starterGone().then(() => process.kill(process.pid, 'SIGTERM'));
  try {
    const program = await buildProgram(words);
    await program.parseAsync(words, { from: 'user' });
    process.exitCode = exitCodes.done.code;
  } catch (error) {
    process.exitCode = report(error);
  }
  // Whatever is still open (a socket, a timer) belongs to a command that is over.
  if (process.stdout.writableLength === 0) process.exit();
  process.stdout.end(() => process.exit());
}

/** Says what went wrong on standard error, once, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done.code : exitCodes.usage.code;
  if (error instanceof ConfigurationError) {
    process.stderr.write(`dunlin: the configuration is refused\n${error.message}\n`);
    return exitCodes.usage.code;
  }
  process.stderr.write(`dunlin: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof CommandError ? exitCodes[error.exit].code : exitCodes.failed.code;
}
