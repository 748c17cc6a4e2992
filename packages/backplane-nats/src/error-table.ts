// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from '@dunlin/broker';
import type { EnvelopeError } from './envelope.ts';
import type { NatsBackplaneError } from './options.ts';
import type { NatsConfigurationError } from './server-list.ts';
import type { ClusterSecretError } from './signing.ts';

export const errorTable = {
  NatsConfigurationError: {
    'nats-configuration': {
      says: 'NATS servers "…": what is wrong; allowed: nats://[user:password@ or token@]host[:port], …',
      thrownWhen: '`backplane.url` cannot be read',
      remedy: 'Write the servers in the form that the message names.',
      surfaces: 'as a fault of the configuration: exit code 2',
    },
  },
  ClusterSecretError: {
    'cluster-secret': {
      says: 'how many secrets there are, or how long one is; allowed: one secret, or two in two lines, each of 32 to 1024 characters',
      thrownWhen: '`cluster.secretFile` holds something else',
      remedy: 'Write a secret into the file: `openssl rand -base64 32`.',
      surfaces: 'as a fault of the configuration: exit code 2; of a file that changes while the node runs, in the log',
    },
  },
  NatsBackplaneError: {
    stopped: {
      says: 'stopped before it had joined',
      thrownWhen: 'a node is stopped while it waits for NATS',
      remedy: 'None: the node was stopped on demand.',
      surfaces: 'nowhere: the node stops, exit code 0',
    },
    evicted: {
      says: 'found dead by others before it had joined',
      thrownWhen: 'other nodes evict a worker that was silent for longer than its lease while it started',
      remedy:
        'None: another worker takes its place. Where it happens often, the machine is too busy, or NATS too slow.',
      surfaces: 'log: field `error` of the line that a worker cannot start',
    },
  },
  EnvelopeError: {
    'unreadable-envelope': {
      says: 'version N is not understood; known: 1 to M; or which part of the message is missing',
      thrownWhen: 'a message on the subjects of the cluster was sent by a newer release, or by another program',
      remedy:
        'Run releases beside each other only as docs/compatibility.md allows; keep other programs off these subjects.',
      surfaces: 'log: field `error`, with the sender in `from`. The message is dropped',
    },
  },
} satisfies ErrorTable<{
  NatsConfigurationError: NatsConfigurationError;
  ClusterSecretError: ClusterSecretError;
  NatsBackplaneError: NatsBackplaneError;
  EnvelopeError: EnvelopeError;
}>;
