import { statSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Broker } from '@dunlin/broker';
import type { Listener, ListenerAddress } from '@dunlin/config';
import { SocketTransport } from './socket-transport.ts';

/** Connections that wait for `accept`: a reconnect storm of a few thousand clients finds room (the system may cut it, see net.core.somaxconn). */
const backlog = 4096;

/** Accepts connections at one address and gives them to the broker of this thread. */
export class SocketListener {
  readonly #server: Server;
  readonly #address: ListenerAddress;

  constructor(listener: Listener, address: ListenerAddress, broker: Broker) {
    this.#address = address;
    const name = listener.name;
    this.#server = createServer({ noDelay: true, allowHalfOpen: false }, (socket: Socket) => {
      const transport = new SocketTransport(socket, name);
      transport.attach(broker.accept(transport));
    });
  }

  /**
   * @param sharePort several threads listen at the same port and the kernel spreads connections over them
   * @returns the address with the port that was taken
   * @throws what the system says: EADDRINUSE, EACCES, ENOTFOUND …
   */
  async listen(sharePort: boolean): Promise<ListenerAddress> {
    const address = this.#address;
    if (address.kind === 'unix') {
      await removeStaleSocket(address.path);
      await this.#bind({ path: address.path, backlog });
      return address;
    }
    await this.#bind({ host: address.host, port: address.port, backlog, reusePort: sharePort });
    return { ...address, port: (this.#server.address() as AddressInfo).port };
  }

  #bind(options: { path?: string; host?: string; port?: number; backlog: number; reusePort?: boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(options, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }

  /** Stops accepting at once. Connections that were accepted stay; resolves when the last of them is closed. */
  close(): Promise<void> {
    if (!this.#server.listening) return Promise.resolve();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** A process that was killed leaves its socket behind in the file system. It goes if nobody answers there; a file of another kind is somebody's and stays. */
function removeStaleSocket(path: string): Promise<void> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve();
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' && statSync(path).isSocket()) unlinkSync(path);
      resolve();
    });
  });
}

/**
 * Fails with EADDRINUSE when anyone listens at the port. Threads that share a port would not notice: the kernel lets every process of the
 * same user join in, and a second node would silently take half of the connections of the first.
 */
export async function refuseSharedPort(address: ListenerAddress): Promise<void> {
  if (address.kind !== 'tcp' || address.port === 0) return;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen({ host: address.host, port: address.port }, () => probe.close(() => resolve()));
  });
}
