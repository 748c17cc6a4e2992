// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from '@dunlin/broker';
import type { RedisConnectionError } from './redis-connection-error.ts';
import type { RedisUrlError } from './redis-url.ts';
import type { RefusedError } from './server-check.ts';

const retried = 'log: field `error` of the line about the connection to Redis; the node is not ready meanwhile';

export const errorTable = {
  RedisUrlError: {
    'redis-url': {
      says: 'what is wrong in the URL, the URL without its password, and the forms that are allowed',
      thrownWhen: '`store.url` or `deviceTokens.redisUrl` cannot be read',
      remedy: 'Write the URL in one of the forms that the message names.',
      surfaces: 'as a fault of the configuration: exit code 2',
    },
  },
  RefusedError: {
    'server-refused': {
      says: 'what Redis is, and what the store needs: a version, the role of a master, an append-only file, a permission',
      thrownWhen: 'Redis answers, and cannot be used as it is set up',
      remedy:
        'Change Redis, or `store.url` and `store.durability`, as the message says. The node tries again by itself.',
      surfaces: 'log: the message is the text of an error line; the node is not ready meanwhile',
    },
  },
  RedisConnectionError: {
    'redis-closed': {
      says: 'the connection was closed',
      thrownWhen: 'Redis, or something on the way to it, ends a connection without an error',
      remedy: 'Look into the log of Redis. The node connects again by itself.',
      surfaces: retried,
    },
    'redis-silent': {
      says: 'the server has owed an answer for N ms',
      thrownWhen: 'Redis does not answer in time, on a connection that is open',
      remedy: 'Look at the load of Redis and at the network. The node connects again by itself.',
      surfaces: retried,
    },
    'redis-not-serving': {
      says: 'the server is a replica; or: the Cluster does not serve yet',
      thrownWhen: 'a server of a Redis Cluster cannot take calls at present',
      remedy: 'None for some seconds after a failover or a start; otherwise see to the Cluster.',
      surfaces: retried,
    },
    'redis-no-address': {
      says: 'no address',
      thrownWhen: 'no server of the Redis Cluster is known that could be asked',
      remedy: 'Name servers of the Cluster that run in `store.url`.',
      surfaces: retried,
    },
    'sentinel-credentials': {
      says: 'the password or certificate for Sentinel has changed',
      thrownWhen:
        'a file with a password or certificate for Sentinel was replaced after a connection to a Sentinel was lost',
      remedy: 'None: the node connects again with what the file holds now.',
      surfaces: retried,
    },
  },
} satisfies ErrorTable<{
  RedisUrlError: RedisUrlError;
  RefusedError: RefusedError;
  RedisConnectionError: RedisConnectionError;
}>;
