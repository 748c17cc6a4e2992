import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import type { Connection } from '@dunlin/broker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HandleTransport } from '../src/listeners/handle-transport.ts';
import { SocketTransport } from '../src/listeners/socket-transport.ts';
import { acceptHandles } from '../src/listeners/stream-handle.ts';

/** Keeps every chunk that it was handed, as a message that waits for its client does. */
class Keeper {
  readonly chunks: Buffer[] = [];
  #told: () => void = () => undefined;

  receive(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.#told();
  }

  async has(bytes: number): Promise<void> {
    while (Buffer.concat(this.chunks).length < bytes) await new Promise<void>((resolve) => (this.#told = resolve));
  }

  streamEnded(): boolean {
    return false;
  }

  transportClosed(): void {}
  drained(): void {}
  escaped(): void {}
}

let server: Server;
const keepers = new Map<string, Keeper>();
beforeEach(async () => {
  server = createServer();
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
  keepers.clear();
});

function keep(transport: SocketTransport | HandleTransport): void {
  const keeper = new Keeper();
  keepers.set(transport.remoteAddress, keeper);
  transport.attach(keeper as unknown as Connection);
}

test.each(['socket', 'handle'] as const)(
  'chunks of several connections that are kept stay as they were while others are read: %s',
  async (kind) => {
    if (kind === 'handle') {
      acceptHandles(server, (handle) => keep(new HandleTransport(handle, 'main', () => undefined)));
    } else server.on('connection', (socket) => keep(new SocketTransport(socket, 'main')));
    const { port } = server.address() as AddressInfo;
    const clients = await Promise.all(
      ['a', 'b', 'c'].map(async (letter) => {
        const client = connect({ port, host: '127.0.0.1' });
        await once(client, 'connect');
        return { client, letter, sent: '' };
      }),
    );
    // Lengths on both sides of what is copied by a loop, shares a slab, and fills the buffer that all are read into.
    for (const length of [1, 100, 127, 128, 129, 4096, 4097, 16_384, 65_536, 70_000, 3, 200_000]) {
      for (const entry of clients) {
        const bytes = `${entry.letter}${length}`.repeat(length).slice(0, length);
        entry.sent += bytes;
        entry.client.write(bytes);
      }
      for (const { client, sent } of clients) await keepers.get(`127.0.0.1:${client.localPort}`)!.has(sent.length);
    }
    for (const { client, sent } of clients) {
      const { chunks } = keepers.get(`127.0.0.1:${client.localPort}`)!;
      expect(String(Buffer.concat(chunks))).toBe(sent);
      client.destroy();
    }
  },
);
