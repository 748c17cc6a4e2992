import { connectPacket, publishPacket, subscribePacket, TestAuthority, WireClient } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ListenerNode } from './listener-node.ts';

/** One megabyte: so many fill what the system holds for a socket, and leave some in the node. */
const payload = Buffer.alloc(1_000_000);
const messages = 16;
/** A client that reads slowly takes one message in this time. */
const paceMilliseconds = 200;

let authority: TestAuthority;
let node: ListenerNode;
let adminUrl: string;

beforeAll(async () => {
  authority = await TestAuthority.make();
  const tls = await authority.issue('server');
  const listeners = [
    ...[
      { url: 'tcp://127.0.0.1:0', name: 'tcp' },
      { url: 'ws://127.0.0.1:0', name: 'ws' },
    ],
    { url: 'tls://127.0.0.1:0', name: 'tls', cert: tls.cert, key: tls.key },
    { url: 'wss://127.0.0.1:0', name: 'wss', cert: tls.cert, key: tls.key },
  ];
  const bounds = ['limits.writeTimeoutSeconds=1', 'limits.outputBufferBytesMax=100000000'];
  const words = [...['--admin', '127.0.0.1:0'], ...bounds.flatMap((bound) => ['--set', bound])];
  node = await ListenerNode.start(listeners, words);
  adminUrl = String(node.broker.log().find((line) => line.event === 'admin.opened')?.address);
});
afterAll(async () => {
  await node.stop();
  await authority.remove();
});

async function timeoutsOf(listener: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const series = `dunlin_connections_closed_total{listener="${listener}",reason="write-timeout"} `;
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(series))
      ?.slice(series.length),
  );
}

async function subscriber(listener: number, topic: string): Promise<WireClient> {
  const client = await WireClient.open(node.url(listener), 4);
  client.send(connectPacket({ version: 4, clientId: topic, keepAliveSeconds: 0 }), subscribePacket({ filter: topic }));
  await client.expect('connack');
  await client.expect('suback');
  client.pauseReading();
  return client;
}

/** Takes all messages, one a while. */
async function readSlowly(client: WireClient): Promise<void> {
  for (let i = 0; i < messages; i++) {
    client.resumeReading();
    await client.expect('publish', 15_000);
    client.pauseReading();
    await new Promise((resolve) => setTimeout(resolve, paceMilliseconds));
  }
  client.resumeReading();
}

test.each([
  ['tcp', 0],
  ['ws', 1],
  ['tls', 2],
  ['wss', 3],
] as const)(
  '%s: a client that reads nothing is ended in time, one that reads slowly is not',
  async (name, listener) => {
    const slow = await subscriber(listener, `${name}/slow`);
    const deaf = await subscriber(listener, `${name}/deaf`);
    const publisher = await node.connect(0);
    for (let i = 0; i < messages; i++)
      for (const topic of [`${name}/slow`, `${name}/deaf`]) publisher.send(publishPacket({ topic, payload }));
    await readSlowly(slow);
    while ((await timeoutsOf(name)) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    deaf.resumeReading();
    await deaf.closed;
    slow.send(Buffer.from([0xc0, 0]));
    await slow.expect('pingresp');
    expect(await timeoutsOf(name)).toBe(1);
    await slow.drop();
  },
);
