import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { findProgramFile, MissingProgramError } from '@dunlin/testkit';

/** The programs a cluster is made of beside our own. */
export type ProgramFile = 'nats-server' | 'redis-server' | 'haproxy';

interface ProgramSource {
  /** The variable of the environment that names another file. */
  readonly variable: string;
  /** Command that a person types to get it. */
  readonly install: string;
}

const programSources: Readonly<Record<ProgramFile, ProgramSource>> = {
  'nats-server': { variable: 'NATS_SERVER', install: 'go install github.com/nats-io/nats-server/v2@latest' },
  'redis-server': { variable: 'REDIS_SERVER', install: 'apt-get install redis-server' },
  haproxy: { variable: 'HAPROXY', install: 'apt-get install haproxy' },
};

/** Directories of servers that are not on everyone's PATH: Debian's packages, and what `go install` builds. */
const furtherDirectories = ['/usr/sbin', '/sbin', '/usr/local/sbin', join(homedir(), 'go', 'bin')];

/**
 * The path of a program: the file its variable names, or the first of that name on the PATH and in the usual places for servers.
 * @throws MissingProgramError
 */
export function findProgram(program: ProgramFile, environment: NodeJS.ProcessEnv = process.env): string {
  const { variable, install } = programSources[program];
  const found = findProgramFile(program, { variable, after: furtherDirectories, environment });
  if (found === undefined) throw new MissingProgramError(program, `${install}; or name the file in ${variable}`);
  return found;
}

const checkout = dirname(dirname(dirname(import.meta.dirname)));

/** `packages/cli/bin/dunlin.js` of this checkout. */
export const dunlinCommand = join(checkout, 'packages', 'cli', 'bin', 'dunlin.js');

/** A file that docker-compose.yml gives to a program, and `npm run cluster` too. */
export function composeFile(name: string): string {
  return join(checkout, 'compose', name);
}
