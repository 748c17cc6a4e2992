/** Tokens that are accepted more widely than most operators want: said at the start. */
import type { Logger } from '@dunlin/broker/ports';
import { type Configuration, withoutSecrets } from '@dunlin/config';
import { events } from './log-events.ts';
import { isLoopbackHost } from './loopback-host.ts';

export function warnOfLooseTokens({ jwt, listeners }: Configuration, logger: Logger): void {
  if (!listeners.some(({ methods }) => methods.includes('jwt'))) return;
  if (jwt.audience === '') logger.warn(events['jwt.audience-unset']);
  if (jwt.jwksUrl === '') return;
  const { protocol, host } = new URL(jwt.jwksUrl);
  if (protocol === 'http:' && !isLoopbackHost(host))
    logger.warn(events['jwks.exposed'], { url: withoutSecrets(jwt.jwksUrl) });
}
