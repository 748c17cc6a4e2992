import type { Socket } from 'node:net';

/**
 * Places for connections to the HTTP server. When all are taken, a newcomer gets that of the oldest connection of the
 * address that has most: whoever holds many makes room, and a probe that asks at once is answered.
 */
export class ConnectionPlaces {
  readonly #most: number;
  readonly #byAddress = new Map<string, Set<Socket>>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  enter(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    let sockets = this.#byAddress.get(address);
    if (sockets === undefined) {
      sockets = new Set();
      this.#byAddress.set(address, sockets);
    }
    sockets.add(socket);
    this.#count++;
    socket.once('close', () => this.#leave(address, socket));
    if (this.#count > this.#most) this.#makeRoom();
  }

  #leave(address: string, socket: Socket): void {
    const sockets = this.#byAddress.get(address);
    if (sockets?.delete(socket) !== true) return;
    this.#count--;
    if (sockets.size === 0) this.#byAddress.delete(address);
  }

  #makeRoom(): void {
    let most: [string, Set<Socket>] | null = null;
    for (const entry of this.#byAddress) if (most === null || entry[1].size > most[1].size) most = entry;
    if (most === null) return;
    const [oldest] = most[1];
    this.#leave(most[0], oldest);
    oldest.destroy();
  }
}
