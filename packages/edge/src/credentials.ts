import { readFileSync } from 'node:fs';
import type { NatsCredentials } from '@dunlin/backplane-nats';
import type { Logger } from '@dunlin/broker';
import type { Configuration } from '@dunlin/config';
import type { RedisCredentials } from '@dunlin/store-redis';
import { SecretFile } from './secret-file.ts';

/**
 * The URL with the password of a file in it: in the place of one that stands there, after the user if there is one. Of several servers in a URL the first
 * gets it, which stands for all. The line break at the end of the file is not part of the password.
 */
export function withPassword(url: string, passwordFile: string, soleCredential: 'password' | 'token'): string {
  if (passwordFile === '') return url;
  const password = encodeURIComponent(readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, ''));
  return url.replace(/^([a-z+]+:\/\/)(?:([^@/,:]*)(?::[^@/]*)?@)?/, (_, scheme: string, user = '') => {
    if (user === '' && soleCredential === 'token') return `${scheme}${password}@`;
    return `${scheme}${user}:${password}@`;
  });
}

/**
 * Credentials for Redis, read again for every connection. Files that cannot be read stop the start; later their last
 * content is used.
 * @throws the file system's error
 */
export function redisCredentials({ store }: Configuration, logger: Logger): () => Promise<RedisCredentials> {
  const open = (path: string): SecretFile => new SecretFile(path, 'Redis', logger);
  const password = open(store.passwordFile);
  const sentinelPassword = open(store.sentinelPasswordFile);
  const [ca, certificate, key] = [store.tlsCaFile, store.tlsCertificateFile, store.tlsKeyFile].map(open);
  return async () => ({
    ...named('password', await password.readText()),
    ...named('sentinelPassword', await sentinelPassword.readText()),
    ...named('ca', await ca.read()),
    ...named('certificate', await certificate.read()),
    ...named('key', await key.read()),
  });
}

/** The same for a Redis that has nothing but tokens of devices. */
export function tokenCredentials({ deviceTokens }: Configuration, logger: Logger): () => Promise<RedisCredentials> {
  const password = new SecretFile(deviceTokens.passwordFile, 'Redis', logger);
  return async () => named('password', await password.readText());
}

/** The same for NATS. */
export function natsCredentials({ backplane }: Configuration, logger: Logger): () => Promise<NatsCredentials> {
  const open = (path: string): SecretFile => new SecretFile(path, 'NATS', logger);
  const [secret, userFile] = [backplane.passwordFile, backplane.credentialsFile].map(open);
  const [ca, certificate, key] = [backplane.tlsCaFile, backplane.tlsCertificateFile, backplane.tlsKeyFile].map(open);
  return async () => ({
    ...named('secret', await secret.readText()),
    ...named('userFile', await userFile.read()),
    ...named('ca', await ca.read()),
    ...named('certificate', await certificate.read()),
    ...named('key', await key.read()),
  });
}

/** Absent where there is nothing. */
function named<Name extends string, Value>(name: Name, value: Value | null): { [name in Name]?: Value } {
  return value === null ? {} : ({ [name]: value } as { [name in Name]: Value });
}
