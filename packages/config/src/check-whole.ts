import { readFileSync } from 'node:fs';
import { checkAccessPolicies, settleAccessPolicies } from './check-access-policies.ts';
import type { Configuration } from './configuration.ts';
import { clusterDrainDelaySeconds, drainEndSeconds } from './drain-keys.ts';
import { type Key, keys } from './keys.ts';
import type { Problem } from './problem.ts';
import { withoutSecrets } from './secret.ts';
import { redisUrlForms } from './store-keys.ts';

/**
 * Values that follow from several keys together, filled in: a URL of Redis means Redis, and Redis is asked for no more
 * than every one of its versions can promise unless that was said; in a cluster there is a load balancer that has to
 * notice.
 */
export function fillIn(configuration: Configuration, origins: ReadonlyMap<string, string>): void {
  const { store, backplane, drain } = configuration;
  if (store.url !== '' && !origins.has('store.kind')) store.kind = 'redis';
  if (store.kind === 'redis' && !origins.has('store.durability')) store.durability = 'memory';
  settleAccessPolicies(configuration, origins);
  if (backplane.url !== '' && !origins.has('drain.delaySeconds'))
    drain.delaySeconds = Math.min(clusterDrainDelaySeconds, drain.graceSeconds - drainEndSeconds);
}

/** Checks keys against each other that are right each for itself. */
export function checkWhole(configuration: Configuration, origins: ReadonlyMap<string, string>): Problem[] {
  const { store, backplane, cluster, drain, deviceTokens, httpAuth } = configuration;
  const problems: Problem[] = [];
  const refuse = (path: string, rest: string, suggestion = ''): void => {
    problems.push({ where: origins.get(path) ?? path, message: `${path}: ${rest}`, suggestion });
  };
  if (store.kind === 'redis' && store.url === '') refuse('store.kind', `redis needs store.url: ${redisUrlForms}`);
  if (store.kind !== 'redis' && store.durability === 'replicated')
    refuse('store.durability', `given "replicated", allowed with store.kind ${store.kind}: fsync, memory`);
  if (backplane.url !== '' && store.kind !== 'redis') {
    refuse(
      'backplane.url',
      `given "${withoutSecrets(backplane.url)}" with store.kind ${store.kind}, allowed: with a store that nodes share, store.kind redis`,
      'give --store redis://HOST:PORT, or leave the backplane out for a node alone',
    );
  }
  if (cluster.allowUnsigned && cluster.secretFile === '')
    refuse('cluster.allowUnsigned', 'given without cluster.secretFile: nothing is signed, and everything is heard');
  if (deviceTokens.passwordFile !== '' && deviceTokens.redisUrl === '')
    refuse(
      'deviceTokens.passwordFile',
      'given without deviceTokens.redisUrl',
      'the Redis of the store has store.passwordFile',
    );
  if (httpAuth.format === 'emqx' && httpAuth.superuserUrl !== '')
    refuse(
      'httpAuth.superuserUrl',
      'given with httpAuth.format emqx, where the answer to the sign-in says is_superuser',
    );
  if (httpAuth.format === 'emqx' && httpAuth.answers !== 'status')
    refuse('httpAuth.answers', `given "${httpAuth.answers}" with httpAuth.format emqx, allowed with go-auth alone`);
  problems.push(...checkAccessPolicies(configuration, origins));
  if (drain.delaySeconds + drainEndSeconds > drain.graceSeconds) {
    const allowed = `0 to ${drain.graceSeconds - drainEndSeconds} with drain.graceSeconds ${drain.graceSeconds}`;
    refuse(
      'drain.delaySeconds',
      `given ${drain.delaySeconds}, allowed: ${allowed}, of which the end takes ${drainEndSeconds}`,
    );
  }
  for (const key of keys) if (key.isFile) checkFile(key, configuration, refuse);
  return problems;
}

/** A missing password file is an error at the start, not later. */
function checkFile(key: Key, configuration: Configuration, refuse: (path: string, rest: string) => void): void {
  const file = key.path
    .split('.')
    .reduce((value: unknown, step) => (value as Record<string, unknown>)[step], configuration);
  if (file === '') return;
  try {
    readFileSync(file as string);
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    refuse(
      key.path,
      `the file ${file} cannot be read: ${isMissing ? 'there is no such file' : (cause as Error).message}`,
    );
  }
}
