import { connectPacket, publishPacket, subscribePacket, WireClient } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dunlin, startBroker } from './command.ts';

const mebibyte = 1024 * 1024;
/** Clients that subscribe and never read. */
const slowClients = 20;
const messages = 1500;
const payload = Buffer.alloc(10_000, 'x');
/** Together they leave more than this waiting, and may leave this little behind. */
const waitingBytes = 200 * mebibyte;
const leftBytes = 32 * mebibyte;

let broker: Dunlin;
let port: string;
let adminUrl: string;

beforeAll(async () => {
  ({ broker, port } = await startBroker(['--workers', '1', '--admin', '127.0.0.1:0']));
  adminUrl = String(broker.log().find((line) => line.msg === 'answers over HTTP')?.address);
});
afterAll(async () => {
  broker.child.kill();
  await broker.finished;
});

async function bytesOf(series: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.split(' ')[1]);
}

/** Of the worker: the supervisor's grows and shrinks with each question. */
async function workerBytes(): Promise<number> {
  return (
    (await bytesOf('dunlin_worker_heap_bytes{worker="0"}')) +
    (await bytesOf('dunlin_worker_external_bytes{worker="0"}'))
  );
}

/** Subscribes, and reads no further than the acknowledgement. MQTT 3.1.1 names no window. */
async function slowClient(clientId: string): Promise<WireClient> {
  const client = await WireClient.open(`mqtt://127.0.0.1:${port}`, 4);
  client.send(connectPacket({ version: 4, clientId }), subscribePacket({ filter: 't', qos: 1 }));
  await client.expect('connack');
  await client.expect('suback');
  client.pauseReading();
  return client;
}

test('what slow clients left behind is free soon after they have gone, and all of it is told while they are there', async () => {
  const before = await workerBytes();
  const slow: WireClient[] = [];
  for (let i = 0; i < slowClients; i++) slow.push(await slowClient(`slow-${i}`));
  const publisher = await WireClient.open(`mqtt://127.0.0.1:${port}`, 4);
  publisher.send(connectPacket({ version: 4, clientId: 'publisher' }));
  await publisher.expect('connack');
  for (let i = 0; i < messages; i++) {
    publisher.send(publishPacket({ topic: 't', payload, qos: 1 }));
    await publisher.expect('puback');
  }
  expect(await bytesOf('dunlin_memory_bytes{kind="external"}')).toBeGreaterThan(waitingBytes);
  await Promise.all(slow.map((client) => client.drop()));
  // As Prometheus would: it may take two looks of the node, 5 s each, and a while on a busy machine.
  while ((await workerBytes()) > before + leftBytes) await new Promise((resolve) => setTimeout(resolve, 500));
}, 60_000);
