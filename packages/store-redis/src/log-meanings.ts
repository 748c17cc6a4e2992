// For docs/log.md alone: nothing that runs in a node imports it.
import type { LogMeanings } from '@dunlin/broker';
import { events } from './log-events.ts';

export { events };

export const meanings: LogMeanings<typeof events> = {
  'redis.cluster-unreachable': {
    meaning:
      'No server of those in `store.url`, or known since, gave the map of the slots. For the clients it is as if Redis were away.',
    action: 'Look at `error` (of the first server), at the servers, and at the network between.',
  },
  'redis.connect-failed': {
    meaning:
      'No connection to the server could be made, or the one there was has ended. Durable sessions that connect are refused (0x88), publishes to durable filters wait; ephemeral clients are served. Written once until it works again.',
    action: 'Look at `error`, at Redis, and at the network between. The nodes need nothing.',
  },
  'redis.connected': {
    meaning:
      'The first connection to this server is up, and the server passed the checks of version, role, durability and permissions.',
    action: '',
  },
  'redis.connection-ended': {
    meaning:
      'Redis answered in a way that makes this connection useless: a failover is under way, it reads its file after a start, it has lost the scripts of the store, or a permission was taken away.',
    action: 'Nothing when it is followed by `redis.recovered`. Otherwise see to what `reason` says.',
  },
  'redis.eviction-allowed': {
    meaning:
      'With this `maxmemory-policy` Redis throws keys away when its memory is full. They are sessions and messages that were acknowledged.',
    action: '`CONFIG SET maxmemory-policy noeviction`, and the same in redis.conf.',
  },
  'redis.eviction-stopped': {
    meaning: 'The `maxmemory-policy` is `noeviction` now, or there is no limit of memory.',
    action: '',
  },
  'redis.maxmemory-found': {
    meaning: '`maxmemory` was set after `redis.maxmemory-missed`.',
    action: '',
  },
  'redis.maxmemory-missed': {
    meaning:
      'Redis has no `maxmemory`. When the machine has no more memory the kernel ends Redis, and what its durability does not cover is lost; with a limit it refuses writes instead, and publishers wait.',
    action: 'Set `maxmemory` below the memory of the machine or container.',
  },
  'redis.reconnected': {
    meaning: 'The connection is up again after `redis.connect-failed`. What waited is stored now.',
    action: '',
  },
  'redis.recovered': {
    meaning: 'The server is accepted again after `redis.refused` or `redis.connection-ended`.',
    action: '',
  },
  'redis.refused': {
    meaning:
      'The server answers and cannot be the store: the password or a permission is refused, TLS fails, it is a replica or part of a Cluster, its version is too old, or it lacks the append-only file that `store.durability: fsync` needs. For the clients it is as if Redis were away. The node tries again every five seconds.',
    action: 'Do what `error` says. No restart of the node is needed.',
  },
};
