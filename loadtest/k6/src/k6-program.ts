import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The version the scenarios are written for; `.ci/install-deployment-programs` builds it. */
export const k6Version = 'v1.8.1';

/** k6 is not installed. The message says how to get it. */
export class MissingK6Error extends Error {
  constructor() {
    super(
      `k6 is not installed: .ci/install-deployment-programs, or go install go.k6.io/k6@${k6Version} (about two minutes); or name the file in K6`,
    );
    this.name = 'MissingK6Error';
  }
}

/**
 * The path of k6: the file that `K6` names, or the first where our script puts it, on the PATH, and where `go install` puts it.
 * @throws MissingK6Error
 */
export function findK6(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'dunlin');
  const directories = [cache, ...(environment.PATH ?? '').split(delimiter), join(homedir(), 'go', 'bin')];
  const named = environment.K6;
  const candidates = named === undefined ? directories.map((directory) => join(directory, 'k6')) : [named];
  const found = candidates.find(isExecutable);
  if (found === undefined) throw new MissingK6Error();
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
