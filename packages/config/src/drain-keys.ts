import { z } from 'zod';

/**
 * Longest time that the end of a drain takes: the last clients are answered (1 s), and the node stops (4 s). Delay and
 * pacing have the rest of the grace.
 */
export const drainEndSeconds = 5;

/**
 * Default delay of a drain in a cluster: a load balancer that asks every half second has noticed by then, and a node
 * without clients is still gone within 5 s.
 */
export const clusterDrainDelaySeconds = 1;

/** Server references, one or several, as in MQTT 5 section 4.11. */
const referencePattern = /^(\S+( \S+)*)?$/;

/** Keys under `drain`: what SIGTERM does. */
export const drainShape = {
  graceSeconds: z.int().min(drainEndSeconds).max(86_400).default(25).meta({
    description:
      'The process ends within this time after SIGTERM; at least 5. Set it below the time that the process supervisor waits before it kills (Kubernetes: 30 s by default).',
    reloads: true,
  }),
  delaySeconds: z.int().min(0).max(3600).default(0).meta({
    description:
      'How long `/readyz` says `draining` while the node still accepts connections, so that load balancers notice first. At most `drain.graceSeconds` less 5.',
    defaultText: '1 in a cluster, 0 for a standalone node',
    reloads: true,
  }),
  ratePerSecond: z.int().min(0).max(10_000_000).default(0).meta({
    description:
      'Clients of the node that are disconnected per second, evenly with jitter; more if `drain.graceSeconds` would not suffice. 0: in a cluster 500, or as many as necessary; all at once for a standalone node.',
    reloads: true,
  }),
  serverReference: z.string().max(1024).regex(referencePattern).default('').meta({
    description:
      'Where MQTT 5 clients are sent (DISCONNECT 0x9C, "use another server", with this Server Reference); without it they receive 0x8B, "server shutting down".',
    allowed: 'HOST or HOST:PORT, several with spaces',
    defaultText: 'none',
    reloads: true,
  }),
};
