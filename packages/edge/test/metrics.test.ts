import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration } from '@dunlin/config';
import { Conversation, TestAuthority } from '@dunlin/testkit';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { type EdgeNode, startNode } from '../src/edge-node.ts';

let node: EdgeNode;
let clients: Conversation[] = [];
afterEach(async () => {
  for (const client of clients) void client.drop();
  clients = [];
  await node.stop();
});

/** A node with the listeners of a configuration file, which it reads again when the test says so. */
async function startWith(file: string, settings: Record<string, string>): Promise<void> {
  const flags = Object.entries(settings).map(([path, value]) => ({ flag: '--set', path, value }));
  node = await startNode(loadConfiguration({ file, environment: {}, flags }).configuration, { version: '0' });
}

async function start(workers: number): Promise<number> {
  const settings = {
    ...{ nodeId: 'test', 'store.kind': 'memory', listeners: 'tcp://127.0.0.1:0', 'log.level': 'error' },
    ...{ 'admin.address': '127.0.0.1:0', workers: String(workers), 'limits.connectionsMax': '1000' },
  };
  const flags = Object.entries(settings).map(([path, value]) => ({ flag: '--set', path, value }));
  node = await startNode(loadConfiguration({ flags }).configuration, { version: '0' });
  const [address] = node.addresses;
  return address.kind === 'tcp' ? address.port : 0;
}

async function connect(port: number): Promise<Conversation> {
  const client = await Conversation.open(`mqtt://127.0.0.1:${port}`);
  await client.connect();
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
      await client.publish({ topic: 'x', payload: '1', qos: 1 });
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

  test('has the limits of the node: of workers and listeners together, of memory', async () => {
    await start(2);
    const text = await scrape();
    expect(numberOf(text, 'dunlin_connections_max')).toBe(2000);
    const bytes = numberOf(text, 'dunlin_memory_limit_bytes');
    expect(bytes).toBeGreaterThan(numberOf(text, 'dunlin_memory_bytes{kind="resident"}'));
    expect(bytes).toBeLessThanOrEqual(totalmem());
  });

  test('says that it drains until it has ended', async () => {
    await start(1);
    const draining = 'dunlin_not_ready{reason="draining"}';
    expect(numberOf(await scrape(), draining)).toBe(0);
    await node.drain();
    const text = await scrape();
    expect(numberOf(text, draining)).toBe(1);
    expect(numberOf(text, 'dunlin_ready')).toBe(0);
  });

  test('tells when the first certificate of a listener ends, an authority between too, and the new ones after a reload', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dunlin-certificates-'));
    const authority = await TestAuthority.make();
    onTestFinished(async () => {
      rmSync(directory, { recursive: true });
      await authority.remove();
    });
    const long = await authority.issue('long', { days: 30 });
    const short = await authority.issue('short', { days: 7 });
    const chain = join(directory, 'chain.pem');
    writeFileSync(chain, readFileSync(long.cert, 'utf8') + readFileSync(authority.ca, 'utf8'));
    const file = join(directory, 'dunlin.yaml');
    const tls = (name: string, cert: string, key: string) => ({
      ...{ url: 'tls://127.0.0.1:0', name, cert, key, connectionsMax: 10 },
    });
    const configure = (cert: string) => {
      const listeners = [
        tls('long', long.cert, long.key),
        tls('two', long.cert, long.key),
        tls('two', short.cert, short.key),
      ];
      writeFileSync(file, JSON.stringify({ listeners: [...listeners, tls('chain', cert, long.key)] }));
    };
    configure(chain);
    const settings = {
      nodeId: 'test',
      'store.kind': 'memory',
      'log.level': 'error',
      workers: '1',
      'admin.address': '127.0.0.1:0',
    };
    await startWith(file, settings);
    const endOf = (path: string) => new X509Certificate(readFileSync(path)).validToDate.getTime() / 1000;
    const ends = (text: string) =>
      ['long', 'two', 'chain'].map((name) => numberOf(text, `dunlin_certificate_end_time_seconds{listener="${name}"}`));
    const text = await scrape();
    expect(ends(text)).toEqual([endOf(long.cert), endOf(short.cert), endOf(authority.ca)]);
    expect(numberOf(text, 'dunlin_connections_max')).toBe(40);

    configure(long.cert);
    node.reload(loadConfiguration({ file, environment: {}, flags: [] }).configuration);
    expect(ends(await scrape())).toEqual([endOf(long.cert), endOf(short.cert), endOf(long.cert)]);
  });
});
