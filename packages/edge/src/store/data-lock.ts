import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '@dunlin/broker/ports';
import { DataDirectoryError, makeDataDirectory } from './data-directory.ts';

/** SQLite's code for a lock that another has. */
const busyCode = 5;

/** Kept from the garbage collector, which would give the directory away. */
const held = new Set<object>();

/**
 * Takes a data directory for this process: a second node in it would count the first one's sessions as left behind by the dead. The lock is one of the file system's, on an
 * empty file in the directory, so it holds between containers that share a volume, and the system frees it with the process, however it ends. Node gives such locks through its SQLite
 * only; nothing is ever written to that file.
 * @returns what gives the directory back
 * @throws when another process has it
 */
export async function lockData(path: string): Promise<() => void> {
  makeDataDirectory(path);
  const { DatabaseSync } = await import('node:sqlite');
  const file = join(path, 'node.lock');
  let lock: InstanceType<typeof DatabaseSync> | null = null;
  try {
    makePrivate(file);
    lock = new DatabaseSync(file, { timeout: 0 });
    // No journal beside it: a full disk must not keep a node from starting.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock?.close();
    if ((cause as { errcode?: number }).errcode === busyCode)
      throw new DataInUseError(
        `another node uses the data directory ${path}; stop it, or give this node another store.path`,
        { cause },
      );
    throw new DataDirectoryError(`cannot lock the data directory ${path} by ${file}: ${(cause as Error).message}`, {
      cause,
    });
  }
  // Under a limit of the size of files the system would end the process; with this the write fails, and the log says so.
  process.on('SIGXFSZ', ignore);
  const one = lock;
  held.add(one);
  return () => {
    process.off('SIGXFSZ', ignore);
    held.delete(one);
    one.close();
  };
}

/** Makes a file private. It is opened by its maker alone: closing it would drop a lock that this process has on it. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  }
}

function ignore(): void {
  // The write that would have gone too far fails.
}

/** The data directory belongs to a process that runs. */
export class DataInUseError extends CodedError<'data-in-use'> {
  constructor(message: string, options?: ErrorOptions) {
    super('data-in-use', message, options);
  }
}

/** Permissions of others than the owner of this process, as an operator reads them. */
function modeOf(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}

/**
 * Messages and sessions are secrets of those who sent them. New directories and files are for the owner alone; older or prepared ones are left as they are.
 * @returns what to tell the operator; null: nobody else can read them
 */
export function widerThanNeeded(path: string): { directory: string; file: string } | null {
  const main = join(path, 'main.mdb');
  if (!existsSync(main)) return null;
  const directoryMode = statSync(path).mode;
  const fileMode = statSync(main).mode;
  const group = (directoryMode & 0o010) !== 0 && (fileMode & 0o060) !== 0;
  const others = (directoryMode & 0o001) !== 0 && (fileMode & 0o006) !== 0;
  // Who may write to the directory may put another file in its place.
  if (!group && !others && (directoryMode & 0o022) === 0) return null;
  return { directory: modeOf(directoryMode), file: modeOf(fileMode) };
}
