import { loadConfiguration } from '@dunlin/config';
import { afterEach, describe, expect, test } from 'vitest';
import { type EdgeNode, startNode } from '../src/edge-node.ts';
import { MqttSocket } from './mqtt-socket.ts';

let node: EdgeNode;
let clients: MqttSocket[] = [];
afterEach(async () => {
  for (const client of clients) client.destroy();
  clients = [];
  await node.stop();
});

async function start(workers: number): Promise<number> {
  const settings = {
    ...{ nodeId: 'test', 'store.kind': 'memory', listeners: 'tcp://127.0.0.1:0', 'log.level': 'error' },
    ...{ 'admin.address': '127.0.0.1:0', workers: String(workers) },
  };
  const flags = Object.entries(settings).map(([path, value]) => ({ flag: '--set', path, value }));
  node = await startNode(loadConfiguration({ flags }).configuration, { version: '0' });
  const [address] = node.addresses;
  return address.kind === 'tcp' ? address.port : 0;
}

async function connect(port: number): Promise<MqttSocket> {
  const client = await MqttSocket.connect({ port });
  clients.push(client);
  return client;
}

async function scrape(): Promise<string> {
  const response = await fetch(`${node.adminUrl}/metrics`);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return response.text();
}

function numberOf(text: string, series: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  if (line === undefined) throw new TypeError(`no line ${series} in\n${text}`);
  return Number(line.slice(series.length + 1));
}

const listener = 'tcp://127.0.0.1:0';

describe('/metrics', () => {
  test('tells what the clients of all workers have done, at once', async () => {
    const port = await start(2);
    for (let i = 0; i < 5; i++) {
      const client = await connect(port);
      client.send({
        ...{ type: 'publish', dup: false, qos: 1, retain: false, topic: 'x', packetId: 1, properties: {} },
        payload: Buffer.from('1'),
      });
      await client.next('puback');
    }
    const text = await scrape();
    expect(numberOf(text, `dunlin_connections{listener="${listener}",version="5"}`)).toBe(5);
    expect(numberOf(text, 'dunlin_messages_received_total{qos="1"}')).toBe(5);
    expect(numberOf(text, 'dunlin_messages_dropped_total{reason="no-subscriber"}')).toBe(5);
    expect(numberOf(text, 'dunlin_packets_sent_total{type="puback"}')).toBe(5);
    expect(numberOf(text, 'dunlin_acknowledgement_seconds_count')).toBe(5);
    expect(numberOf(text, 'dunlin_workers_listening')).toBe(2);
    expect(numberOf(text, 'dunlin_ready')).toBe(1);
    expect(numberOf(text, 'dunlin_worker_active_seconds_total{worker="1"}')).toBeGreaterThan(0);
  });

  test('a worker that hangs does not hold up the answer', async () => {
    await start(2);
    const [hung] = node.pool.threads;
    hung.count = () => new Promise<void>(() => undefined);
    expect(numberOf(await scrape(), 'dunlin_workers_listening')).toBe(2);
  });

  test('counters go on when a worker is replaced', async () => {
    const port = await start(1);
    const client = await connect(port);
    const opened = `dunlin_connections_opened_total{listener="${listener}"}`;
    expect(numberOf(await scrape(), opened)).toBe(1);
    const [before] = node.pool.threads;
    await before.terminate();
    await client.closed;
    while (node.pool.replaced === 0) await new Promise((resolve) => setImmediate(resolve));
    await connect(port);
    const text = await scrape();
    expect(numberOf(text, opened)).toBe(2);
    expect(numberOf(text, `dunlin_connections{listener="${listener}",version="5"}`)).toBe(1);
    expect(numberOf(text, 'dunlin_workers_replaced_total')).toBe(1);
  });
});
