import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Connection } from '@dunlin/broker';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HandleTransport } from '../src/listeners/handle-transport.ts';
import { endTimeoutMilliseconds, SocketTransport } from '../src/listeners/socket-transport.ts';
import { acceptHandles } from '../src/listeners/stream-handle.ts';

/** A connection that remembers what it was told. */
class FakeConnection {
  received = '';
  drains = 0;
  closedWith: Error | undefined | 'open' = 'open';
  /** The end of the client's stream has come. */
  hasEnded = false;
  /** Something is to take effect before the connection ends. */
  hasWaiting = false;
  /** Throws when it is told of this. */
  throwsAt: 'data' | 'end' | 'close' | null = null;
  escapes: string[] = [];
  #changed: (() => void)[] = [];

  #mayThrow(event: 'data' | 'end' | 'close'): void {
    if (this.throwsAt === event) throw new TypeError(`at ${event}`);
  }

  /** Handles an error as the broker's own transport does: the transport goes. */
  escaped(error: unknown): void {
    this.escapes.push((error as Error).message);
    transport.destroy();
    this.#tell();
  }

  receive(chunk: Buffer): void {
    this.#mayThrow('data');
    this.received += chunk;
    this.#tell();
  }

  drained(): void {
    this.drains++;
    this.#tell();
  }

  streamEnded(): boolean {
    this.#mayThrow('end');
    this.hasEnded = true;
    this.#tell();
    return this.hasWaiting;
  }

  transportClosed(error?: Error): void {
    this.#mayThrow('close');
    this.closedWith = error;
    this.#tell();
  }

  #tell(): void {
    for (const changed of this.#changed.splice(0)) changed();
  }

  async until(enough: () => boolean): Promise<void> {
    while (!enough()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }
}

let server: Server;
let client: Socket;
let transport: SocketTransport | HandleTransport;
let connection: FakeConnection;
/** Connections that have left. */
let left: number;

type Kind = 'socket' | 'socket with bytes from before' | 'handle';

/** Attaches what the server accepts next. */
function accepted(kind: Kind): Promise<SocketTransport | HandleTransport> {
  return new Promise((resolve) => {
    const attach = (made: SocketTransport | HandleTransport): void => {
      made.attach(connection as unknown as Connection);
      resolve(made);
    };
    if (kind === 'handle') {
      acceptHandles(server, (handle) => attach(new HandleTransport(handle, 'main', () => left++)));
      return;
    }
    server.once('connection', (socket) => {
      // Read by its `data` events then: what lies in a socket can be had no other way.
      if (kind === 'socket with bytes from before') socket.unshift('before ');
      attach(new SocketTransport(socket, 'main'));
    });
  });
}

async function begin(kind: Kind): Promise<void> {
  server = createServer({ noDelay: true, allowHalfOpen: false });
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  left = 0;
  connection = new FakeConnection();
  const made = accepted(kind);
  client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  transport = await made;
  if (kind !== 'socket with bytes from before') return;
  await connection.until(() => connection.received === 'before ');
  connection.received = '';
}

afterEach(() => {
  client.destroy();
  transport.destroy();
  server.close();
});

describe.each<Kind>(['socket', 'socket with bytes from before', 'handle'])('%s', (kind) => {
  beforeEach(() => begin(kind));

  /** Seen to fail at `end`, whose event nobody caught: an error of the whole thread. */
  test.each(['data', 'end', 'close'] as const)(
    'what is thrown at the event "%s" ends this socket alone',
    async (event) => {
      connection.throwsAt = event;
      client.end('bytes');
      await connection.until(() => connection.escapes.length > 0);
      expect(connection.escapes).toEqual([`at ${event}`]);
    },
  );

  test('bytes go both ways, and a write that the kernel took whole leaves the buffer free', async () => {
    client.write('ping');
    await connection.until(() => connection.received === 'ping');
    expect(transport.write(Buffer.from('pong'))).toBe(true);
    expect(transport.pendingBytes).toBe(0);
    expect(String((await once(client, 'data'))[0])).toBe('pong');
    expect(transport.remoteAddress).toBe(`127.0.0.1:${client.localPort}`);
    expect(transport.listener).toBe('main');
  });

  test('a client that does not read: the transport keeps the bytes and says once when they have left', async () => {
    client.pause();
    const chunk = Buffer.alloc(1 << 20, 'x');
    let written = 0;
    do written += chunk.length;
    while (transport.write(chunk));
    expect(transport.pendingBytes).toBeGreaterThan(0);
    transport.write(chunk);
    written += chunk.length;
    let seen = 0;
    client.on('data', (data) => {
      seen += data.length;
    });
    client.resume();
    await connection.until(() => connection.drains > 0);
    expect(transport.pendingBytes).toBe(0);
    expect(connection.drains).toBe(1);
    while (seen < written) await once(client, 'data');
    expect(seen).toBe(written);
  });

  test('a little that stays behind a full kernel buffer is announced, too', async () => {
    client.pause();
    const chunk = Buffer.alloc(100_000, 'x');
    while (transport.write(chunk));
    client.resume();
    await connection.until(() => connection.drains === 1);
    expect(transport.write(Buffer.from('y'))).toBe(true);
  });

  test('pause and resume', async () => {
    transport.pause();
    await new Promise((resolve) => client.write('later', resolve));
    // The bytes are in the kernel; a reading socket would have them after one turn.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(connection.received).toBe('');
    transport.resume();
    await connection.until(() => connection.received === 'later');
  });

  test('end: what is pending arrives, what the client still sends is thrown away', async () => {
    transport.write(Buffer.from('bye'));
    transport.end();
    transport.end();
    client.write('too late');
    let last = '';
    client.on('data', (data) => {
      last += data;
    });
    await once(client, 'end');
    expect(last).toBe('bye');
    client.end();
    await connection.until(() => connection.closedWith !== 'open');
    expect(connection.closedWith).toBeUndefined();
    expect(connection.received).toBe('');
  });

  test('end: all that the kernel has not taken yet arrives before the end, in order', async () => {
    client.pause();
    const sent: Buffer[] = [];
    let free = true;
    for (let i = 0; free || i % 8 !== 0; i++) {
      sent.push(Buffer.alloc(300_001, i));
      free = transport.write(sent.at(-1) as Buffer) && free;
    }
    transport.end();
    const received: Buffer[] = [];
    client.on('data', (data) => received.push(data as Buffer));
    client.resume();
    await once(client, 'end');
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
  });

  test('a write after the client has gone is told as an error of the socket, and frees the bytes', async () => {
    client.destroy();
    while (connection.closedWith === 'open') {
      transport.write(Buffer.from('anybody?'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(transport.pendingBytes).toBe(0);
    expect(transport.write(Buffer.from('still?'))).toBe(true);
  });

  test('end: a client that never closes its side is cut off', async () => {
    const begun = performance.now();
    transport.end();
    client.resume();
    await connection.until(() => connection.closedWith !== 'open');
    expect(performance.now() - begun).toBeGreaterThan(endTimeoutMilliseconds - 50);
  });

  test('a reset is told with its error, not thrown', async () => {
    client.resetAndDestroy();
    await connection.until(() => connection.closedWith !== 'open');
    expect((connection.closedWith as NodeJS.ErrnoException).code).toBe('ECONNRESET');
  });

  test('the client closes: the connection is told', async () => {
    client.end();
    await connection.until(() => connection.closedWith !== 'open');
    expect(connection.closedWith).toBeUndefined();
  });

  test('the client closes its side while something has to take effect: it is answered before the end', async () => {
    connection.hasWaiting = true;
    const answer: Buffer[] = [];
    client.on('data', (chunk: Buffer) => answer.push(chunk));
    client.end('last words');
    await connection.until(() => connection.hasEnded);
    expect(connection.received).toBe('last words');
    transport.write(Buffer.from('answer'));
    expect(connection.closedWith).toBe('open');
    transport.end();
    await once(client, 'end');
    expect(String(Buffer.concat(answer))).toBe('answer');
    await connection.until(() => connection.closedWith !== 'open');
  });

  test('what is answered to a client that is gone comes back as a reset, which takes nothing from what it sent', async () => {
    connection.hasWaiting = true;
    const gone = once(client, 'close');
    client.end('last words', () => client.destroy());
    await Promise.all([gone, connection.until(() => connection.hasEnded)]);
    while (connection.closedWith === 'open') {
      transport.write(Buffer.from('answer'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(connection.received).toBe('last words');
    expect(connection.closedWith).toBeUndefined();
  });
});

describe('a connection without a socket', () => {
  beforeEach(() => begin('handle'));

  test('tells once that it has left, and its address is known beyond the end', async () => {
    const address = `127.0.0.1:${client.localPort}`;
    let closed = 0;
    (transport as HandleTransport).once('close', () => closed++);
    transport.destroy();
    transport.destroy();
    await connection.until(() => connection.closedWith !== 'open');
    expect(transport.remoteAddress).toBe(address);
    expect([left, closed]).toEqual([1, 1]);
  });

  test('that ended is neither read nor written any more, and holds no bytes', async () => {
    client.pause();
    const chunk = Buffer.alloc(1 << 20, 'x');
    while (transport.write(chunk));
    transport.destroy();
    expect(transport.pendingBytes).toBe(0);
    expect(transport.write(chunk)).toBe(true);
    transport.pause();
    transport.resume();
    transport.end();
    await connection.until(() => connection.closedWith !== 'open');
    expect(connection.drains).toBe(0);
  });

  test('writes that are not done at once keep their own bytes: what is written next to another client mixes with nothing', async () => {
    client.pause();
    const first = Buffer.alloc(300_000, 'a');
    let written = 0;
    do written += first.length;
    while (transport.write(first));
    transport.write(Buffer.alloc(1000, 'b'));
    transport.write(Buffer.alloc(1000, 'c'));
    let text = '';
    client.on('data', (data) => {
      text += data;
    });
    client.resume();
    while (text.length < written + 2000) await once(client, 'data');
    expect(text).toBe('a'.repeat(written) + 'b'.repeat(1000) + 'c'.repeat(1000));
  });
});
