import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { withDeadline } from '../src/deadline.ts';
import { FaultProxy } from '../src/fault-proxy.ts';
import { startHaproxy } from '../src/haproxy.ts';
import { startNats } from '../src/nats.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The first bytes that a server at a port says, or how the connection ended. */
async function firstWords(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  closing.push(() => socket.destroy());
  const [words] = await withDeadline(
    Promise.race([once(socket, 'data'), once(socket, 'close').then(() => ['closed'])]).catch((error) => [error.code]),
    () => 'no word',
  );
  return String(words);
}

/** A server that says its name and sends back what it hears. */
async function echoServer(name: string): Promise<{ port: number; close: () => void }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(name);
    socket.on('data', (chunk) => socket.write(chunk));
    closing.push(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a numeric port');
  return { port: address.port, close: () => server.close() };
}

describe('nats-server', () => {
  test('runs, is killed, and runs again on the same port', async () => {
    const nats = await startNats();
    closing.push(() => nats.stop());
    const { pid, port } = nats;
    expect(await firstWords(port)).toMatch(/^INFO /);
    await nats.kill();
    expect(await firstWords(port)).toBe('ECONNREFUSED');
    await nats.restart();
    expect([nats.port, nats.pid === pid]).toEqual([port, false]);
    expect(await firstWords(port)).toMatch(/^INFO /);
  });

  test('says who may connect', async () => {
    const nats = await startNats({ user: 'u', password: 'p@' });
    closing.push(() => nats.stop());
    expect(nats.url).toBe(`nats://u:p%40@127.0.0.1:${nats.port}`);
    expect(await firstWords(nats.port)).toContain('"auth_required":true');
  });
});

describe('fault proxy', () => {
  test('forwards, is cut, and heals', async () => {
    const server = await echoServer('here');
    const proxy = await FaultProxy.start(server);
    closing.push(() => proxy.close());
    const socket = connect(proxy.port, '127.0.0.1');
    closing.push(() => socket.destroy());
    expect(String((await once(socket, 'data'))[0])).toBe('here');
    socket.write('echo');
    expect(String((await once(socket, 'data'))[0])).toBe('echo');
    const ended = once(socket, 'error');
    proxy.cut();
    expect((await ended)[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(proxy.connections).toBe(0);
    expect(['closed', 'ECONNRESET']).toContain(await firstWords(proxy.port));
    proxy.heal();
    expect(await firstWords(proxy.port)).toBe('here');
  });

  test('a frozen connection stays open, and what was said comes when it is thawed, in order', async () => {
    const server = await echoServer('');
    const proxy = await FaultProxy.start(server);
    closing.push(() => proxy.close());
    const socket = connect(proxy.port, '127.0.0.1');
    closing.push(() => socket.destroy());
    socket.write('first ');
    expect(String((await once(socket, 'data'))[0])).toBe('first ');
    proxy.freeze();
    socket.write('second ');
    // A connection beside it shows that the proxy has had its turn: it is accepted and silent too.
    const beside = connect(proxy.port, '127.0.0.1');
    closing.push(() => beside.destroy());
    await once(beside, 'connect');
    let heard = '';
    const all = Promise.withResolvers<void>();
    socket.on('data', (chunk) => {
      heard += chunk;
      if (heard === 'second third') all.resolve();
    });
    socket.write('third');
    expect(heard).toBe('');
    expect(socket.destroyed).toBe(false);
    proxy.thaw();
    await withDeadline(all.promise, () => `heard "${heard}"`);
  });

  test('latency holds every chunk up', async () => {
    const server = await echoServer('hello');
    const proxy = await FaultProxy.start(server);
    closing.push(() => proxy.close());
    proxy.latencyMilliseconds = 100;
    const begun = performance.now();
    expect(await firstWords(proxy.port)).toBe('hello');
    expect(performance.now() - begun).toBeGreaterThan(95);
  });
});

describe('haproxy', () => {
  test('spreads connections and leaves out a server that is down', async () => {
    const [one, two] = [await echoServer('one'), await echoServer('two')];
    const haproxy = await startHaproxy({
      servers: [
        { name: 'one', ...one },
        { name: 'two', ...two },
      ],
      checkMilliseconds: 50,
    });
    closing.push(() => haproxy.stop());
    expect([await firstWords(haproxy.port), await firstWords(haproxy.port)].sort()).toEqual(['one', 'two']);
    one.close();
    for (let count = 0; count < 4; count++) expect(await firstWords(haproxy.port)).toBe('two');
    await haproxy.kill();
  });

  test('says with the PROXY protocol where a connection comes from', async () => {
    const server = await echoServer('');
    const haproxy = await startHaproxy({ servers: [{ name: 'one', ...server }], sendProxy: true });
    closing.push(() => haproxy.stop());
    expect(await firstWords(haproxy.port)).toMatch(/^\r\n\r\n\0\r\nQUIT\n/);
  });
});
