import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CodedError } from '@dunlin/broker/ports';

/** The data directory cannot be made, or cannot be locked. */
export class DataDirectoryError extends CodedError<'data-directory'> {
  constructor(message: string, options?: ErrorOptions) {
    super('data-directory', message, options);
  }
}

/**
 * Makes the directory and those above it, for their owner alone. One by one: where the system says of a directory that it cannot be made since something is not
 * there, as in /proc, Node's own recursive way tries for ever.
 * @throws when it cannot be made, with the key that named it
 */
export function makeDataDirectory(path: string): void {
  try {
    makeMissing(resolve(path));
  } catch (cause) {
    throw new DataDirectoryError(`store.path: the directory ${path} cannot be made: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function makeMissing(path: string): void {
  const missing: string[] = [];
  let at = path;
  for (; !existsSync(at); at = dirname(at)) missing.unshift(at);
  if (!statSync(at).isDirectory()) throw new DataDirectoryError(`${at} is not a directory`);
  for (const directory of missing) {
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (error) {
      // Another process was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
