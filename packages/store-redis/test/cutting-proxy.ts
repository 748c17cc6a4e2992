import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Length of a tail: as long as anything that is waited for. */
const tailBytes = 100;

/**
 * Stands between a client and a server, and can lose an answer: the request arrives, and the connection dies before its answer comes back. Or it keeps a request
 * for later: the client's connection dies, and the request arrives when the test wants it.
 */
export class CuttingProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut: { request: Buffer; done: () => void } | null = null;
  #kept: { request: Buffer; done: (deliver: () => Promise<void>) => void } | null = null;

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

  /** Resets the client's connection when it sends the next request that contains these bytes. Resolves with what delivers them, and waits until the server has answered. */
  keepBack(request: string): Promise<() => Promise<void>> {
    return new Promise((done) => {
      this.#kept = { request: Buffer.from(request), done };
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    let cutting: (() => void) | null = null;
    let isKept = false;
    // A request may come in pieces.
    let tail = Buffer.alloc(0);
    const end = () => {
      client.destroy();
      if (!isKept) server.destroy();
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
      if (this.#kept?.request !== undefined && data.includes(this.#kept.request)) {
        const { done } = this.#kept;
        this.#kept = null;
        isKept = true;
        client.resetAndDestroy();
        done(async () => {
          server.write(data);
          await once(server, 'data');
        });
        return;
      }
      const piece = Buffer.concat([tail, data]);
      tail = piece.subarray(-tailBytes);
      if (this.#cut !== null && piece.includes(this.#cut.request)) {
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
