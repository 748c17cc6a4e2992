import { logEvents } from '@dunlin/broker/ports';

/** Log lines of this package; log-meanings.ts says what they mean. */
export const events = logEvents({
  'cluster-secret.changed': {
    level: 'info',
    message: 'the secret of the cluster has changed',
    fields: ['secrets'],
  },
  'endpoint.died': {
    level: 'warn',
    message: 'an endpoint is dead',
    fields: ['endpoint', 'why'],
  },
  'endpoint.evict-failed': {
    level: 'warn',
    message: 'a replaced endpoint could not be evicted; its lease ends by itself',
    fields: ['endpoint', 'error'],
  },
  'endpoint.evicted': {
    level: 'error',
    message: 'this endpoint was evicted, and starts again under a new number',
    fields: ['by', 'why'],
  },
  'endpoint.replaced': {
    level: 'warn',
    message: 'an endpoint was replaced by a newer one of the same place',
    fields: ['endpoint', 'by'],
  },
  'event-loop.stalled': {
    level: 'warn',
    message: 'this endpoint stood still for longer than its lease',
    fields: ['milliseconds'],
  },
  'frame.handle-failed': {
    level: 'error',
    message: 'a message of another endpoint could not be handled',
    fields: ['error'],
  },
  'frame.oversized': {
    level: 'error',
    message: 'a frame is too large for the backplane, and was not sent',
    fields: ['bytes', 'piece'],
  },
  'frame.refused': {
    level: 'error',
    message: 'a message of another endpoint is refused',
    fields: ['from', 'reason', 'messages', 'error?'],
  },
  'lease.expired': {
    level: 'error',
    message: 'neither the store nor NATS can be reached, and the lease is over',
    fields: [],
  },
  'lease.regained': {
    level: 'info',
    message: 'this endpoint is known to live again',
    fields: [],
  },
  'lease.release-failed': {
    level: 'warn',
    message: 'the lease could not be given up',
    fields: ['error'],
  },
  'lease.renew-failed': {
    level: 'warn',
    message: 'the lease could not be renewed; the worker tries again',
    fields: ['error'],
  },
  'membership.handle-failed': {
    level: 'error',
    message: 'a change among the endpoints could not be handled',
    fields: ['error'],
  },
  'nats.connect-failed': {
    level: 'error',
    message: 'NATS cannot be reached; the node tries again until it can',
    fields: ['servers', 'error', 'errorCode?'],
  },
  'nats.connected': {
    level: 'info',
    message: 'the node is connected to NATS',
    fields: ['server'],
  },
  'nats.connection-lost': {
    level: 'warn',
    message: 'the connection to NATS is lost; the node connects again',
    fields: ['servers', 'error?', 'errorCode?'],
  },
  'nats.credentials-refused': {
    level: 'error',
    message: 'NATS refuses the credentials; the node tries again slowly',
    fields: ['servers', 'user?'],
  },
  'nats.error-reported': {
    level: 'error',
    message: 'NATS reports an error',
    fields: ['error', 'errorCode?'],
  },
  'nats.permission-denied': {
    level: 'error',
    message: 'NATS does not allow what this node needs; the node tries again slowly',
    fields: ['servers', 'user?', 'refused'],
  },
  'nats.publish-failed': {
    level: 'error',
    message: 'NATS did not take a message',
    fields: ['error'],
  },
  'release.differed': {
    level: 'info',
    message: 'another node runs another release',
    fields: ['endpoint', 'release', 'own'],
  },
});
