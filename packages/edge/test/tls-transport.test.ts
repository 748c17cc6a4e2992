import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { Connection } from '@dunlin/broker';
import { TestAuthority } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TlsTransport } from '../src/listeners/tls-transport.ts';

let authority: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.make();
});
afterAll(() => authority.remove());

/** Ends of a TLS connection, with the events of the broker's end. */
async function connected() {
  const files = await authority.issue('server');
  const server = createServer({ cert: readFileSync(files.cert), key: readFileSync(files.key) }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  const [socket] = await accepted;
  const transport = new TlsTransport(socket, 'test');
  let drained = Promise.withResolvers<void>();
  const connection = {
    receive: () => undefined,
    streamEnded: () => false,
    transportClosed: () => undefined,
    drained: () => {
      drained.resolve();
      drained = Promise.withResolvers<void>();
    },
  } as unknown as Connection;
  transport.attach(connection);
  return {
    client,
    transport,
    nextDrain: () => drained.promise,
    close: () => {
      client.destroy();
      socket.destroy();
      server.close();
    },
  };
}

describe('TlsTransport', () => {
  test('a buffer may be used again as soon as `write` has said so', async () => {
    const { client, transport, close } = await connected();
    const came: Buffer[] = [];
    let length = 0;
    const all = Promise.withResolvers<void>();
    const turns = 200;
    const size = 20_000; // more than one TLS record
    client.on('data', (chunk: Buffer) => {
      came.push(chunk);
      length += chunk.length;
      if (length === turns * size) all.resolve();
    });
    let reused = 0;
    let buffer = Buffer.alloc(size);
    for (let turn = 0; turn < turns; turn++) {
      buffer.fill(turn);
      if (transport.write(buffer)) {
        buffer.fill(0xff);
        reused++;
      } else {
        buffer = Buffer.alloc(size);
      }
      if (turn % 3 > 0) await new Promise(setImmediate);
    }
    await all.promise;
    const bytes = Buffer.concat(came);
    for (let turn = 0; turn < turns; turn++)
      expect(bytes.subarray(turn * size, (turn + 1) * size).equals(Buffer.alloc(size, turn))).toBe(true);
    expect(reused).toBeGreaterThan(turns / 3);
    close();
  });

  test('a client that does not read: bytes wait and are counted, and the broker hears when they have left', async () => {
    const { client, transport, nextDrain, close } = await connected();
    client.pause();
    const chunk = Buffer.alloc(1 << 20);
    while (transport.write(Buffer.from(chunk)));
    transport.write(Buffer.from(chunk));
    expect(transport.pendingBytes).toBeGreaterThan(chunk.length);
    const drained = nextDrain();
    client.resume();
    await drained;
    expect(transport.pendingBytes).toBe(0);
    close();
  });

  /** Seen to fail with writes whose buffer is free at once told to nobody. */
  test('a large write whose buffer is free at once: the broker hears when it has left', async () => {
    const { client, transport, nextDrain, close } = await connected();
    client.resume();
    const drained = nextDrain();
    expect(transport.write(Buffer.alloc(1 << 20))).toBe(true);
    expect(transport.pendingBytes).toBeGreaterThan(0);
    await drained;
    expect(transport.pendingBytes).toBe(0);
    close();
  });
});
