import { networkOf, SharedCounts, SharedMarks, SharedRates } from '@dunlin/broker/guards';
import type { Limits } from '@dunlin/broker/ports';
import type { Refusal } from './refusal.ts';

/** Part of a listener's or a node's connections that is kept for networks that signed in lately. */
const reservedShare = 0.05;

/** Memory that the workers of a node share. */
export interface AdmissionMemory {
  /** Connections by network, as `newSharedCounts` made it. */
  readonly connections: SharedArrayBuffer;
  /** Connections a second by network, as `newSharedRates` made it. */
  readonly rates: SharedArrayBuffer;
  /** Networks that signed in lately, as `newSharedMarks` made it. */
  readonly marks: SharedArrayBuffer;
}

/** A connection that tells when it is closed. */
export interface Closing {
  once(event: 'close', listener: () => void): unknown;
}

/** Connections that are open, and as many as there may be. */
export interface Fullness {
  readonly open: number;
  readonly most: number;
}

/** Decides about each new connection before its first byte is read, or after the PROXY header, by the network of its client. */
export class Admission {
  readonly #limits: Limits;
  readonly #connections: SharedCounts;
  readonly #rates: SharedRates;
  readonly #marks: SharedMarks;

  /** `worker`: its place. */
  constructor(limits: Limits, memory: AdmissionMemory, worker: number) {
    this.#limits = limits;
    this.#connections = new SharedCounts(memory.connections, worker);
    this.#rates = new SharedRates(memory.rates);
    this.#marks = new SharedMarks(memory.marks);
  }

  /**
   * Null: the connection may stay, and counts until it is closed.
   *
   * @param fullness empty where nobody signs in, so that nobody is known
   */
  enter(connection: Closing, address: string, fullness: readonly Fullness[]): Refusal | null {
    const { connectRatePerAddress, connectionsPerAddressMax } = this.#limits;
    if (address === '' || address === 'unix') return null;
    // Where nothing is limited by address nothing is worked out, for each of a thousand connections a second.
    if (connectRatePerAddress === 0 && connectionsPerAddressMax === 0 && fullness.length === 0) return null;
    const network = networkOf(address);
    return (
      this.#overRate(address, network) ??
      this.#overReserve(address, network, fullness) ??
      this.#overCount(connection, address, network)
    );
  }

  #overRate(address: string, network: string): Refusal | null {
    const { connectRatePerAddress: rate, connectBurstPerAddress: burst } = this.#limits;
    if (rate === 0 || this.#rates.take(network, rate, burst, Date.now())) return null;
    const reason = `more than ${rate} connections a second from this address (limits.connectRatePerAddress)`;
    return { kind: 'connect-rate', address, reason };
  }

  #overCount(connection: Closing, address: string, network: string): Refusal | null {
    const most = this.#limits.connectionsPerAddressMax;
    if (most === 0) return null;
    const open = this.#connections.enter(network);
    connection.once('close', () => this.#connections.leave(network));
    if (open <= most) return null;
    const reason = `more than ${most} connections from this address (limits.connectionsPerAddressMax)`;
    return { kind: 'connections-per-address', address, reason };
  }

  #overReserve(address: string, network: string, fullness: readonly Fullness[]): Refusal | null {
    const isNearlyFull = fullness.some(({ open, most }) => open > most - Math.floor(most * reservedShare));
    if (!isNearlyFull || this.#marks.has(this.#marks.ofNetwork(network), Date.now())) return null;
    return { kind: 'full', address, reason: 'the last connections are kept for addresses that signed in lately' };
  }
}
