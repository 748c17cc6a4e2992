import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { PacketFramer } from '@dunlin/testkit';
import type { Connecting } from './line-protocol.ts';
import { WebSocketFramer } from './web-socket-framer.ts';

/** The acknowledgements that a connection can be cut at, by the type in the first byte. */
const packetTypes = { PUBACK: 4, PUBREC: 5, PUBREL: 6, PUBCOMP: 7 } as const;

export type CutPacket = keyof typeof packetTypes;

type Target = Pick<Connecting, 'port' | 'transport'>;

/** A proxy that resets the connection in place of forwarding the first packet of a kind that comes from the broker. */
export class CuttingProxy {
  readonly port: number;
  readonly #listener: Server;
  readonly #target: Target;
  readonly #sockets = new Set<Socket>();
  #cutAt: CutPacket | null = null;

  private constructor(listener: Server, target: Target) {
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a numeric port');
    this.port = address.port;
    this.#listener = listener;
    this.#target = target;
    listener.on('connection', (client) => this.#forward(client));
  }

  static async start(target: Target): Promise<CuttingProxy> {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new CuttingProxy(listener, target);
  }

  /** The next packet of this kind is the end of its connection. */
  cutAt(packet: CutPacket): void {
    this.#cutAt = packet;
  }

  close(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #forward(client: Socket): void {
    const server = createConnection(this.#target.port, '127.0.0.1');
    const ends = [client, server];
    for (const end of ends) {
      end.setNoDelay(true);
      this.#sockets.add(end);
      end.on('error', () => undefined); // 'close' follows.
      end.on('close', () => {
        this.#sockets.delete(end);
        for (const other of ends) other.destroy();
      });
    }
    client.on('data', (chunk) => server.write(chunk));
    const framer = this.#target.transport === 'ws' ? new WebSocketFramer() : new PacketFramer();
    server.on('data', (chunk: Buffer) => {
      for (const { bytes, firstByte } of framer.push(chunk)) {
        if (this.#cutAt !== null && firstByte >> 4 === packetTypes[this.#cutAt]) {
          this.#cutAt = null;
          client.resetAndDestroy();
          server.resetAndDestroy();
          return;
        }
        client.write(bytes);
      }
    });
  }
}
