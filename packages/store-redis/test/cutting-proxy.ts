import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between a client and a server, and can lose an answer: the request arrives, and the connection dies before its answer comes back. */
export class CuttingProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut: { request: Buffer; done: () => void } | null = null;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async to(port: number): Promise<CuttingProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new CuttingProxy(server, (server.address() as { port: number }).port);
    server.on('connection', (client) => proxy.#join(client, connect(port, '127.0.0.1')));
    return proxy;
  }

  /** Cuts the connection when the server has answered the next request that contains these bytes. Resolves when it is cut. */
  loseAnswerTo(request: string): Promise<void> {
    return new Promise((done) => {
      this.#cut = { request: Buffer.from(request), done };
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    let cutting: (() => void) | null = null;
    const end = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    client.on('data', (data: Buffer) => {
      if (this.#cut !== null && data.includes(this.#cut.request)) {
        cutting = this.#cut.done;
        this.#cut = null;
      }
      server.write(data);
    });
    server.on('data', (data: Buffer) => {
      if (cutting === null) {
        client.write(data);
        return;
      }
      end();
      cutting();
    });
  }
}
