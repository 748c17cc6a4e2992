import type { Logger } from '@dunlin/broker';
import type { NotReadyReason } from '@dunlin/telemetry';
import { events } from './log-events.ts';

/** Reasons why a node is not ready for clients, in the order in which they are told, with the words for them. */
export const reasons = {
  starting: 'starting',
  store: 'store unavailable',
  'store-writes': 'the store takes no writes',
  backplane: 'backplane unavailable',
  routes: 'routes not loaded',
  workers: 'no worker accepts connections',
  memory: 'memory scarce',
  cordoned: 'cordoned',
  draining: 'draining',
} as const satisfies Record<NotReadyReason, string>;

export type Reason = NotReadyReason;

const order = Object.keys(reasons) as Reason[];

/** Reasons in the memory that the threads of a node share, in the order of the table. */
export function reasonsIn(shared: SharedArrayBuffer): Reason[] {
  const [bits] = new Int32Array(shared);
  return order.filter((_, at) => (bits & (1 << at)) !== 0);
}

/**
 * Readiness of the node for new clients, as load balancers ask. A node that is not ready still serves those it has.
 * Changes are logged once the node has been ready for the first time: until then its start says what it waits for.
 */
export class NodeStatus {
  readonly #logger: Logger;
  readonly #reasons = new Set<Reason>(['starting']);
  readonly #details = new Map<Reason, string>();
  #logged = '';
  /** The reasons for other threads, each a bit. */
  readonly shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#share();
  }

  get isReady(): boolean {
    return this.#reasons.size === 0;
  }

  /** Reasons why the node is not ready, in the order of the table; empty: it is. */
  get reasons(): Reason[] {
    return (Object.keys(reasons) as Reason[]).filter((reason) => this.#reasons.has(reason));
  }

  /** Further words about reasons that hold. */
  get details(): Partial<Record<Reason, string>> {
    return Object.fromEntries([...this.#details].filter(([reason]) => this.#reasons.has(reason)));
  }

  /** Says more about a reason, for whoever asks from now on; nothing when empty. */
  explain(reason: Reason, detail: string): void {
    if (detail === '') this.#details.delete(reason);
    else this.#details.set(reason, detail);
  }

  /** Several reasons at once, each with whether it holds now. */
  set(changes: Partial<Record<Reason, boolean>>): void {
    const hadStarted = !this.#reasons.has('starting');
    for (const [reason, holds] of Object.entries(changes) as [Reason, boolean][]) {
      if (holds) this.#reasons.add(reason);
      else this.#reasons.delete(reason);
    }
    this.#share();
    if (hadStarted) this.#log();
  }

  #share(): void {
    let bits = 0;
    for (const [at, reason] of order.entries()) if (this.#reasons.has(reason)) bits |= 1 << at;
    new Int32Array(this.shared)[0] = bits;
  }

  #log(): void {
    const words = this.reasons.map((reason) => this.#details.get(reason) ?? reasons[reason]).join(', ');
    if (words === this.#logged) return;
    this.#logged = words;
    if (words === '') this.#logger.info(events['node.became-ready']);
    else this.#logger.warn(events['node.became-unready'], { reasons: words });
  }
}
