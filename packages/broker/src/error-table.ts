// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from '@dunlin/protocol';
import type { RecordError } from './message/message-record.ts';
import type { FrameError } from './message/wire.ts';
import type { StoreError } from './ports/store-error.ts';
import type { QueryError } from './queries/query-error.ts';

export const errorTable = {
  QueryError: {
    'query-refused': {
      says: 'what was given, and what is allowed',
      thrownWhen: 'an operator asks for what MQTT does not allow, such as a message on a topic with a wildcard',
      remedy: 'As the message says.',
      surfaces: 'the administration API: the answer 400',
    },
  },
  StoreError: {
    fenced: {
      says: "epoch N is not the claim's, which is M",
      thrownWhen: 'a worker writes to a session or a group that another worker has claimed since',
      remedy:
        'None: the session goes on where it was claimed. Where it happens often, two clients use the same client identifier.',
      surfaces: 'client: the connection ends as after a takeover (MQTT 5: 0x8E). Log: field `error` at level warn',
    },
    'quota-exceeded': {
      says: 'what one more would exceed, whose it is, and the limit with its value',
      thrownWhen:
        'a client stores more retained messages, delayed messages or sessions than there may be, or than its user may have',
      remedy:
        'Remove what is not needed: an empty retained message removes the one of its topic. Or raise the limit that the message names.',
      surfaces:
        'client: PUBACK, PUBREC or CONNACK 0x97; an MQTT 3 client is disconnected, or refused with code 3. Log: field `error`, or `reason` where a CONNECT is refused',
    },
    'other-user': {
      says: 'the client identifier belongs to another user',
      thrownWhen: 'a client connects with a client identifier whose connection or session another user owns',
      remedy:
        'Give the client an identifier of its own. For a device whose account was renamed: docs/security.md, section Owners of sessions.',
      surfaces: 'client: CONNACK 0x87 (MQTT 3: return code 5). Log: `connection.refused`',
    },
    unavailable: {
      says: 'what the store or its server answered, or that there is no connection to it',
      thrownWhen:
        'the store cannot be reached, is full, or refuses to write; nothing is known about the outcome of the call',
      remedy:
        'See to Redis or to the disk: docs/operations.md, section Failures. The broker tries again until the store answers.',
      surfaces:
        'client: CONNACK 0x88 (MQTT 3: return code 3) or DISCONNECT 0x89; publishes wait for their acknowledgement. Log: field `error`. HTTP: `/readyz` answers 503. At start: exit code 1',
    },
    'unknown-session': {
      says: 'no session is stored for this client identifier',
      thrownWhen: 'a worker writes to a session that has expired or was removed from the store',
      remedy: 'None: the client connects again and gets a new session.',
      surfaces: 'client: the connection ends as after a takeover (MQTT 5: 0x8E). Log: field `error` at level warn',
    },
    'unknown-group': {
      says: 'this group has no durable member',
      thrownWhen: 'a worker writes to a shared group after its last durable member has left',
      remedy: 'None: the worker gives up its part of the group.',
      surfaces: 'log: field `error` at level warn',
    },
    closed: {
      says: 'the store is closed',
      thrownWhen: 'a call comes while the node stops, after the store was closed',
      remedy: 'None: the call was not done, and the client has no acknowledgement for it.',
      surfaces: 'log: field `error`, while the node stops',
    },
    corrupt: {
      says: 'which file or record cannot be read, and the version that was found',
      thrownWhen: 'the store holds what this release cannot read: damaged, or written by a newer release',
      remedy: 'Start the newer release again, or restore the store from a backup.',
      surfaces: 'at start: log line and exit code 1. Later: log, field `error`',
    },
  },
  RecordError: {
    'unreadable-record': {
      says: 'a message of layout N and M bytes; known are layouts 1 and 2',
      thrownWhen: 'a stored message is damaged, or was written by a newer release',
      remedy: 'Finish the upgrade, so that all nodes run the newer release. A damaged message is skipped.',
      surfaces: 'log: field `error`',
    },
  },
  FrameError: {
    'unreadable-frame': {
      says: 'a frame of N bytes ends before byte M; or the part of the frame that has no meaning',
      thrownWhen: 'bytes of another worker are not a frame that this release knows',
      remedy: 'Run releases beside each other only as docs/compatibility.md allows. Otherwise report it.',
      surfaces: 'log: field `error`, with the other endpoint in `from`',
    },
  },
} satisfies ErrorTable<{
  QueryError: QueryError;
  StoreError: StoreError;
  RecordError: RecordError;
  FrameError: FrameError;
}>;
