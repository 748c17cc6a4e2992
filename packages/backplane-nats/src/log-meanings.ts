// For docs/log.md alone: nothing that runs in a node imports it.
import type { LogMeanings } from '@dunlin/broker';
import { events } from './log-events.ts';

export { events };

export const meanings: LogMeanings<typeof events> = {
  'cluster-secret.changed': {
    meaning:
      '`cluster.secretFile` was read again and has other secrets: the first signs from now on, each is accepted.',
    action: '',
  },
  'endpoint.died': {
    meaning:
      'A worker of this cluster does not answer and its lease is over, or it says goodbye without having stopped. Its routes are removed; its sessions and wills are released.',
    action: 'Find out why that worker died, or was cut off, when it was not meant to stop.',
  },
  'endpoint.evict-failed': {
    meaning: 'The store did not take the eviction. What the endpoint owned is released up to three seconds later.',
    action: '',
  },
  'endpoint.evicted': {
    meaning:
      'Other workers hold this one for dead: it was silent, cut off or stood still for longer than its lease. It closes its connections and starts again; nothing of it may be written any more.',
    action:
      'See why the worker stood still (a paused machine, no processor time) or was cut off from NATS and the store.',
  },
  'endpoint.replaced': {
    meaning:
      'A worker with the same node name and number has started, so the older one counts as dead. Normal when a node restarts quickly; when it is repeated, two nodes have the same name and replace each other.',
    action: 'Give each node a name of its own (`nodeId`).',
  },
  'event-loop.stalled': {
    meaning:
      'The process was stopped or got no processor time. Before the worker does anything else it asks whether it was evicted meanwhile.',
    action: 'Look for a paused machine or container, a limit of processor time, or swapping.',
  },
  'frame.handle-failed': {
    meaning: 'A fault of this worker: the message was read, and its handling threw an error. The worker goes on.',
    action: 'Report it with its stack.',
  },
  'frame.oversized': {
    meaning:
      'The frame is larger than what pieces of the size `max_payload` of NATS can carry. Its messages do not reach the other node.',
    action: 'Raise `max_payload` of NATS.',
  },
  'frame.refused': {
    meaning:
      'A message on the subjects of the cluster was not used. `reason` is `unreadable`: another version of the envelope, or another program; `unsigned`: without the signature that `cluster.secretFile` demands; `forged`: signed with another secret, or for another subject; `replayed`: it was heard before; `needs-secret`: its sender takes signed messages alone, and this node has no `cluster.secretFile`. `from` is what the message says, which need not be true. Logged at most once in ten seconds for each reason, with the number of messages since the line before.',
    action:
      'See whether `from` is a node of this cluster. Then give it the same release (docs/compatibility.md) and the same secret. Else somebody else publishes in NATS: see which users may (docs/security.md).',
  },
  'lease.expired': {
    meaning:
      'Others may hold this worker for dead and take over its sessions. It gives up its durable sessions until it knows that it lives.',
    action: 'See to the network of this node.',
  },
  'lease.regained': {
    meaning: 'The lease was renewed after `lease.expired`. Durable sessions are accepted again.',
    action: '',
  },
  'lease.release-failed': {
    meaning:
      'The store did not answer while the worker stopped. The lease ends by itself after three seconds, and until then others wait for it.',
    action: '',
  },
  'lease.renew-failed': {
    meaning:
      'The store does not answer, or takes no writes. While NATS still reaches the other workers this alone ends nothing.',
    action: 'See to the store.',
  },
  'membership.handle-failed': {
    meaning:
      'A fault of this worker: it has learnt that an endpoint came or went, and its handling threw an error. The worker goes on.',
    action: 'Report it with its stack.',
  },
  'nats.connect-failed': {
    meaning: 'No server of `backplane.url` took the connection. Each reason is logged once until a connection is up.',
    action: 'Look at `error`: does NATS run, is the address right, is its certificate trusted?',
  },
  'nats.connected': {
    meaning: 'The connection to NATS is up, for the first time or again, and the server allows what the node needs.',
    action: '',
  },
  'nats.connection-lost': {
    meaning:
      'Until the connection is back, messages to other nodes wait (QoS 1 and 2) or are lost (QoS 0); clients of the same node and durable sessions are served.',
    action: 'See to NATS and the network, unless `nats.connected` follows at once.',
  },
  'nats.credentials-refused': {
    meaning: 'The user, password or token of `backplane` is wrong or has expired.',
    action: 'Correct the credentials at NATS or in the file that `backplane.passwordFile` names; no restart is needed.',
  },
  'nats.error-reported': {
    meaning:
      'The server sent an error that does not end the connection. Each text is logged once until the next connection.',
    action: 'Look at `error` and at the log of NATS.',
  },
  'nats.permission-denied': {
    meaning:
      'The user may not publish or subscribe to a subject that the node needs. Half of it is worse than nothing, so the node behaves as if NATS were away.',
    action: 'Allow the subjects in `refused` (docs/security.md lists all of them).',
  },
  'nats.publish-failed': {
    meaning:
      'The client of NATS refused a message that is sent to other nodes. It counts as not sent; messages of QoS 1 and 2 are sent again. Logged once until the next connection.',
    action: 'Look at `error`, and at `max_payload` of NATS.',
  },
  'release.differed': {
    meaning: 'Normal while a cluster is upgraded, one node after the other. Logged once for each node.',
    action: 'Finish the upgrade (docs/compatibility.md).',
  },
};
