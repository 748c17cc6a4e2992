import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { encodePacket } from '@dunlin/protocol';
import {
  connectPacket,
  type HaproxyProcess,
  type IssuedCertificate,
  startHaproxy,
  TestAuthority,
  WireClient,
  withDeadline,
} from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ListenerNode } from './listener-node.ts';
import { fateOf } from './tls-client.ts';

const connectBytes = encodePacket(connectPacket({ version: 4, clientId: 'someone' }), 4);
const headerBytes = Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 51034 1883\r\n');
const behindProxy = { proxy: 'required', trustedProxies: ['127.0.0.1'] };
const debug = ['--log-level', 'debug'];

let authority: TestAuthority;
let server: IssuedCertificate;
let node: ListenerNode | null = null;
let haproxy: HaproxyProcess | null = null;
beforeAll(async () => {
  authority = await TestAuthority.make();
  server = await authority.issue('server');
});
afterAll(() => authority.remove());
afterEach(async () => {
  await haproxy?.kill();
  await node?.stop();
  node = null;
  haproxy = null;
});

async function start(...parameters: Parameters<typeof ListenerNode.start>): Promise<ListenerNode> {
  node = await ListenerNode.start(...parameters);
  return node;
}

/** HAProxy before a listener of a node. */
async function balance(listening: ListenerNode, sendProxy: string, bind = ''): Promise<HaproxyProcess> {
  haproxy = await startHaproxy({ servers: [{ name: 'node', port: listening.port(0) }], sendProxy, bind });
  return haproxy;
}

/** Answer of the broker to these bytes; nothing when it closes the connection. */
async function answerTo(
  port: number,
  chunks: readonly Uint8Array[],
  socket = connect(port, '127.0.0.1'),
): Promise<Buffer> {
  socket.setNoDelay(true);
  socket.on('error', () => undefined); // a reset is an end as well
  const answered = new Promise<Buffer>((resolve) => socket.once('data', resolve));
  const ended = new Promise<Buffer>((resolve) => socket.once('close', () => resolve(Buffer.alloc(0))));
  for (const chunk of chunks) await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
  const answer = await withDeadline(Promise.race([answered, ended]), () => 'neither an answer nor an end');
  socket.destroy();
  return answer;
}

const accepted = Buffer.from([0x20, 2, 0, 0]);
const ended = Buffer.alloc(0);

/** Address that the log gives of clients that break a rule. */
async function addressOfWrongdoer(listening: ListenerNode, client: WireClient): Promise<string> {
  client.send(Buffer.from([0xf0, 0])); // AUTH, which MQTT 3 does not have
  await client.expectClosed();
  await listening.broker.until('"event":"protocol.violated"');
  return listening.broker.log().find(({ event }) => event === 'protocol.violated')?.address as string;
}

describe('HAProxy', () => {
  test.each(['send-proxy', 'send-proxy-v2'])("%s: the log knows the client's own address", async (words) => {
    const listening = await start([{ url: 'tcp://127.0.0.1:0', ...behindProxy }]);
    const { port } = await balance(listening, words);
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const own = `127.0.0.1:${socket.localPort}`;
    socket.write(Buffer.concat([connectBytes, Buffer.from([0xf0, 0])]));
    await listening.broker.until('"event":"protocol.violated"');
    expect(listening.broker.log().find(({ event }) => event === 'protocol.violated')).toMatchObject({ address: own });
    socket.destroy();
  });

  test('before TLS, which the broker ends itself', async () => {
    const listening = await start([{ url: 'tls://127.0.0.1:0', ...server, ...behindProxy }]);
    const { port } = await balance(listening, 'send-proxy-v2');
    const client = await WireClient.open(`mqtts://127.0.0.1:${port}`, 4);
    client.send(connectPacket({ version: 4, clientId: 'behind' }));
    await client.expect('connack');
    const address = await addressOfWrongdoer(listening, client);
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test.each(['ws', 'wss'])('before %s', async (scheme) => {
    const tls = scheme === 'wss' ? server : {};
    const listening = await start([{ url: `${scheme}://127.0.0.1:0/mqtt`, ...tls, ...behindProxy }]);
    const { port } = await balance(listening, 'send-proxy');
    const client = await WireClient.open(`${scheme}://127.0.0.1:${port}/mqtt`, 4);
    client.send(connectPacket({ version: 4, clientId: 'behind' }));
    await client.expect('connack');
    await client.drop();
  });

  test('which ends TLS, and checks the certificates of clients', async () => {
    const listening = await start([{ url: 'tcp://127.0.0.1:0', ...behindProxy }], debug);
    const both = join(authority.directory, 'haproxy.pem');
    writeFileSync(both, readFileSync(server.cert, 'utf8') + readFileSync(server.key, 'utf8'));
    const bind = `ssl crt ${both} ca-file ${authority.ca} verify required`;
    const { port } = await balance(listening, 'send-proxy-v2-ssl-cn proxy-v2-options authority', bind);
    const { cert, key } = await authority.issue('device-7');
    const options = { cert: readFileSync(cert), key: readFileSync(key), servername: 'a.example' };
    expect(await fateOf(port, options, connectBytes)).toBe('accepted');
    await listening.broker.until('"serverName":"a.example"');
    await listening.broker.until('"commonName":"device-7"');
    expect(await fateOf(port, {}, connectBytes)).toBe('refused');
  });

  test('its health checks', async () => {
    const listening = await start([{ url: 'tcp://127.0.0.1:0', ...behindProxy }], debug);
    await balance(listening, 'send-proxy-v2');
    await listening.broker.until('proxy.self-announced');
    expect(listening.broker.output).not.toMatch(/listener\.refused|connection\.refused/);
  });
});

describe('the header', () => {
  test('in any split, with and without what follows', async () => {
    const listening = await start([{ url: 'tcp://127.0.0.1:0', ...behindProxy }]);
    const port = listening.port(0);
    const all = Buffer.concat([headerBytes, connectBytes]);
    expect(await answerTo(port, [all])).toEqual(accepted);
    expect(await answerTo(port, [headerBytes, connectBytes])).toEqual(accepted);
    expect(await answerTo(port, [all.subarray(0, 30), all.subarray(30)])).toEqual(accepted);
    expect(
      await answerTo(
        port,
        Array.from(all, (byte) => Buffer.from([byte])),
      ),
    ).toEqual(accepted);
  });

  test('in single bytes before TLS and before a request for a WebSocket', async () => {
    const listening = await start([
      { url: 'tls://127.0.0.1:0', ...server, ...behindProxy },
      { url: 'ws://127.0.0.1:0', ...behindProxy },
    ]);
    const socket = connect(listening.port(0), '127.0.0.1');
    for (const byte of headerBytes)
      await new Promise<void>((resolve) => socket.write(Buffer.from([byte]), () => resolve()));
    expect(await fateOf(0, { socket } as { socket: Socket }, connectBytes)).toBe('accepted');
    const request =
      'GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n';
    for (const chunks of [[headerBytes, Buffer.from(request)], [Buffer.concat([headerBytes, Buffer.from(request)])]])
      expect(String(await answerTo(listening.port(1), chunks))).toMatch(/^HTTP\/1\.1 101 /);
  });

  test('is required where it is configured', async () => {
    const listening = await start([{ url: 'tcp://127.0.0.1:0', ...behindProxy, handshakeTimeoutSeconds: 1 }]);
    const port = listening.port(0);
    expect(await answerTo(port, [connectBytes])).toEqual(ended);
    await listening.broker.until('no PROXY header');
    expect(await answerTo(port, [Buffer.from('PROXY TCP4 nonsense\r\n')])).toEqual(ended);
    expect(await answerTo(port, [headerBytes.subarray(0, 20)])).toEqual(ended); // after a second
    expect(await answerTo(port, [Buffer.from(`PROXY UNKNOWN ${'x'.repeat(200)}`)])).toEqual(ended);
    expect(await answerTo(port, [Buffer.concat([headerBytes, connectBytes])])).toEqual(accepted);
  });

  test('is refused from an address that is not trusted, and the connection with it', async () => {
    const listening = await start([
      { url: 'tcp://127.0.0.1:0', proxy: 'required', trustedProxies: ['127.0.0.2', '10.0.0.0/8'] },
    ]);
    const port = listening.port(0);
    expect(await answerTo(port, [headerBytes, connectBytes])).toEqual(ended);
    await listening.broker.until('not from a trusted proxy');
    expect(await answerTo(port, [connectBytes])).toEqual(ended);
    const balancer = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    expect(await answerTo(port, [headerBytes, connectBytes], balancer)).toEqual(accepted);
    // One warning for those that follow in the next seconds, too: they are information.
    const told = listening.broker
      .log()
      .filter(({ event }) => event === 'listener.refused' || event === 'connection.refused');
    expect(told.map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  test('is owed by nobody who resets or closes before it: health checks are no refusals', async () => {
    const listening = await start([{ url: 'tcp://127.0.0.1:0', ...behindProxy }]);
    const port = listening.port(0);
    for (let i = 0; i < 60; i++) {
      const check = connect(port, '127.0.0.1');
      await once(check, 'connect');
      if (i % 3 === 0) check.destroy();
      else if (i % 3 === 1) check.resetAndDestroy();
      else check.write(headerBytes, () => check.resetAndDestroy());
      await once(check, 'close');
    }
    expect(await answerTo(port, [headerBytes, connectBytes])).toEqual(accepted);
    expect(listening.broker.output).not.toMatch(/listener\.refused|connection\.refused/);
    // What would be refused is told.
    expect(await answerTo(port, [connectBytes])).toEqual(ended);
    await listening.broker.until('"event":"listener.refused"');
  });

  test('is a malformed packet where none is expected', async () => {
    const listening = await start(['tcp://127.0.0.1:0']);
    // By its first byte the line is a PUBREC of 84 bytes, which nobody waits for once they are there.
    expect(await answerTo(listening.port(0), [headerBytes, Buffer.alloc(84)])).toEqual(ended);
    await listening.broker.until('"event":"protocol.violated"');
    expect(await answerTo(listening.port(0), [Buffer.from('\r\n\r\n\0\r\nQUIT\n')])).toEqual(ended);
  });
});
