import { statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes the socket file that a killed process has left behind. It is removed if no process answers there; a file of
 * another kind stays.
 */
export function removeStaleSocket(path: string): Promise<void> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve();
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' && statSync(path).isSocket()) unlinkSync(path);
      resolve();
    });
  });
}
