/**
 * Connections of a worker whose client has not signed in: how many there are, by network too, and what they cost in
 * bytes, all together. A flood of strangers leaves room for others:
 *
 * ```
 *   too many of one network    the new one is refused
 *   too many, or bytes         the oldest that sent no CONNECT within three seconds go; if none did, the new one is refused
 *   bytes of a packet come     the oldest that have sent more than usual go
 * ```
 *
 * A client that sends CONNECT at once and no more than that never goes for another's sake.
 */
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import { networkOf } from './network-of.ts';

/** Time in which a client that is no stranger has sent its CONNECT, also to a worker that is busy. */
const silenceMilliseconds = 3000;
/** Bytes of CONNECT and what is behind it up to which a client is a usual one. */
const usualBytes = 8 * 1024;
/** Connections that go for one: the new one may cost what several old ones did. */
const endedAtOnce = 32;

/** A connection before CONNACK, or in its handshake. */
export class UnsignedClient {
  readonly network: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Memory of the connection itself, and what the client has sent. */
  bytes: number;
  readonly ownBytes: number;
  /** False: it has signed in, or is gone. */
  isCounted = true;
  private connectBytes = 0;
  /** Ends the connection, which then leaves. */
  readonly end: (reason: string) => void;
  private readonly clients: UnsignedClients;

  constructor(clients: UnsignedClients, network: string, since: number, ownBytes: number, end: (why: string) => void) {
    this.clients = clients;
    this.network = network;
    this.since = since;
    this.bytes = ownBytes;
    this.ownBytes = ownBytes;
    this.end = end;
  }

  /** CONNECT has come, of so many bytes. */
  introduced(bytes: number): void {
    this.connectBytes = bytes;
    this.clients.introduced(this);
  }

  /** Counts bytes behind CONNECT that are kept, or were: what has come once counts until CONNACK. */
  charge(bytes: number): void {
    const all = this.ownBytes + this.connectBytes + bytes;
    if (all > this.bytes) this.clients.charge(this, all);
  }

  /** Counts it no more: it has signed in, or is gone. */
  leave(): void {
    this.clients.leave(this);
  }
}

export class UnsignedClients {
  private readonly limits: Limits;
  private readonly clock: Clock;
  /** Without a CONNECT, the oldest first. */
  private readonly silent = new Set<UnsignedClient>();
  /** With more bytes than usual, the oldest first. */
  private readonly large = new Set<UnsignedClient>();
  private readonly byNetwork = new Map<string, number>();
  /** Clients that are counted, and their bytes. */
  count = 0;
  private bytes = 0;

  constructor(limits: Limits, clock: Clock) {
    this.limits = limits;
    this.clock = clock;
  }

  /** A new connection from this address; a text says why there is no room for it. */
  enter(address: string, ownBytes: number, end: (reason: string) => void): UnsignedClient | string {
    const { unsignedConnectionsMax, unsignedConnectionsPerAddressMax, unsignedBytesMax } = this.limits;
    const network = networkOf(address);
    const ofNetwork = this.byNetwork.get(network) ?? 0;
    if (unsignedConnectionsPerAddressMax > 0 && ofNetwork >= unsignedConnectionsPerAddressMax)
      return `limits.unsignedConnectionsPerAddressMax is reached: ${unsignedConnectionsPerAddressMax}`;
    const now = this.clock.now();
    if (this.count >= unsignedConnectionsMax) {
      const reason = `limits.unsignedConnectionsMax is reached: ${unsignedConnectionsMax}`;
      if (!this.makeRoom(now, reason, () => this.count < unsignedConnectionsMax)) return reason;
    }
    if (this.bytes + ownBytes > unsignedBytesMax) {
      const reason = `limits.unsignedBytesMax is reached: ${unsignedBytesMax}`;
      if (!this.makeRoom(now, reason, () => this.bytes + ownBytes <= unsignedBytesMax)) return reason;
    }
    const client = new UnsignedClient(this, network, now, ownBytes, end);
    this.count++;
    this.silent.add(client);
    this.byNetwork.set(network, (this.byNetwork.get(network) ?? 0) + 1);
    this.bytes += ownBytes;
    return client;
  }

  introduced(client: UnsignedClient): void {
    this.silent.delete(client);
  }

  charge(client: UnsignedClient, bytes: number): void {
    if (!client.isCounted) return;
    this.bytes += bytes - client.bytes;
    client.bytes = bytes;
    if (bytes - client.ownBytes <= usualBytes) return;
    this.large.add(client);
    const { unsignedBytesMax } = this.limits;
    while (this.bytes > unsignedBytesMax) {
      const [oldest] = this.large;
      if (oldest === undefined) return;
      this.endOne(oldest, `limits.unsignedBytesMax is reached: ${unsignedBytesMax}`);
    }
  }

  leave(client: UnsignedClient): void {
    if (!client.isCounted) return;
    client.isCounted = false;
    this.count--;
    this.silent.delete(client);
    this.large.delete(client);
    this.bytes -= client.bytes;
    const others = (this.byNetwork.get(client.network) ?? 1) - 1;
    if (others === 0) this.byNetwork.delete(client.network);
    else this.byNetwork.set(client.network, others);
  }

  /** True when there is room, perhaps since silent connections have gone. */
  private makeRoom(now: number, reason: string, hasRoom: () => boolean): boolean {
    for (let ended = 0; ended < endedAtOnce; ended++) {
      if (hasRoom()) return true;
      const [oldest] = this.silent;
      if (oldest === undefined || now - oldest.since < silenceMilliseconds) return false;
      this.endOne(oldest, reason);
    }
    return hasRoom();
  }

  /** Forgets a client before its end, whatever that does. */
  private endOne(client: UnsignedClient, reason: string): void {
    this.leave(client);
    client.end(reason);
  }
}
