import type { ClientLog } from '@dunlin/broker';
import { brokerEvents, type Metrics } from '@dunlin/broker/ports';
import { events } from '../log-events.ts';

type RefusalKind =
  | ('handshake' | 'proxy' | 'full' | 'files' | 'banned' | 'unsigned' | 'memory')
  | ('connections-per-address' | 'connect-rate');

/** Reason why a connection ended before its first MQTT byte. */
export interface Refusal {
  /**
   * `handshake`: TLS or WebSocket failed. `proxy`: the PROXY header. `full`: the listener's own limit of connections.
   * `files`: the limit of open files. `banned`: the address is under a ban. `unsigned`: the limits of clients that have
   * not signed in. `memory`: the node has none to spare. `connections-per-address`,
   * `connect-rate`: the limits of one address.
   */
  kind: RefusalKind;
  address: string;
  reason: string;
  /** Value that the client asked for, and the values that this listener allows, where they can be named. */
  given?: string | undefined;
  allowed?: string | undefined;
}

/**
 * Time in which a refusal that concerns an operator (an untrusted load balancer, a full listener) is a warning once;
 * further ones are logged at level info.
 */
const quietMilliseconds = 10_000;

/** Counts and logs what the handshake stages of one listener refuse. */
export class RefusalLog {
  readonly #log: ClientLog;
  readonly #metrics: Metrics;
  readonly #listener: string;
  #quietUntil = 0;

  constructor(listener: string, log: ClientLog, metrics: Metrics) {
    this.#listener = listener;
    this.#log = log;
    this.#metrics = metrics;
  }

  add({ kind, ...rest }: Refusal): void {
    const fields = { listener: this.#listener, ...rest };
    if (kind === 'handshake') {
      this.#metrics.handshakesFailed++;
      this.#log.refused(events['handshake.failed'], fields);
      return;
    }
    if (kind !== 'proxy' && kind !== 'full' && kind !== 'files') {
      const listener = this.#metrics.listener(this.#listener);
      listener.opened++;
      listener.closed[kind === 'unsigned' ? 'unsigned-max' : kind]++;
      this.#log.refused(brokerEvents['connection.refused'], fields);
      return;
    }
    if (kind === 'proxy') this.#metrics.proxyHeadersRefused++;
    else if (kind === 'full') this.#metrics.listenerFull++;
    else this.#metrics.openFilesFull++;
    const now = performance.now();
    const isWarning = now >= this.#quietUntil;
    if (isWarning) this.#quietUntil = now + quietMilliseconds;
    this.#log.refused(isWarning ? events['listener.refused'] : brokerEvents['connection.refused'], fields);
  }
}
