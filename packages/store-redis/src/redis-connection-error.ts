import { CodedError } from '@dunlin/broker/ports';

export type RedisConnectionErrorCode =
  | 'redis-closed'
  | 'redis-silent'
  | 'redis-no-address'
  | 'redis-not-serving'
  | 'sentinel-credentials';

/** The connection to a server has ended, or cannot be used yet; it is tried again. */
export class RedisConnectionError extends CodedError<RedisConnectionErrorCode> {}

export function connectionClosed(): RedisConnectionError {
  return new RedisConnectionError('redis-closed', 'the connection was closed');
}
