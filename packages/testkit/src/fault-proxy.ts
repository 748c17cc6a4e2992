import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** Target that a proxy forwards to. */
export interface FaultProxyTarget {
  readonly port: number;
  readonly host?: string;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * A TCP proxy on loopback between a client and a server, which can do to a connection what networks do:
 *
 *     client ═══ proxy ═══ server        cut: both ends are reset, new connections are refused
 *                                        freeze: connections stay open and nothing is forwarded, as with a pulled cable
 *                                        latency: every chunk is forwarded so much later
 */
export class FaultProxy {
  readonly port: number;
  /** Milliseconds that every chunk waits, in each direction. */
  latencyMilliseconds = 0;
  readonly #listener: Server;
  readonly #target: FaultProxyTarget;
  readonly #pairs = new Set<Pair>();
  #cut = false;
  #frozen = false;

  private constructor(listener: Server, target: FaultProxyTarget) {
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a numeric port');
    this.port = address.port;
    this.#listener = listener;
    this.#target = target;
    listener.on('connection', (client) => this.#accept(client));
  }

  /** Listens on a free port. */
  static async start(target: FaultProxyTarget): Promise<FaultProxy> {
    const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new FaultProxy(listener, target);
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Resets every connection and refuses new ones, until `heal`. */
  cut(): void {
    this.#cut = true;
    for (const pair of [...this.#pairs]) this.#end(pair);
  }

  heal(): void {
    this.#cut = false;
  }

  /** Forwards nothing more, until `thaw`. Connections stay open; new ones are accepted and stay silent. */
  freeze(): void {
    this.#frozen = true;
    for (const { client, server } of this.#pairs) {
      client.pause();
      server.pause();
    }
  }

  thaw(): void {
    this.#frozen = false;
    for (const { client, server } of this.#pairs) {
      client.resume();
      server.resume();
    }
  }

  async close(): Promise<void> {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #accept(client: Socket): void {
    if (this.#cut) {
      client.resetAndDestroy();
      return;
    }
    const server = createConnection({
      port: this.#target.port,
      host: this.#target.host ?? '127.0.0.1',
      allowHalfOpen: true,
    });
    const pair = { client, server };
    this.#pairs.add(pair);
    this.#forward(pair, client, server);
    this.#forward(pair, server, client);
    if (this.#frozen) {
      client.pause();
      server.pause();
    } else {
      client.resume();
    }
  }

  #forward(pair: Pair, from: Socket, to: Socket): void {
    from.setNoDelay(true);
    from.on('data', (chunk: Buffer) => {
      if (this.latencyMilliseconds > 0) {
        setTimeout(() => this.#write(from, to, chunk), this.latencyMilliseconds);
      } else {
        this.#write(from, to, chunk);
      }
    });
    from.on('end', () => {
      // Not before what is still on its way.
      if (this.latencyMilliseconds > 0) setTimeout(() => to.end(), this.latencyMilliseconds);
      else to.end();
    });
    from.on('error', () => this.#end(pair));
    from.on('close', () => {
      if (to.destroyed) this.#pairs.delete(pair);
    });
  }

  /** A receiver that does not keep up slows the sender down, as without a proxy. */
  #write(from: Socket, to: Socket, chunk: Uint8Array): void {
    if (to.destroyed || to.write(chunk)) return;
    from.pause();
    to.once('drain', () => {
      if (!this.#frozen) from.resume();
    });
  }

  #end(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of [pair.client, pair.server]) {
      // A socket that is still connecting cannot be reset.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}
