import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Takes a data directory for this process: a second node in it would count the first one's sessions as left behind by the dead. The lock is a
 * name in Linux's abstract socket space, which the system frees with the process, however it ends. On other systems there is none.
 * @returns what gives the directory back
 * @throws when another process has it
 */
export async function lockData(path: string): Promise<() => void> {
  if (process.platform !== 'linux') return () => undefined;
  mkdirSync(path, { recursive: true });
  const digest = createHash('sha256').update(realpathSync(path)).digest('hex');
  const lock = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    lock.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? new DataInUseError(`another node uses the data directory ${path}`, { cause })
          : cause,
      );
    });
    lock.listen(`\0dunlin-data-${digest}`, resolve);
  });
  lock.unref();
  return () => lock.close();
}

/** The data directory belongs to a process that runs. */
export class DataInUseError extends Error {}
