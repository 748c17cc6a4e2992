/** A node that is asked to end (SIGTERM), as its clients see it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation, withDeadline } from '@dunlin/testkit';
import { connect, type IDisconnectPacket, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Dunlin, startBroker } from '../command.ts';
import { connected } from '../real-clients/mqtt-js-client.ts';
import { FloodingPublisher } from './flooding-publisher.ts';

const serverShuttingDown = 0x8b;
const useAnotherServer = 0x9c;
/** Time-out of a step: more than any of these takes, less than the test runner waits. */
const patienceMilliseconds = 20_000;

let directory: string;
let broker: Dunlin;
let url: string;
const wires: Conversation[] = [];
const clients: MqttClient[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-drain-'));
});
afterEach(async () => {
  await Promise.all(wires.splice(0).map((wire) => wire.drop()));
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  broker.child.kill('SIGKILL');
  await broker.finished;
  rmSync(directory, { recursive: true });
});

async function start(words: readonly string[], settings: Record<string, string | number> = {}): Promise<void> {
  const all = Object.entries(settings).flatMap(([key, value]) => ['--set', `drain.${key}=${value}`]);
  const started = await startBroker([...words, ...all]);
  broker = started.broker;
  url = `mqtt://127.0.0.1:${started.port}`;
}

async function open(): Promise<Conversation> {
  const wire = await Conversation.open(url, 5);
  wires.push(wire);
  return wire;
}

async function meet(clientId: string): Promise<Conversation> {
  const wire = await open();
  await wire.connect({ clientId });
  return wire;
}

async function meetMqttJs(protocolVersion: 4 | 5): Promise<MqttClient> {
  const client = connect(url, { protocolVersion, reconnectPeriod: 0 });
  clients.push(client);
  await connected(client);
  return client;
}

function closing(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()));
}

function says(text: string): Promise<void> {
  return withDeadline(broker.until(text), () => `did not say ${text}:\n${broker.output}`, patienceMilliseconds);
}

async function ended(): Promise<number | null> {
  const late = (): string => `does not end:\n${broker.output}`;
  return (await withDeadline(broker.finished, late, patienceMilliseconds)).code;
}

async function readiness(): Promise<{ code: number; reasons: string[] }> {
  const line = broker.log().find(({ event }) => event === 'admin.opened') as { address: string };
  const response = await fetch(`${line.address}/readyz`);
  const { reasons } = (await response.json()) as { reasons: string[] };
  return { code: response.status, reasons };
}

function linesOf(event: string): Record<string, unknown>[] {
  return broker.log().filter((line) => line.event === event);
}

describe('what MQTT.js hears', () => {
  test.each([
    ['b.example:1883', useAnotherServer],
    ['', serverShuttingDown],
  ])('version 5, with the server reference "%s"', async (serverReference, reasonCode) => {
    await start(['--workers', '2'], { serverReference });
    const client = await meetMqttJs(5);
    const told = new Promise<IDisconnectPacket>((resolve) => client.once('disconnect', resolve));
    const closed = closing(client);
    broker.child.kill('SIGTERM');
    const packet = await withDeadline(told, () => 'no DISCONNECT', patienceMilliseconds);
    expect(packet.reasonCode).toBe(reasonCode);
    expect(packet.properties?.serverReference).toBe(serverReference === '' ? undefined : serverReference);
    await closed;
    expect(await ended()).toBe(0);
  });

  test('version 3.1.1: the connection is closed, without a packet', async () => {
    await start(['--workers', '1'], { serverReference: 'b.example' });
    const client = await meetMqttJs(4);
    const packets: string[] = [];
    client.on('packetreceive', ({ cmd }) => void packets.push(cmd));
    const closed = closing(client);
    broker.child.kill('SIGTERM');
    await withDeadline(closed, () => 'not closed', patienceMilliseconds);
    expect(packets).toEqual([]);
    expect(await ended()).toBe(0);
  });
});

test('first readiness, then the listeners, then the clients at their pace; code 0 within the grace', async () => {
  await start(['--workers', '2', '--admin', '127.0.0.1:0'], { delaySeconds: 1, ratePerSecond: 4, graceSeconds: 12 });
  const connectedOnes = await Promise.all(Array.from({ length: 11 }, (_, at) => meet(`client-${at}`)));
  expect(await readiness()).toEqual({ code: 200, reasons: [] });
  const begun = performance.now();
  broker.child.kill('SIGTERM');
  await says('"event":"node.became-unready","reasons":"draining');
  expect(await readiness()).toEqual({ code: 503, reasons: ['draining'] });
  // Still open, and serving.
  connectedOnes.push(await meet('late'));
  expect(broker.output).not.toContain('drain.began');
  await says('drain.began');
  await expect(open()).rejects.toThrow(/ECONNREFUSED/);
  expect(await readiness()).toEqual({ code: 503, reasons: ['draining'] });
  const goneAt: number[] = [];
  const gone = connectedOnes.map(async (wire) => {
    await wire.expectPacket({ type: 'disconnect', reasonCode: serverShuttingDown }, patienceMilliseconds);
    goneAt.push(performance.now());
    await wire.expectClosed();
  });
  await Promise.all(gone);
  expect(await ended()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(12_000);
  // Twelve at four a second, over two workers: the last of them leaves at least two seconds after the first.
  expect((goneAt.at(-1) as number) - goneAt[0]).toBeGreaterThan(1500);
  expect(linesOf('drain.began')).toMatchObject([{ connections: 12, milliseconds: 3000 }]);
  const left = linesOf('drain.progressed').map(({ connections }) => connections as number);
  expect(left.length).toBeGreaterThanOrEqual(2);
  expect(left.length).toBeLessThanOrEqual(3);
  for (const [at, count] of left.entries()) expect(count).toBeLessThan(at === 0 ? 12 : left[at - 1]);
  expect(
    broker
      .log()
      .slice(-3)
      .map(({ event }) => event),
  ).toEqual(['drain.finished', 'node.stop-requested', 'node.stopped']);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s while it drains ends it at once', async (signal) => {
  await start(['--workers', '2'], { ratePerSecond: 1, graceSeconds: 60 });
  const connectedOnes = await Promise.all(Array.from({ length: 20 }, (_, at) => meet(`client-${at}`)));
  broker.child.kill('SIGTERM');
  await says('drain.began');
  const begun = performance.now();
  broker.child.kill(signal);
  for (const wire of connectedOnes) await wire.expectPacket({ type: 'disconnect', reasonCode: serverShuttingDown });
  expect(await ended()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(5000);
  expect(linesOf('drain.finished')).toEqual([]);
});

test('SIGINT does not drain', async () => {
  await start(['--workers', '1'], { ratePerSecond: 1, delaySeconds: 10, graceSeconds: 60 });
  const client = await meet('client');
  const begun = performance.now();
  broker.child.kill('SIGINT');
  await client.expectPacket({ type: 'disconnect', reasonCode: serverShuttingDown });
  expect(await ended()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(5000);
  expect(broker.output).not.toContain('drain.began');
});

/**
 * Publishers that never pause meet a store that writes to disk. Seen to fail with Drain.begin parting at once, which closes connections before what was read is
 * written: then messages are in the store that nobody acknowledged, and their publishers would send them again.
 */
test('everything that was read is acknowledged before the connection is closed, and nothing else is stored', async () => {
  const store = ['--workers', '2', '--store', 'lmdb', '--data', join(directory, 'data')];
  const session = { clientId: 'reader', cleanStart: false, sessionExpirySeconds: 3600 };
  await start(store);
  const reader = await open();
  await reader.connect(session);
  await reader.subscribe('flood/#', 1);
  reader.send({ type: 'disconnect', reasonCode: 0, properties: {} });
  await reader.expectClosed();
  const publishers = await Promise.all(
    [1, 2, 3, 4].map(async (number) => new FloodingPublisher(await meet(`publisher-${number}`), `flood/${number}`)),
  );
  const floods = publishers.map((publisher) => publisher.flood());
  await Promise.all(publishers.map((publisher) => publisher.acknowledgements(200)));
  broker.child.kill('SIGTERM');
  expect(await Promise.all(floods)).toEqual([
    serverShuttingDown,
    serverShuttingDown,
    serverShuttingDown,
    serverShuttingDown,
  ]);
  expect(await ended()).toBe(0);
  await start(store);
  const again = await open();
  expect(await again.connect(session)).toMatchObject({ sessionPresent: true });
  await (await meet('last')).publish({ topic: 'flood/end', payload: 'end', qos: 1 });
  const stored = await again.receive((received) => received.at(-1)?.topic === 'flood/end');
  for (const { topic, acknowledged } of publishers) {
    const arrived = stored.filter((message) => message.topic === topic).map(({ payload }) => Number(payload));
    expect(arrived).toEqual(acknowledged);
  }
});
