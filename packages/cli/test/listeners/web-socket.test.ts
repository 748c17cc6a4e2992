import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { encodePacket } from '@dunlin/protocol';
import {
  connectPacket,
  hex,
  type IssuedCertificate,
  publishPacket,
  subscribePacket,
  TestAuthority,
  WebSocketClient,
  webSocketOpcode,
  withDeadline,
} from '@dunlin/testkit';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createWebSocketStream, WebSocket } from 'ws';
import { ListenerNode } from './listener-node.ts';

// Under the conditions of these tests MQTT.js, which is CommonJS, gets the ES module of `ws`, whose class has no function of its own for this.
Object.assign(WebSocket, { createWebSocketStream });

const connectBytes = encodePacket(connectPacket({ version: 4, clientId: 'someone' }), 4);
const pingreq = hex('c0 00');
const { binary, continuation, text, ping } = webSocketOpcode;

let authority: TestAuthority;
let server: IssuedCertificate;
let node: ListenerNode | null = null;
beforeAll(async () => {
  authority = await TestAuthority.make();
  server = await authority.issue('server');
});
afterAll(() => authority.remove());
afterEach(async () => {
  await node?.stop();
  node = null;
});

async function start(...parameters: Parameters<typeof ListenerNode.start>): Promise<ListenerNode> {
  node = await ListenerNode.start(...parameters);
  return node;
}

/** A WebSocket on which CONNECT was accepted. */
async function connected(url: string): Promise<WebSocketClient> {
  const client = await WebSocketClient.open(url);
  client.sendFrame(binary, connectBytes);
  expect((await client.nextPacket()).firstByte).toBe(0x20);
  return client;
}

/** The status that a request is answered with. */
async function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  const asked = request(url.replace(/^ws/, 'http'), { headers });
  asked.on('error', () => undefined); // the answer has come before
  asked.end();
  const switched = once(asked, 'upgrade').then(([response, socket]) => {
    socket.destroy();
    return response as IncomingMessage;
  });
  const answered = once(asked, 'response').then(([response]) => response as IncomingMessage);
  const response = await withDeadline(Promise.race([switched, answered]), () => 'no answer');
  return response.statusCode as number;
}

const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-protocol': 'mqtt',
};

describe('MQTT.js', () => {
  async function talk(one: MqttClient, two: MqttClient): Promise<void> {
    await one.subscribeAsync('a/#', { qos: 2 });
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 500_000];
    for (const qos of [0, 1, 2] as const) {
      for (const size of sizes) {
        const came = new Promise<[string, Buffer]>((resolve) =>
          one.once('message', (topic, payload) => resolve([topic, payload])),
        );
        await two.publishAsync(`a/${size}`, Buffer.alloc(size, 7), { qos });
        const [topic, payload] = await withDeadline(came, () => `no message of ${size} bytes came`);
        expect(topic).toBe(`a/${size}`);
        expect(Buffer.compare(payload, Buffer.alloc(size, 7))).toBe(0);
      }
    }
    await Promise.all([one.endAsync(), two.endAsync()]);
  }

  test.each([
    ['MQTT 5', { protocolVersion: 5 }],
    ['MQTT 3.1.1', { protocolVersion: 4 }],
    ['MQTT 3.1', { protocolVersion: 3, protocolId: 'MQIsdp' }],
  ] as [string, IClientOptions][])('%s over ws', async (_version, options) => {
    const listening = await start(['ws://127.0.0.1:0/mqtt', 'tcp://127.0.0.1:0']);
    const client = (index: number) => connectAsync(listening.url(index), options);
    await talk(await client(0), await client(0));
    await talk(await client(0), await client(1));
  });

  test('over wss, who checks the certificate', async () => {
    const listening = await start([{ url: 'wss://127.0.0.1:0', ...server }]);
    const options = { ca: readFileSync(authority.ca) };
    await talk(await connectAsync(listening.url(0), options), await connectAsync(listening.url(0), options));
  });
});

describe('frames', () => {
  test('packets split and joined in every way', async () => {
    const listening = await start(['ws://127.0.0.1:0/mqtt']);
    const client = await WebSocketClient.open(listening.url(0));
    for (const byte of connectBytes) client.sendFrame(binary, Buffer.from([byte]));
    expect((await client.nextPacket()).firstByte).toBe(0x20);
    client.sendFrame(binary, encodePacket(subscribePacket({ filter: 'split', qos: 1 }), 4));
    expect((await client.nextPacket()).firstByte).toBe(0x90);
    const publish = encodePacket(publishPacket({ topic: 'split', payload: 'payload', qos: 1 }), 4);
    // Two and a half packets in one frame; the rest in a message of several frames, a ping between them.
    client.sendFrame(binary, Buffer.concat([pingreq, publish, publish.subarray(0, 5)]));
    client.sendFrame(binary, publish.subarray(5, 6), false);
    client.sendFrame(ping, Buffer.from('?'));
    client.sendFrame(continuation, publish.subarray(6, 9), false);
    client.sendFrame(continuation, Buffer.alloc(0), false);
    client.sendFrame(continuation, Buffer.concat([publish.subarray(9), pingreq]));
    const types: number[] = [];
    while (types.filter((type) => type === 0xd).length < 2) types.push((await client.nextPacket()).firstByte >> 4);
    expect(types.filter((type) => type === 3)).toHaveLength(2);
    expect(types.filter((type) => type === 4)).toHaveLength(2);
    expect(new Set(client.opcodes)).toEqual(new Set([binary]));
    client.drop();
  });

  test('a ping is answered with its own words', async () => {
    const listening = await start(['ws://127.0.0.1:0/mqtt']);
    const socket = new WebSocket(listening.url(0), 'mqtt');
    await once(socket, 'open');
    const answered = once(socket, 'pong');
    socket.ping('are you there');
    expect(String((await withDeadline(answered, () => 'no pong'))[0])).toBe('are you there');
    socket.terminate();
  });

  test('a close frame is answered, and ends the connection', async () => {
    const listening = await start(['ws://127.0.0.1:0/mqtt']);
    const socket = new WebSocket(listening.url(0), 'mqtt');
    await once(socket, 'open');
    socket.send(connectBytes);
    await once(socket, 'message');
    const closed = once(socket, 'close');
    socket.close(1000);
    expect((await withDeadline(closed, () => 'not closed'))[0]).toBe(1000);
  });

  test('DISCONNECT is followed by a close frame', async () => {
    const listening = await start(['ws://127.0.0.1:0/mqtt']);
    const socket = new WebSocket(listening.url(0), 'mqtt');
    await once(socket, 'open');
    socket.send(connectBytes);
    await once(socket, 'message');
    const closed = once(socket, 'close');
    socket.send(hex('e0 00'));
    expect((await withDeadline(closed, () => 'not closed'))[0]).toBe(1000);
  });

  test.each([
    ['a text frame [MQTT-6.0.0-1]', text, Buffer.from('{}'), 1003],
    ['an unknown opcode', 3, Buffer.from('x'), 1002],
    ['a continuation of nothing', continuation, Buffer.from('x'), 1002],
  ])('%s closes the connection', async (_what, opcode, payload, code) => {
    const listening = await start(['ws://127.0.0.1:0/mqtt']);
    const client = await WebSocketClient.open(listening.url(0));
    client.sendFrame(opcode, payload);
    expect(await client.expectClosed()).toBe(code);
    client.drop();
  });

  test('a frame over the limit closes the connection before it has come', async () => {
    const listening = await start(['ws://127.0.0.1:0/mqtt'], ['--set', 'limits.maximumPacketSizeBytes=1000']);
    const client = await WebSocketClient.open(listening.url(0));
    client.sendBytes(Buffer.from([0x82, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0])); // a header: 65,537 bytes
    expect(await client.expectClosed()).toBe(1009);
    client.drop();
  });

  test('a will is published when the WebSocket is lost', async () => {
    const listening = await start(['ws://127.0.0.1:0/mqtt']);
    const watcher = await connected(listening.url(0));
    watcher.sendFrame(binary, encodePacket(subscribePacket({ filter: 'will', qos: 1 }), 4));
    await watcher.nextPacket();
    const lost = await WebSocketClient.open(listening.url(0));
    const will = { topic: 'will', payload: Buffer.from('lost'), qos: 0, retain: false, properties: {} } as const;
    lost.sendFrame(binary, encodePacket({ ...connectPacket({ version: 4, clientId: 'lost' }), will }, 4));
    await lost.nextPacket();
    lost.drop();
    expect(String((await watcher.nextPacket()).body)).toContain('lost');
    watcher.drop();
  });
});

describe('the request', () => {
  test('path, subprotocol, method', async () => {
    const listening = await start(['ws://127.0.0.1:0/mqtt']);
    const url = listening.url(0);
    expect(await statusOf(url, upgrade)).toBe(101);
    expect(await statusOf(`${url}?token=x`, upgrade)).toBe(101);
    expect(await statusOf(url.replace('/mqtt', '/other?token=secret'), upgrade)).toBe(404);
    expect(await statusOf(url.replace('/mqtt', ''), upgrade)).toBe(404);
    expect(await statusOf(url, { ...upgrade, 'sec-websocket-protocol': 'amqp, chat' })).toBe(400);
    const { 'sec-websocket-protocol': _none, ...withoutProtocol } = upgrade;
    expect(await statusOf(url, withoutProtocol)).toBe(400);
    expect(await statusOf(url, {})).toBe(426);
    expect(await statusOf(url, { ...upgrade, 'sec-websocket-version': '7' })).toBe(400);
    await listening.broker.until('Sec-WebSocket-Version header');
    const told = listening.broker.log().filter(({ event }) => event === 'handshake.failed');
    const who = {
      level: 'info',
      listener: 'ws://127.0.0.1:0/mqtt',
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    };
    expect(told).toMatchObject([
      { ...who, reason: '404: no MQTT at this path', given: '/other', allowed: '/mqtt' },
      { ...who, reason: '404: no MQTT at this path', given: '/', allowed: '/mqtt' },
      {
        ...who,
        reason: '400: the subprotocol must be mqtt or mqttv3.1',
        given: 'amqp, chat',
        allowed: 'mqtt, mqttv3.1',
      },
      { ...who, reason: '400: the subprotocol must be mqtt or mqttv3.1', given: '' },
      { ...who, reason: '426: WebSocket alone is spoken here' },
      { ...who, reason: expect.stringMatching(/^400: .*Sec-WebSocket-Version header/) },
    ]);
    expect(listening.broker.output).not.toContain('secret');
  });

  test('without a path in the URL: /mqtt, and / of clients that were told of none', async () => {
    const listening = await start(['ws://127.0.0.1:0']);
    const url = listening.url(0);
    expect(url).toMatch(/\/mqtt$/);
    for (const [path, status] of Object.entries({ '/mqtt': 101, '/': 101, '/?a=b': 101, '/other': 404, '/mqtt/': 404 }))
      expect(await statusOf(url.replace('/mqtt', path), upgrade)).toBe(status);
    const client = await connectAsync(url.replace('/mqtt', ''), { protocolVersion: 5 });
    await client.endAsync();
  });

  test('/ alone, where the URL says so', async () => {
    const listening = await start(['ws://127.0.0.1:0/']);
    expect(await statusOf(listening.url(0), upgrade)).toBe(101);
    expect(await statusOf(`${listening.url(0)}mqtt`, upgrade)).toBe(404);
  });

  test.each([
    ['mqtt', ['mqtt']],
    ['mqttv3.1', ['mqttv3.1']],
    ['mqtt', ['chat', 'mqttv3.1', 'mqtt']],
  ])('the subprotocol %s of %j', async (chosen, offered) => {
    const listening = await start(['ws://127.0.0.1:0/mqtt']);
    const client = await WebSocketClient.open(listening.url(0), offered); // [MQTT-6.0.0-4]
    expect(client.subprotocol).toBe(chosen);
    client.drop();
  });

  test('origins: those that are named, by default those of the same host', async () => {
    const listening = await start([
      'ws://127.0.0.1:0/mqtt',
      { url: 'ws://127.0.0.1:0/mqtt', origins: ['https://good.example', 'null'] },
      'ws://127.0.0.1:0/mqtt?origins=*',
    ]);
    const from = (index: number, origin: string) => statusOf(listening.url(index), { ...upgrade, origin });
    expect(await from(0, `http://127.0.0.1:8000`)).toBe(101);
    expect(await from(0, 'https://evil.example')).toBe(403);
    expect(await from(0, 'null')).toBe(403);
    expect(await from(1, 'https://good.example')).toBe(101);
    expect(await from(1, 'null')).toBe(101);
    expect(await from(1, 'https://good.example.evil.example')).toBe(403);
    expect(await from(1, 'http://127.0.0.1')).toBe(403);
    expect(await statusOf(listening.url(1), upgrade)).toBe(101);
    expect(await from(2, 'https://evil.example')).toBe(101);
    const told = listening.broker.log().filter(({ event }) => event === 'handshake.failed');
    const reason = '403: not from this origin';
    expect(told[0]).toMatchObject({ level: 'info', reason, given: 'https://evil.example' });
    expect(told[0].allowed).toContain('pages of the host that is asked');
    expect(told[2]).toMatchObject({ reason, allowed: 'https://good.example, null' });
  });

  test('must come in time, and be one', async () => {
    const listening = await start([{ url: 'ws://127.0.0.1:0/mqtt', handshakeTimeoutSeconds: 1 }]);
    const silent = connect(listening.port(0), '127.0.0.1');
    const half = connect(listening.port(0), '127.0.0.1');
    half.write('GET /mqtt HTTP/1.1\r\nHost: x\r\n');
    const wrong = connect(listening.port(0), '127.0.0.1');
    wrong.write(connectBytes);
    await withDeadline(Promise.all([silent, half, wrong].map((socket) => once(socket, 'close'))), () => 'still open');
    await listening.broker.until('no request in time');
    await listening.broker.until('not a request: this looks like MQTT, which is spoken here over WebSocket alone');
    (await connected(listening.url(0))).drop();
  });
});

test('the broker ends with a close frame', async () => {
  const listening = await start(['ws://127.0.0.1:0/mqtt']);
  const socket = new WebSocket(listening.url(0), 'mqtt');
  await once(socket, 'open');
  socket.send(connectBytes);
  await once(socket, 'message');
  const closed = once(socket, 'close');
  socket.send(hex('30 00')); // no topic
  expect((await withDeadline(closed, () => 'not closed'))[0]).toBe(1000);
});
