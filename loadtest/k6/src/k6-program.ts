import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgramFile, MissingProgramError } from '@dunlin/testkit';

/** The version the scenarios are written for; `.ci/install-deployment-programs` builds it. */
export const k6Version = 'v1.8.1';

const howToGet = `.ci/install-deployment-programs, or go install go.k6.io/k6@${k6Version} (about two minutes); or name the file in K6`;

/**
 * The path of k6: the file that `K6` names, or the first where our script puts it, on the PATH, and where `go install` puts it.
 * @throws MissingProgramError
 */
export function findK6(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'dunlin');
  const after = [join(homedir(), 'go', 'bin')];
  const found = findProgramFile('k6', { variable: 'K6', before: [cache], after, environment });
  if (found === undefined) throw new MissingProgramError('k6', howToGet);
  return found;
}
