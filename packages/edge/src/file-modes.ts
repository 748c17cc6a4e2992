/** Files whose modes let other users of the machine in: said at the start, as of the data directory. */
import { statSync } from 'node:fs';
import type { Logger } from '@dunlin/broker';
import type { Configuration } from '@dunlin/config';
import { events } from './log-events.ts';

const othersRead = 0o004;
const othersWrite = 0o002;

/** Files with a password, a key or hashes of passwords. */
function secretFiles({
  authentication,
  jwt,
  store,
  backplane,
  cluster,
  deviceTokens,
  httpAuth,
  listeners,
}: Configuration): string[] {
  const keys = listeners.flatMap(({ tls }) => tls?.certificates.map(({ key }) => key) ?? []);
  const { passwordFile, sentinelPasswordFile, tlsKeyFile } = store;
  return [
    ...[authentication.passwordFile, jwt.secretFile, passwordFile, sentinelPasswordFile, tlsKeyFile],
    ...[
      httpAuth.headersFile,
      deviceTokens.passwordFile,
      backplane.passwordFile,
      cluster.secretFile,
      backplane.credentialsFile,
      backplane.tlsKeyFile,
      ...keys,
    ],
  ];
}

/** A file that is not there is somebody else's to complain of. */
export function warnOfOpenFiles(configuration: Configuration, logger: Logger): void {
  const secrets = secretFiles(configuration);
  const { authorization, jwt, listeners } = configuration;
  const authorities = listeners.flatMap(({ tls }) => [tls?.clientCa ?? '', tls?.clientCrl ?? '']);
  const readable = withMode(secrets, othersRead);
  const writable = withMode([...secrets, authorization.rulesFile, jwt.keyFile, ...authorities], othersWrite);
  if (readable.length > 0) logger.warn(events['files.exposed'], { files: readable });
  if (writable.length > 0)
    logger.warn(events['files.writable'], {
      files: writable,
    });
}

/** Each as `FILE (0644)`. */
function withMode(files: readonly string[], bit: number): string[] {
  return [...new Set(files)].flatMap((file) => {
    const mode = file === '' ? undefined : statSync(file, { throwIfNoEntry: false })?.mode;
    return mode === undefined || (mode & bit) === 0 ? [] : [`${file} (0${(mode & 0o777).toString(8)})`];
  });
}
