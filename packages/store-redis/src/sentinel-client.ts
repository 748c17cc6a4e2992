import { isDeepStrictEqual } from 'node:util';
import { Redis } from 'ioredis';
import type { Settings } from './options.ts';
import { RedisConnectionError } from './redis-connection-error.ts';

/** Wait before a lost Sentinel is connected to again: until then it cannot report a failover. */
const retryMilliseconds = 2000;

/** A client of the master that Sentinel names, not connected yet. */
export async function createSentinelClient(settings: Settings): Promise<Redis> {
  const { target } = settings;
  const shown = await settings.sentinel();
  const redis: Redis = new Redis({
    ...(await settings.connection()),
    ...shown,
    sentinels: target.addresses.map((address) => ({ ...address })),
    name: target.masterName,
    role: 'master',
    sentinelRetryStrategy: () => null,
    // Sentinels report at once that another server is master now; the old one itself accepts writes for some 10 s more,
    // and loses them.
    failoverDetector: true,
    sentinelReconnectStrategy: () => {
      watch();
      return retryMilliseconds;
    },
    enableTLSForSentinelMode: target.tls,
  });
  let timer: NodeJS.Timeout | undefined;
  let hasEnded = false;
  // The connections of the client to Sentinels live as long as it does, and are made again with the first credentials:
  // when these have changed, Sentinels refuse them, and failovers are not reported. So after one was lost, a new client
  // is made with the new credentials.
  const watch = (): void => {
    if (timer !== undefined || hasEnded) return;
    timer = setInterval(async () => {
      if (isDeepStrictEqual(await settings.sentinel(), shown) || hasEnded) return;
      redis.emit(
        'error',
        new RedisConnectionError('sentinel-credentials', 'the password or certificate for Sentinel has changed'),
      );
      redis.disconnect();
    }, retryMilliseconds);
    timer.unref();
  };
  redis.on('end', () => {
    hasEnded = true;
    clearInterval(timer);
  });
  return redis;
}
