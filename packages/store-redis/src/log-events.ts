import { logEvents } from '@dunlin/broker/ports';

/** Log lines of this package; log-meanings.ts says what they mean. */
export const events = logEvents({
  'redis.cluster-unreachable': {
    level: 'warn',
    message: 'no server of the Redis Cluster answers; the node tries again until one does',
    fields: ['address', 'error', 'errorCode?'],
  },
  'redis.connect-failed': {
    level: 'warn',
    message: 'Redis is unreachable; the node tries again until it answers',
    fields: ['address', 'error', 'errorCode?'],
  },
  'redis.connected': {
    level: 'info',
    message: 'the node is connected to Redis',
    fields: ['address'],
  },
  'redis.connection-ended': {
    level: 'warn',
    message: 'the connection to Redis has ended, and is made again',
    fields: ['address', 'reason', 'error', 'errorCode?'],
  },
  'redis.eviction-allowed': {
    level: 'warn',
    message: 'Redis may evict stored sessions and messages: set maxmemory-policy noeviction',
    fields: ['address', 'policy'],
  },
  'redis.eviction-stopped': {
    level: 'info',
    message: 'Redis evicts nothing any more',
    fields: ['address'],
  },
  'redis.maxmemory-found': {
    level: 'info',
    message: 'the memory of Redis has a limit now',
    fields: ['address'],
  },
  'redis.maxmemory-missed': {
    level: 'warn',
    message:
      'Redis takes as much memory as there is, and is killed when there is no more: set maxmemory, so that it refuses writes before',
    fields: ['address', 'machineBytes'],
  },
  'redis.reconnected': {
    level: 'info',
    message: 'Redis is reachable again',
    fields: ['address'],
  },
  'redis.recovered': {
    level: 'info',
    message: 'Redis can be used again',
    fields: ['address'],
  },
  'redis.refused': {
    level: 'error',
    message: 'Redis cannot be used until somebody changes it',
    fields: ['address', 'error', 'errorCode?'],
  },
});
