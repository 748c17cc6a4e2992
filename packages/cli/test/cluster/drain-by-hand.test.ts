/** Nodes that an operator cordons, drains and takes back, by commands to any other node. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../command.ts';
import { Cluster } from './cluster.ts';
import type { ClusterNode } from './cluster-node.ts';

const timeout = 60_000;
const useAnotherServer = 0x9c;

let directory: string;
let keyFile: string;
let cluster: Cluster;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-drain-by-hand-'));
  keyFile = join(directory, 'key');
  writeFileSync(keyFile, 'one-key-for-the-nodes-of-a-test');
  const more = ['--set', `admin.keyFile=${keyFile}`, '--set', 'drain.serverReference=mqtt.example:1883'];
  cluster = await Cluster.start({ nodes: 2, workers: 2, arguments: more });
}, timeout);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const at = (node: ClusterNode): string[] => ['--admin', `127.0.0.1:${node.adminPort}`, '--key-file', keyFile];

/** True if a new connection is closed without a CONNACK. */
async function isRefused(node: ClusterNode): Promise<boolean> {
  const wire = await node.open();
  try {
    await wire.connect({ clientId: 'newcomer' });
    return false;
  } catch {
    return true;
  } finally {
    await wire.drop();
  }
}

test('a cordoned node keeps its clients and takes no new ones, until it is taken back', { timeout }, async () => {
  const [a, b] = cluster.nodes;
  const here = await b.connect({ clientId: 'here-before' });
  await here.subscribe('orders', 1);
  expect(await run(['cordon', 'b', ...at(a)])).toMatchObject({ code: 0, output: 'node b is cordoned\n' });
  expect(await b.readiness()).toMatchObject({ code: 503, reasons: ['cordoned'] });
  expect(await a.readiness()).toEqual({ code: 200, reasons: [] });
  for (let attempt = 0; attempt < 4; attempt++) expect(await isRefused(b)).toBe(true);
  const elsewhere = await a.connect({ clientId: 'elsewhere' });
  await elsewhere.publish({ topic: 'orders', payload: 'still served', qos: 1 });
  expect((await here.expect('publish')).payload.toString()).toBe('still served');
  const { output } = await run(['nodes', ...at(a)]);
  expect(output).toMatch(/^NODE +STATE +WORKERS +CLIENTS .*\na +ready +2 .*\nb +cordoned +2 +1 /);
  expect(await run(['cordon', 'b', '--undo', ...at(a)])).toMatchObject({ code: 0 });
  expect(await b.readiness()).toMatchObject({ code: 200 });
  for (let attempt = 0; attempt < 4; attempt++) expect(await isRefused(b)).toBe(false);
  expect(await run(['cordon', 'nowhere', ...at(a)])).toMatchObject({
    code: 1,
    errors: expect.stringContaining('node: given "nowhere", which is not there'),
  });
});

test('a drained node sends its clients to another, keeps running, and is taken back', { timeout }, async () => {
  const [a, b] = cluster.nodes;
  const clients = await Promise.all(
    Array.from({ length: 8 }, (_, number) => b.connect({ clientId: `client-${number}` })),
  );
  const drained = await run(['drain', 'b', '--rate', '100', '--json', ...at(a)]);
  expect(drained).toMatchObject({ code: 0 });
  expect(JSON.parse(drained.output).leaving).toBeGreaterThanOrEqual(clients.length);
  for (const client of clients) {
    const { reasonCode, properties } = await client.expect('disconnect');
    expect([reasonCode, properties?.serverReference]).toEqual([useAnotherServer, 'mqtt.example:1883']);
  }
  expect(await b.readiness()).toMatchObject({ code: 503, reasons: ['cordoned'] });
  expect(await isRefused(b)).toBe(true);
  expect(await run(['cordon', 'b', '--undo', ...at(a)])).toMatchObject({ code: 0 });
  expect(await isRefused(b)).toBe(false);
});

test('undoing a drain keeps the clients whose turn has not come; a new start forgets a cordon', {
  timeout,
}, async () => {
  const [a, b] = cluster.nodes;
  const clients = await Promise.all(
    Array.from({ length: 6 }, (_, number) => b.connect({ clientId: `slow-${number}` })),
  );
  await run(['drain', 'b', '--rate', '1', ...at(a)]);
  await Promise.race(clients.map((client) => client.expect('disconnect')));
  expect(await run(['cordon', 'b', '--undo', ...at(a)])).toMatchObject({ code: 0 });
  const { output } = await run(['clients', 'slow-*', '--json', ...at(a)]);
  expect(output.trimEnd().split('\n').length).toBeGreaterThan(1);
  expect(await run(['cordon', 'b', ...at(a)])).toMatchObject({ code: 0 });
  await b.stop();
  await b.start();
  expect(await b.readiness()).toMatchObject({ code: 200 });
});
