import type { AccessTexts } from '@dunlin/auth';
import { type Configuration, ConfigurationError, type Problem } from '@dunlin/config';
import { clusterSigning } from './backplane/cluster-signing.ts';
import { isInCluster, isStoreRemote, readAccess } from './compose.ts';
import { natsCredentials, redisCredentials, withPassword } from './credentials.ts';
import { readTlsMaterial } from './listeners/read-tls-material.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Reads everything that a start reads beyond the configuration itself: users, rules, keys, certificates, and what stands in the URLs of servers. Nothing is opened
 * and nobody is asked.
 * @returns what says who may enter and who may do what, for a node that starts with it
 * @throws ConfigurationError with everything that cannot be used
 */
export async function checkFiles(configuration: Configuration): Promise<AccessTexts | null> {
  const problems: Problem[] = [];
  const check = async (where: string, read: () => unknown): Promise<void> => {
    try {
      await read();
    } catch (error) {
      problems.push({ where, message: (error as Error).message, suggestion: '' });
    }
  };
  let accessTexts: AccessTexts | null = null;
  await check('authentication, authorization and jwt', async () => {
    accessTexts = await readAccess(configuration);
  });
  for (const [index, listener] of configuration.listeners.entries())
    await check(`listeners[${index}]`, () => readTlsMaterial(listener));
  const { store, backplane, deviceTokens } = configuration;
  await check(
    'store.url',
    () => isStoreRemote(configuration) && readRedisUrl(withPassword(store.url, store.passwordFile, 'password')),
  );
  // The files for the connections themselves: certificates, keys, further passwords.
  await check('store', () => isStoreRemote(configuration) && redisCredentials(configuration, silent));
  await check('backplane', () => isInCluster(configuration) && natsCredentials(configuration, silent));
  await check('cluster.secretFile', () => isInCluster(configuration) && clusterSigning(configuration, silent));
  await check('deviceTokens.redisUrl', () =>
    readRedisUrl(withPassword(deviceTokens.redisUrl, deviceTokens.passwordFile, 'password')),
  );
  await check(
    'backplane.url',
    () => isInCluster(configuration) && readNatsUrl(withPassword(backplane.url, backplane.passwordFile, 'token')),
  );
  if (problems.length > 0) throw new ConfigurationError(problems);
  return accessTexts;
}

async function readRedisUrl(url: string): Promise<void> {
  if (url === '') return;
  const { parseRedisUrl } = await import('@dunlin/store-redis');
  parseRedisUrl(url);
}

async function readNatsUrl(url: string): Promise<void> {
  const { parseServers } = await import('@dunlin/backplane-nats');
  parseServers(url);
}
