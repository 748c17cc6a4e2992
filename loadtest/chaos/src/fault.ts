/** Way in which a client leaves its connection for another address. */
export type MoveKind =
  /** DISCONNECT, then a new connection. */
  | 'reconnect'
  /** A new connection while the old one is open: the broker has to end that. */
  | 'takeover'
  /** The old connection is cut without a word, as when a device loses its network. */
  | 'drop';

/** Move of one client to another address. */
export interface Move {
  /** Its place in the list of clients, publishers first. */
  readonly client: number;
  readonly how: MoveKind;
  /** 0: the load balancer; n: the n-th node. */
  readonly address: number;
}

/** Fault: what breaks, when, and for how long. */
export type Fault = { readonly atMilliseconds: number } & (
  | { readonly kind: 'kill-node'; readonly node: string }
  | { readonly kind: 'pause-node'; readonly node: string; readonly forMilliseconds: number }
  | { readonly kind: 'restart-nats' | 'restart-redis'; readonly signal: 'SIGKILL' | 'SIGTERM' }
  | { readonly kind: 'older-redis'; readonly forMilliseconds: number }
  | { readonly kind: LinkFaultKind; readonly node: string; readonly forMilliseconds: number }
  | { readonly kind: 'move-clients'; readonly moves: readonly Move[] }
);

/** Cut: connections are reset and refused. Frozen: they stay open and nothing passes. */
export type LinkFaultKind = 'cut-nats' | 'cut-redis' | 'freeze-nats' | 'freeze-redis';
export type FaultKind = Fault['kind'];

/**
 * Likelihood of each kind, and the time for which it keeps its target, so that no second fault of the plan falls on it
 * meanwhile.
 */
export const faultTable: readonly {
  readonly kind: FaultKind;
  readonly weight: number;
  readonly shortestMilliseconds: number;
  readonly longestMilliseconds: number;
}[] = [
  // A node is back after a second and its start.
  { kind: 'kill-node', weight: 15, shortestMilliseconds: 5000, longestMilliseconds: 5000 },
  { kind: 'pause-node', weight: 15, shortestMilliseconds: 1000, longestMilliseconds: 8000 },
  { kind: 'restart-nats', weight: 8, shortestMilliseconds: 3000, longestMilliseconds: 3000 },
  { kind: 'restart-redis', weight: 8, shortestMilliseconds: 3000, longestMilliseconds: 3000 },
  // A copy of its file is taken, and what it has taken since is lost.
  { kind: 'older-redis', weight: 20, shortestMilliseconds: 500, longestMilliseconds: 5000 },
  { kind: 'cut-nats', weight: 14, shortestMilliseconds: 200, longestMilliseconds: 8000 },
  { kind: 'cut-redis', weight: 14, shortestMilliseconds: 200, longestMilliseconds: 8000 },
  { kind: 'freeze-nats', weight: 7, shortestMilliseconds: 200, longestMilliseconds: 8000 },
  { kind: 'freeze-redis', weight: 7, shortestMilliseconds: 200, longestMilliseconds: 8000 },
  { kind: 'move-clients', weight: 26, shortestMilliseconds: 0, longestMilliseconds: 0 },
];

/** A fault in words. */
export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'kill-node':
      return `kill-node ${fault.node}`;
    case 'restart-nats':
    case 'restart-redis':
      return `${fault.kind} (${fault.signal})`;
    case 'older-redis':
      return `${fault.kind} (SIGKILL, and back with its file of ${fault.forMilliseconds} ms before)`;
    case 'move-clients':
      return `move-clients ${fault.moves.map(({ client, how, address }) => `${client} ${how} to ${address}`).join(', ')}`;
    default:
      return `${fault.kind} ${fault.node} for ${fault.forMilliseconds} ms`;
  }
}
