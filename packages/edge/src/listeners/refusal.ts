import type { Logger, Metrics } from '@dunlin/broker';

/** Why a connection ended before its first MQTT byte. */
export interface Refusal {
  /** `handshake`: TLS or WebSocket did not come about. `proxy`: the PROXY header. `full`: the listener's own limit of connections. */
  kind: 'handshake' | 'proxy' | 'full';
  address: string;
  reason: string;
}

/** Whoever knocks without a right to must not fill the log: of refusals that somebody should look at, one line in this time, with how many there were. */
const quietMilliseconds = 10_000;

/** Counts and logs what the doors of one listener refuse. Handshakes fail all day wherever the internet reaches: they are for debugging. */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #listener: string;
  #quietUntil = 0;
  #silent = 0;

  constructor(listener: string, logger: Logger, metrics: Metrics) {
    this.#listener = listener;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  add({ kind, address, reason }: Refusal): void {
    const fields = { listener: this.#listener, address, reason };
    if (kind === 'handshake') {
      this.#metrics.handshakesFailed++;
      this.#logger.debug('handshake failed', fields);
      return;
    }
    if (kind === 'proxy') this.#metrics.proxyHeadersRefused++;
    else this.#metrics.listenerFull++;
    const now = performance.now();
    if (now < this.#quietUntil) {
      this.#silent++;
      return;
    }
    this.#quietUntil = now + quietMilliseconds;
    this.#logger.warn('connection refused', { ...fields, moreBefore: this.#silent });
    this.#silent = 0;
  }
}
