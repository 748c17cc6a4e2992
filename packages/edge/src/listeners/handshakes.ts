import type { Socket } from 'node:net';
import type { Broker, UnsignedClient } from '@dunlin/broker';
import { formatPeer } from './socket-transport.ts';

/** Memory of a TLS connection and of a request for a WebSocket, roughly. */
export const tlsBytes = 64 * 1024;
export const webSocketBytes = 16 * 1024;

/**
 * TLS and WebSocket handshakes in progress: clients that have not signed in. They are known by the address of their
 * peer, which a TLS connection shares with the socket below it.
 */
export class Handshakes {
  readonly #broker: Broker;
  readonly #ownBytes: number;
  readonly #clients = new Map<string, UnsignedClient>();

  constructor(broker: Broker, ownBytes: number) {
    this.#broker = broker;
    this.#ownBytes = ownBytes;
  }

  /**
   * A handshake begins. Returns why there is no room for it; null: there is.
   *
   * @param address of the client, also behind a load balancer; empty: of none
   * @param end closes the connection
   */
  begin(socket: Socket, address: string, end: (reason: string) => void): string | null {
    const key = formatPeer(socket);
    if (key === 'unix' || address === '') return null;
    const client = this.#broker.unsigned.enter(address, this.#ownBytes, end);
    if (typeof client === 'string') return client;
    this.#clients.set(key, client);
    socket.once('close', () => {
      client.leave();
      if (this.#clients.get(key) === client) this.#clients.delete(key);
    });
    return null;
  }

  /** The handshake is through: from now on the broker counts the connection. */
  done(socket: Socket): void {
    const key = formatPeer(socket);
    this.#clients.get(key)?.leave();
    this.#clients.delete(key);
  }
}
