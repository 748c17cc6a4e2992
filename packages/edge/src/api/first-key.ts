import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { AdminKeyStore } from '@dunlin/broker/ports';
import { hashOf, newKey } from './keys.ts';

/** Path of the first key in a data directory. */
export function firstKeyFile(dataDirectory: string): string {
  return join(resolve(dataDirectory), 'admin.key');
}

/**
 * Makes the first key of a store that has none, and writes it to the data directory for the one user who runs the node.
 * Returns the path; null: there are keys, or the file is there: then its key was revoked.
 */
export async function writeFirstKey(dataDirectory: string, keys: AdminKeyStore): Promise<string | null> {
  const path = firstKeyFile(dataDirectory);
  if (existsSync(path) || (await keys.list()).length > 0) return null;
  const key = newKey();
  writeFileSync(path, `${key}\n`, { mode: 0o600, flag: 'wx' });
  try {
    const createdAt = Date.now();
    await keys.put({ name: 'first', scope: 'admin', hash: hashOf(key), by: 'the first start', createdAt, usedAt: 0 });
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
  return path;
}
