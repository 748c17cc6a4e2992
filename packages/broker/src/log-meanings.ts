// For docs/log.md alone: nothing that runs in a node imports it.
import { events } from './ports/log-events.ts';
import type { LogMeanings } from './ports/logger.ts';

export { events };

export const meanings: LogMeanings<typeof events> = {
  'append.refused': {
    meaning:
      '`limits.logsBytesMax` is reached: messages come faster than the largest logs are trimmed. The publisher heard 0x97 (MQTT 3: it was disconnected) and sends the message again. One line a minute for each client.',
    action:
      'See which durable sessions are behind (`$SYS`, `inflight.dropped`) and end those whose clients never come back; or raise the limit, if disk or Redis has room.',
  },
  'bans.read-failed': {
    meaning:
      'The store did not answer. Bans that were read before hold; new ones, and their removal, are not known on this worker until it does. Logged once until it has answered.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'bans.write-failed': {
    meaning: 'The store did not take a ban that a rule has made.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'client.ban-made': {
    meaning:
      'Somebody guesses passwords, a device has an old one, or two devices share an identifier. `reason` says what is banned, and until when.',
    action:
      'Give the device its password; then `dunlin ban remove` lets it in at once. The limits are `limits.signIn…` and `limits.flapping…`.',
  },
  'client.banned': {
    meaning: 'A ban was added that a connected client is under. `reason` says which, by whom it was made, and why.',
    action: 'Nothing; `dunlin ban remove` takes it back.',
  },
  'client.connected': {
    meaning: 'A client has signed in. At level debug unless `log.connections` is set.',
    action: '',
  },
  'client.disconnected': {
    meaning:
      'A connection has ended. `reason` says how, `code` is the reason code of DISCONNECT, whoever sent it. At level debug unless `log.connections` is set.',
    action: '',
  },
  'connect.handle-failed': {
    meaning: 'A fault of this program. The client is refused (0x80), the others go on.',
    action: 'Report it with its stack.',
  },
  'connection.aborted': {
    meaning: 'A fault of this program while it ended a connection. The connection is closed, the others go on.',
    action: 'Report it with its stack.',
  },
  'connection.refused': {
    meaning:
      'A connection was closed before a client was signed in: its listener or the node is full, the node is leaving, CONNECT was late, the header of a proxy was wrong, or the client is banned.',
    action: 'Look at `reason`. Repeated from one address: a wrong client, or an attack.',
  },
  'cursor.end-failed': {
    meaning: 'The store did not take the end of a subscription. With `again` it is tried again every second.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'dead-letter.publish-failed': {
    meaning:
      'With the prefix of dead letters the topic has too many levels or is too long. The message is dropped and counted.',
    action: 'Shorten the prefix (`limits`), or the topics.',
  },
  'delayed.denied': {
    meaning: 'When the message was due, the rules did not allow its client to publish it. Once a minute for a client.',
    action: 'Correct the client or the rules.',
  },
  'delayed.dropped': {
    meaning: 'The stored message cannot be read or breaks a rule of MQTT.',
    action: 'Report it with its `error`.',
  },
  'delayed.refused': {
    meaning:
      'The user has as many delayed messages, or bytes of them, as it may have, or all users together. `error` names the limit. One line a minute for each client.',
    action: 'See what the client publishes to `$delayed/…`, or raise the limit.',
  },
  'delayed.store-failed': {
    meaning: 'The store did not take it. Its publisher waits.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'durable-filters.load-failed': {
    meaning: 'The store did not answer while the worker started. It opens its listeners afterwards.',
    action: 'See to the store.',
  },
  'endpoint.released': {
    meaning: 'Clients of the dead worker can go on elsewhere; its wills are published after their delay.',
    action: '',
  },
  'frame.entry-failed': {
    meaning: 'A fault of this worker, or a form of a later release. The other entries of the frame are handled.',
    action: 'Report it with its stack, unless the nodes run different releases.',
  },
  'frame.read-failed': {
    meaning:
      'The other worker runs a release with another version of frames. Messages of the frame do not reach the clients of this worker.',
    action: 'See which release `from` runs (docs/compatibility.md).',
  },
  'group-cursor.write-back-failed': {
    meaning: 'The store did not take how far a shared group was served. With `again` it is tried again every second.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'group-cursor.write-failed': {
    meaning: 'The store did not take how far a shared group was served. After a crash more messages may come twice.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'group-log.read-failed': {
    meaning: 'The store did not answer. Messages of the shared group wait.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'group-message.skipped': {
    meaning: 'A stored message is damaged, or of a later release.',
    action: 'See to the disk of the store; see docs/compatibility.md before a downgrade.',
  },
  'group-messages.reserve-failed': {
    meaning: 'The store did not answer. The messages wait.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'group-reservations.read-failed': {
    meaning: 'The store did not answer. Messages that may have been delivered wait.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'group.claim-failed': {
    meaning: 'The store did not answer. Messages of the shared group wait.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'housekeeping.failed': {
    meaning: 'A regular job such as trimming logs or publishing due wills did not get an answer of the store.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'identifier.contested': {
    meaning: 'Two clients with the same client identifier disconnect each other. Once a minute for an identifier.',
    action: 'Give each client an identifier of its own; `address` and `formerAddress` say where they are.',
  },
  'identifier.release-failed': {
    meaning: 'The store did not take it. With `again` it is tried again every second.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'inflight.dropped': {
    meaning: 'The session was too far behind: `limits.logMessagesMax` or `limits.logBytesMax` of a log was reached.',
    action: 'Raise the limits, or see why the client is so slow or away for so long.',
  },
  'inflight.read-failed': {
    meaning: 'The store did not answer while a session was resumed.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'inflight.skipped': {
    meaning: 'A stored message is damaged, or of a later release.',
    action: 'See to the disk of the store; see docs/compatibility.md before a downgrade.',
  },
  'log-message.skipped': {
    meaning: 'A stored message is damaged, or of a later release.',
    action: 'See to the disk of the store; see docs/compatibility.md before a downgrade.',
  },
  'log.read-failed': {
    meaning: 'The store did not answer. Sessions that read the log wait.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'message.found-fatal': {
    meaning: 'The client seems to fail on this message, comes back, and gets it again.',
    action: 'Correct the client, or remove the message: a clean start of the client ends it.',
  },
  'messages.store-failed': {
    meaning:
      'The store did not take messages of QoS 1 and 2. They are tried again, and are acknowledged when they are stored.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'packet-identifier.reused': {
    meaning:
      'A client resumed its session and used a packet identifier again that an unfinished QoS 2 message has. The new message is taken. Once a minute for a client.',
    action: 'Let the client keep its state, or begin with a clean start.',
  },
  'packet.handle-failed': {
    meaning: 'A fault of this program. The client is disconnected (0x80), the others go on.',
    action: 'Report it with its stack.',
  },
  'packets.dropped': {
    meaning: 'Packets that had been received were not handled, because the connection ended while they waited.',
    action: '',
  },
  'protocol.violated': {
    meaning:
      'A client broke a rule of MQTT. It gets DISCONNECT or CONNACK with `code` and is closed; `statement` is the rule.',
    action: 'Correct the client.',
  },
  'publish.refused': {
    meaning: 'The rules do not allow the client to publish to this topic, or a limit is reached.',
    action: 'Correct the client or the rules.',
  },
  're-authentication.failed': {
    meaning: 'A fault while an AUTH packet was handled. The client is disconnected.',
    action: 'Report it with its stack.',
  },
  'refusals.summarized': {
    meaning: 'Of one network ten refusals a second are logged; the others are counted, and logged here together.',
    action: '',
  },
  'retained.handle-failed': {
    meaning: 'A fault of this program. The client is disconnected (0x80), the others go on.',
    action: 'Report it with its stack.',
  },
  'retained.read-failed': {
    meaning:
      'The store did not answer while a client subscribed. The client is disconnected (0x89) and subscribes again.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'retained.refused': {
    meaning:
      'The user has as many retained messages, or bytes of them, as it may have, or all users together. `error` names the limit. Subscribers got the message. One line a minute for each client.',
    action: 'See what the client retains: it may remove messages, with an empty one. Or raise the limit.',
  },
  'retained.skipped': {
    meaning: 'A stored message is damaged, or of a later release.',
    action: 'See to the disk of the store; see docs/compatibility.md before a downgrade.',
  },
  'retained.store-failed': {
    meaning: 'The store did not take it. Its publisher waits.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'route.confirm-timed-out': {
    meaning:
      'SUBACK was sent although not every worker of the cluster had confirmed the subscription: messages that are published there at this moment may be missed.',
    action: 'See to the network between the nodes, and to nodes without processor time.',
  },
  'session-handover.failed': {
    meaning: 'A fault while another worker took a session over. The other worker goes on with what the store has.',
    action: 'Report it with its stack.',
  },
  'session-handover.read-failed': {
    meaning: 'The other worker runs a release with another form of it. The session goes on with what the store has.',
    action: 'See which release `owner` runs (docs/compatibility.md).',
  },
  'session-handover.timed-out': {
    meaning: 'The worker that had the session may be dead. The client goes on with what the store has.',
    action: 'See to that node, when it is repeated.',
  },
  'session.claim-failed': {
    meaning: 'A client that was let in while the store was away has no claim yet. It is tried again.',
    action: 'See to the store.',
  },
  'session.release-failed': {
    meaning: 'The store did not take it. With `again` it is tried again every second.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'session.write-back-failed': {
    meaning:
      'The store did not take the state of a session whose connection has ended. With `again` it is tried again every second.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'session.write-failed': {
    meaning: 'The store did not take the state of a connected session.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'sign-in.check-failed': {
    meaning: 'The server that the method of authentication asks does not answer, or too many checks are waiting.',
    action: 'See to that server: Redis for tokens, the address of the keys for JWT.',
  },
  'sign-in.refused': {
    meaning: 'The client did not prove who it is.',
    action: 'Correct the credentials of the client, or the password file, token or certificate.',
  },
  'memory.shed': {
    meaning:
      'Memory is above `limits.memoryCriticalPercent`. The largest queues of ephemeral sessions were dropped, and then the connections with the most waiting bytes ended; durable sessions lose nothing.',
    action: 'Look for clients that do not read (`slow-reader.disconnected`), or give the node more memory.',
  },
  'slow-reader.disconnected': {
    meaning:
      'Bytes waited for a socket that took none of them, or were the most when memory became scarce (`reason`): the client hangs, its network is gone, or it holds memory on purpose. Its session goes on as for any lost connection.',
    action: 'Look at the client. If its line is that slow, raise `limits.writeTimeoutSeconds`.',
  },
  'store.flush-timed-out': {
    meaning:
      'The worker stops while the store is away. What it had not written is as if the worker had been killed; acknowledged messages are safe.',
    action: '',
  },
  'store.went-back': {
    meaning:
      'The store has less than it had confirmed. Clients with durable sessions are disconnected (0x8B) and start over from what the store has; what it lost is lost.',
    action: 'See why the store came back with an older file, or from a replica that lagged (docs/operations.md).',
  },
  'subscribe.handle-failed': {
    meaning: 'A fault of this program. The client is disconnected (0x80), the others go on.',
    action: 'Report it with its stack.',
  },
  'subscription.refused': {
    meaning: 'The rules or a limit do not allow the subscription. SUBACK carries `code`.',
    action: 'Correct the client, the rules or the limit.',
  },
  'subscription.suspended': {
    meaning:
      'The rules do not allow these subscriptions of a connected client any more, or of a session that is resumed. Nothing is sent for them; they stay in the store and go on when the rules allow them again. `filter` is the first of `filters`.',
    action: '',
  },
  'subscription.store-failed': {
    meaning:
      'The store did not take the subscription of a durable session. The client is disconnected (0x89) and tries again.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'will.denied': {
    meaning:
      'The rules do not allow the topic of the will: with `authorization.deniedWill` set to `drop` the client is let in without it; when it was to be published, it was not. Once a minute for a client.',
    action: 'Correct the client or the rules.',
  },
  'will.dropped': {
    meaning: 'The stored will cannot be read or breaks a rule of MQTT.',
    action: 'Report it with its `error`.',
  },
  'will.late': {
    meaning:
      'The store does not take the will in time, so the client that is taken over does not wait for it. The will is published when the store takes it.',
    action: 'See to the store.',
  },
  'will.publish-failed': {
    meaning: 'The store did not take it. With `again` it is tried again every second.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'will.remove-failed': {
    meaning: 'The store did not take it. With `again` it is tried again every second.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
  'will.schedule-failed': {
    meaning: 'The store did not take the time at which the will is due. With `again` it is tried again every second.',
    action: 'Nothing, when the store is back (`store.recovered`). Otherwise look at `error`.',
  },
};
