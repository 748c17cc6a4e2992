import { logEvents } from './logger.ts';

/** Fields of a client whose connection there is. */
const client = ['client', 'user', 'address', 'listener'] as const;

/** Log lines of the broker; log-meanings.ts says what they mean. */
export const events = logEvents({
  'append.refused': {
    level: 'warn',
    message: 'a message was not stored for durable sessions, since all logs together are full',
    fields: ['client', 'topic', 'reason'],
  },
  'bans.read-failed': {
    level: 'warn',
    message: 'bans could not be read; those that are known hold, and the worker tries again',
    fields: ['error'],
  },
  'bans.write-failed': {
    level: 'warn',
    message: 'a ban could not be written; it holds on this worker alone',
    fields: ['error'],
  },
  'client.ban-made': {
    level: 'warn',
    message: 'a client failed to sign in too often, or came and went, and is banned for a while',
    fields: [...client, 'reason'],
  },
  'client.banned': {
    level: 'info',
    message: 'a client is banned and was disconnected',
    fields: [...client, 'reason'],
  },
  'client.connected': {
    level: 'info',
    message: 'client connected',
    fields: [...client, 'version', 'cleanStart', 'sessionPresent', 'keepAliveSeconds'],
  },
  'client.disconnected': {
    level: 'info',
    message: 'client disconnected',
    fields: [...client, 'version', 'reason', 'code?', 'durationSeconds'],
  },
  'connect.handle-failed': {
    level: 'error',
    message: 'CONNECT could not be handled',
    fields: ['client', 'address', 'error'],
  },
  'connection.aborted': {
    level: 'error',
    message: 'a connection was given up',
    fields: ['client', 'address', 'error'],
  },
  'connection.refused': {
    level: 'info',
    message: 'connection refused',
    fields: ['client?', 'user?', 'address', 'listener', 'reason', 'code?', 'given?', 'allowed?'],
  },
  'cursor.end-failed': {
    level: 'warn',
    message: 'a cursor could not be ended',
    fields: ['error', 'again'],
  },
  'dead-letter.publish-failed': {
    level: 'warn',
    message: 'a dead letter cannot be published',
    fields: ['group', 'error'],
  },
  'delayed.denied': {
    level: 'warn',
    message: 'a delayed message that is not allowed any more was dropped',
    fields: ['client', 'topic'],
  },
  'delayed.dropped': {
    level: 'error',
    message: 'a delayed message cannot be published and is dropped',
    fields: ['error'],
  },
  'delayed.refused': {
    level: 'warn',
    message: 'a message was not kept for later, since a quota is used up',
    fields: ['client', 'user', 'error'],
  },
  'delayed.store-failed': {
    level: 'warn',
    message: 'a delayed message could not be stored; it is tried again',
    fields: ['error'],
  },
  'durable-filters.load-failed': {
    level: 'warn',
    message: 'the durable filters could not be loaded; the worker tries again',
    fields: ['error'],
  },
  'endpoint.released': {
    level: 'info',
    message: 'the sessions and wills of a dead worker were released',
    fields: ['endpoint'],
  },
  'frame.entry-failed': {
    level: 'error',
    message: 'an entry of a frame of another worker cannot be handled',
    fields: ['from', 'error'],
  },
  'frame.read-failed': {
    level: 'error',
    message: 'a frame of another worker cannot be read',
    fields: ['from', 'error'],
  },
  'group-cursor.write-back-failed': {
    level: 'warn',
    message: 'the cursor of a group could not be written back',
    fields: ['error', 'again'],
  },
  'group-cursor.write-failed': {
    level: 'warn',
    message: 'the cursor of a group could not be written; it is tried again',
    fields: ['group', 'error'],
  },
  'group-log.read-failed': {
    level: 'warn',
    message: 'the log of a group could not be read; it is tried again',
    fields: ['group', 'error'],
  },
  'group-message.skipped': {
    level: 'warn',
    message: 'a stored message of a group cannot be read and is passed over',
    fields: ['group', 'error'],
  },
  'group-messages.reserve-failed': {
    level: 'warn',
    message: 'messages of a group could not be reserved; it is tried again',
    fields: ['group', 'messages', 'error'],
  },
  'group-reservations.read-failed': {
    level: 'warn',
    message: 'the reservations of a group could not be read; it is tried again',
    fields: ['group', 'error'],
  },
  'group.claim-failed': {
    level: 'warn',
    message: 'a group could not be claimed; it is tried again',
    fields: ['group', 'error'],
  },
  'housekeeping.failed': {
    level: 'warn',
    message: 'a scheduled job failed; it is tried again',
    fields: ['job', 'error'],
  },
  'identifier.contested': {
    level: 'warn',
    message: 'a client identifier is taken over again and again: several clients have it',
    fields: ['client', 'takeovers', 'address', 'formerAddress'],
  },
  'identifier.release-failed': {
    level: 'warn',
    message: 'a client identifier could not be released',
    fields: ['error', 'again'],
  },
  'inflight.dropped': {
    level: 'warn',
    message: 'messages in flight are not sent again: their logs have dropped them',
    fields: ['client', 'messages'],
  },
  'inflight.read-failed': {
    level: 'warn',
    message: 'messages in flight could not be read; it is tried again',
    fields: ['client', 'error'],
  },
  'inflight.skipped': {
    level: 'error',
    message: 'a message in flight cannot be read and is passed over',
    fields: ['filter', 'error'],
  },
  'log-message.skipped': {
    level: 'error',
    message: 'a stored message cannot be read and is passed over',
    fields: ['filter', 'sequence', 'error'],
  },
  'log.read-failed': {
    level: 'warn',
    message: 'a log could not be read; it is tried again',
    fields: ['filter', 'error'],
  },
  'message.found-fatal': {
    level: 'warn',
    message: "a client's connection ends each time after this message was sent to it",
    fields: ['client', 'topic', 'bytes', 'packetId', 'times'],
  },
  'messages.store-failed': {
    level: 'error',
    message: 'messages could not be stored; their publishers wait',
    fields: ['messages', 'error'],
  },
  'packet-identifier.reused': {
    level: 'warn',
    message: 'a packet identifier in use stands for another message now: the client lost its state',
    fields: ['client', 'packetId', 'topic'],
  },
  'packet.handle-failed': {
    level: 'error',
    message: 'a packet could not be handled',
    fields: ['client', 'address', 'error'],
  },
  'packets.dropped': {
    level: 'warn',
    message: 'packets of a client were given up: its connection ended before their turn came',
    fields: ['client', 'address', 'reason', 'packets', 'bytes'],
  },
  'protocol.violated': {
    level: 'info',
    message: 'protocol error',
    fields: [...client, 'error', 'code', 'statement'],
  },
  'publish.refused': {
    level: 'info',
    message: 'publish refused',
    fields: [...client, 'topic', 'qos', 'retain', 'reason'],
  },
  're-authentication.failed': {
    level: 'error',
    message: 're-authentication failed',
    fields: ['client', 'error'],
  },
  'refusals.summarized': {
    level: 'info',
    message: 'further refusals were not logged one by one',
    fields: ['address', 'refusals'],
  },
  'retained.handle-failed': {
    level: 'error',
    message: 'retained messages could not be handled',
    fields: ['client', 'address', 'error'],
  },
  'retained.read-failed': {
    level: 'warn',
    message: 'retained messages could not be read',
    fields: ['client', 'error'],
  },
  'retained.refused': {
    level: 'warn',
    message: 'a message was not retained, since a quota is used up',
    fields: ['client', 'user', 'topic', 'error'],
  },
  'retained.skipped': {
    level: 'error',
    message: 'a retained message cannot be read and is passed over',
    fields: ['topic', 'error'],
  },
  'retained.store-failed': {
    level: 'warn',
    message: 'a retained message could not be stored; it is tried again',
    fields: ['topic', 'error'],
  },
  'route.confirm-timed-out': {
    level: 'warn',
    message: 'other workers did not confirm a route in time',
    fields: ['subscriptions'],
  },
  'session-handover.failed': {
    level: 'error',
    message: 'a session could not be handed over',
    fields: ['client', 'error'],
  },
  'session-handover.read-failed': {
    level: 'error',
    message: 'a session that another worker handed over cannot be read',
    fields: ['owner', 'error'],
  },
  'session-handover.timed-out': {
    level: 'warn',
    message: 'the owner of a session did not answer in time',
    fields: ['owner'],
  },
  'session.claim-failed': {
    level: 'warn',
    message: 'a session could not be claimed late',
    fields: ['error'],
  },
  'session.release-failed': {
    level: 'warn',
    message: 'a session could not be released',
    fields: ['error', 'again'],
  },
  'session.write-back-failed': {
    level: 'warn',
    message: 'a session could not be written back',
    fields: ['error', 'again'],
  },
  'session.write-failed': {
    level: 'warn',
    message: 'the state of a session could not be written; it is tried again',
    fields: ['client', 'error'],
  },
  'sign-in.check-failed': {
    level: 'warn',
    message: 'sign-in could not be checked, and is refused',
    fields: [...client, 'reason', 'method?'],
  },
  'sign-in.refused': {
    level: 'info',
    message: 'sign-in refused',
    fields: [...client, 'reason', 'method?'],
  },
  'memory.shed': {
    level: 'warn',
    message: 'waiting messages and connections were given up for memory',
    fields: ['bytes', 'messages', 'connections'],
  },
  'slow-reader.disconnected': {
    level: 'info',
    message: 'a client that does not read was disconnected',
    fields: [...client, 'reason', 'pendingBytes'],
  },
  'store.flush-timed-out': {
    level: 'warn',
    message: 'the store did not take the last writes in time; the worker stops without them',
    fields: [],
  },
  'store.went-back': {
    level: 'error',
    message: 'the store has gone back: it came from an older copy, or empty; durable sessions start over',
    fields: ['what?', 'filter?', 'had?', 'has?', 'sessions'],
  },
  'subscribe.handle-failed': {
    level: 'error',
    message: 'a subscription could not be handled',
    fields: ['client', 'address', 'error'],
  },
  'subscription.refused': {
    level: 'info',
    message: 'subscription refused',
    fields: [...client, 'filter', 'qos', 'code', 'reason'],
  },
  'subscription.suspended': {
    level: 'info',
    message: 'subscriptions are not allowed any more and are suspended',
    fields: ['client', 'address', 'filters', 'filter'],
  },
  'subscription.store-failed': {
    level: 'warn',
    message: 'a subscription could not be stored',
    fields: ['client', 'error'],
  },
  'will.denied': {
    level: 'warn',
    message: 'a will that is not allowed was dropped',
    fields: ['client', 'topic'],
  },
  'will.dropped': {
    level: 'error',
    message: 'a will cannot be published and is dropped',
    fields: ['client', 'error'],
  },
  'will.late': {
    level: 'warn',
    message: 'a will is not safe yet; its client goes on without waiting for it',
    fields: ['client'],
  },
  'will.publish-failed': {
    level: 'warn',
    message: 'a will could not be published',
    fields: ['error', 'again'],
  },
  'will.remove-failed': {
    level: 'warn',
    message: 'a will could not be removed',
    fields: ['error', 'again'],
  },
  'will.schedule-failed': {
    level: 'warn',
    message: 'a will could not be kept for later',
    fields: ['error', 'again'],
  },
});
