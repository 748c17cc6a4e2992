/** Redis and NATS that are reached over a network without TLS or without a password: said at the start. */
import type { Logger } from '@dunlin/broker/ports';
import { type Configuration, withoutSecrets } from '@dunlin/config';
import { events } from './log-events.ts';
import { isLoopbackHost } from './loopback-host.ts';

/** Servers of a URL with one or several addresses: `host:port`. */
function hostsOf(url: string): string[] {
  const [, hosts = ''] =
    /^[a-z+]+:\/\/(?:.*@)?([^/?]*)/i.exec(url.replaceAll(/,\s*[a-z+]+:\/\/(?:[^@,]*@)?/gi, ',')) ?? [];
  return hosts.split(',').filter((host) => host !== '');
}

interface Way {
  server: 'Redis' | 'NATS';
  url: string;
  hasTls: boolean;
  hasPassword: boolean;
}

function waysOf({ store, backplane }: Configuration): Way[] {
  const inUrl = (url: string): boolean => /^[a-z+]+:\/\/[^/]*@/i.test(url);
  const redis: Way = {
    server: 'Redis',
    url: store.kind === 'redis' ? store.url : '',
    hasTls: store.url.startsWith('rediss'),
    hasPassword: store.passwordFile !== '' || store.tlsCertificateFile !== '' || inUrl(store.url),
  };
  const { url, passwordFile, credentialsFile, tlsCaFile, tlsCertificateFile } = backplane;
  const nats: Way = {
    ...{ server: 'NATS', url },
    hasTls: url.startsWith('tls:') || tlsCaFile !== '' || tlsCertificateFile !== '',
    hasPassword: [passwordFile, credentialsFile, tlsCertificateFile].some((file) => file !== '') || inUrl(url),
  };
  return [redis, nats].filter((way) => way.url !== '');
}

/** Warns of each way: on it everything can be read, and without a password everybody can be a node. */
export function warnOfExposedServers(configuration: Configuration, logger: Logger): void {
  for (const { server, url, hasTls, hasPassword } of waysOf(configuration)) {
    if (hostsOf(url).every(isLoopbackHost)) continue;
    const missing = [
      ...(hasTls ? [] : ['TLS']),
      ...(hasPassword ? [] : ['a password']),
      ...(server === 'NATS' && configuration.cluster.secretFile === '' ? ['cluster.secretFile'] : []),
    ];
    if (hasTls && hasPassword) continue;
    logger.warn(events['server.exposed'], { server, url: withoutSecrets(url), missing });
  }
}
