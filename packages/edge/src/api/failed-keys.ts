import { networkOf } from '@dunlin/broker/guards';

/** Wrong keys that a network may show before it has to wait, as a person who mistypes one does. */
const freeFailures = 10;
/** Wait after one more; it doubles with each further one. */
const firstWaitMilliseconds = 1000;
const longestWaitMilliseconds = 60_000;
/** Time without a wrong key after which earlier ones do not count. */
const forgottenMilliseconds = 10 * 60_000;
/** Networks that are remembered: the ones that failed longest ago are forgotten. */
const networksMax = 10_000;

interface Failures {
  count: number;
  lastAt: number;
  /** Time until which wrong keys of this network are told to wait. */
  waitsUntil: number;
}

/** Network of a socket's address: those of IPv6 have no brackets there. */
function networkAt(address: string): string {
  return networkOf(address.includes(':') ? `[${address}]` : address);
}

/** Wrong keys by network: above some, what else comes of it is told to wait, and is neither logged nor counted. */
export class FailedKeys {
  readonly #byNetwork = new Map<string, Failures>();

  /** Seconds that this address has to wait; 0: none. */
  waitSeconds(address: string, now: number): number {
    const failures = this.#byNetwork.get(networkAt(address));
    return failures === undefined ? 0 : Math.max(0, Math.ceil((failures.waitsUntil - now) / 1000));
  }

  failed(address: string, now: number): void {
    const network = networkAt(address);
    const failures = this.#byNetwork.get(network) ?? { count: 0, lastAt: 0, waitsUntil: 0 };
    this.#byNetwork.delete(network);
    this.#byNetwork.set(network, failures);
    if (now - failures.lastAt > forgottenMilliseconds) failures.count = 0;
    failures.lastAt = now;
    failures.count++;
    const over = failures.count - freeFailures;
    if (over > 0)
      failures.waitsUntil = now + Math.min(firstWaitMilliseconds * 2 ** (over - 1), longestWaitMilliseconds);
    if (this.#byNetwork.size > networksMax) this.#byNetwork.delete(this.#byNetwork.keys().next().value as string);
  }
}
