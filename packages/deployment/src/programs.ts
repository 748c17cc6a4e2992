import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgramFile, MissingProgramError } from '@dunlin/testkit';

/**
 * Directory for what `.ci/install-deployment-programs` builds: outside of the tree, so that a new checkout finds it.
 */
export const cacheDirectory = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'dunlin');

/**
 * Programs that check and run the files of a deployment. Each may be named by a variable; the rest is how a person gets
 * it.
 */
const programs = {
  'docker-compose': { variable: 'DOCKER_COMPOSE', install: 'apt-get install docker-compose' },
  haproxy: { variable: 'HAPROXY', install: 'apt-get install haproxy' },
  helm: { variable: 'HELM', install: '.ci/install-deployment-programs' },
  'kubernetes-validate': { variable: 'KUBERNETES_VALIDATE', install: '.ci/install-deployment-programs' },
  'nats-server': { variable: 'NATS_SERVER', install: 'apt-get install nats-server' },
  prometheus: { variable: 'PROMETHEUS', install: 'apt-get install prometheus' },
  promtool: { variable: 'PROMTOOL', install: 'apt-get install prometheus' },
  'redis-server': { variable: 'REDIS_SERVER', install: 'apt-get install redis-server' },
} as const;

export type ProgramName = keyof typeof programs;

/** Directories of programs that are not on everyone's PATH. */
const furtherDirectories = [
  cacheDirectory,
  join(cacheDirectory, 'kubernetes-validate', 'bin'),
  '/usr/sbin',
  '/sbin',
  join(homedir(), 'go', 'bin'),
];

/**
 * The path of a program: the file its variable names, or the first in the cache, on the PATH and in the usual places.
 * @throws MissingProgramError
 */
export function programPath(name: ProgramName): string {
  const { variable, install } = programs[name];
  const found = findProgramFile(name, { variable, before: [cacheDirectory], after: furtherDirectories });
  if (found === undefined) throw new MissingProgramError(name, `${install}; or name the file in ${variable}`);
  return found;
}
