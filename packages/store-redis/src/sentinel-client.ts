import { isDeepStrictEqual } from 'node:util';
import { Redis } from 'ioredis';
import type { Settings } from './options.ts';
import { RedisConnectionError } from './redis-connection-error.ts';

/** A Sentinel that was lost is connected to again after so long: until then a failover is not heard of from it. */
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
    // Sentinels say at once that another server is master now; the old one itself goes on taking writes for some 10 s, and loses them.
    failoverDetector: true,
    sentinelReconnectStrategy: () => {
      watch();
      return retryMilliseconds;
    },
    enableTLSForSentinelMode: target.tls,
  });
  let timer: NodeJS.Timeout | undefined;
  let hasEnded = false;
  // The client's connections to Sentinels live as long as it does, and are made again with what they were made with first: when that is another
  // by now, Sentinels refuse them, and failovers are not heard of. So once one was lost, the client is made anew for other credentials.
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
